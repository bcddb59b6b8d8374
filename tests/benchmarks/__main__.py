"""``python -m tests.benchmarks [names]``: runs them, prints the table, and writes it to build/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.benchmarks.measure import ROOT, Scale, table

NAMES = {
    "import": "importing",
    "headers": "headers",
    "build": "building",
    "decode": "decoding",
    "memory": "memory",
    "slices": "slicing",
    "viewer": "viewing",
    "overlay": "overlaying",
    "scale": "scaling",
    "catalog": "cataloguing",
    "dicomweb": "dicomweb",
    "receive": "receiving",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, one round: to see whether something broke")
    parser.add_argument("--rounds", type=int, default=0, help="medians of how many (3)")
    parser.add_argument("--scratch", type=Path, help="where to put up to 6 GB of files for the time being")
    parser.add_argument("--commit", action="store_true", help="also write tests/benchmarks/RESULTS.md")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: one of {', '.join(NAMES)}")
    scale = Scale(quick=given.quick, rounds=given.rounds or (1 if given.quick else 3))
    sections = [run(name, scale, given.scratch) for name in given.names or NAMES]
    text = "\n".join([_head(scale), *sections])
    targets = [ROOT / "build/benchmarks.md"] + ([Path(__file__).with_name("RESULTS.md")] if given.commit else [])
    for target in targets:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")
        print(f"written to {target.relative_to(ROOT)}")


def run(name: str, scale: Scale, scratch: Path | None = None) -> str:
    """One benchmark's section, printed as well."""
    module = import_module(f"tests.benchmarks.{NAMES[name]}")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=scratch) as folder:
        section = table(module.TITLE, module.NOTES, module.run(Path(folder), scale))
    print(section, flush=True)
    return section


def _head(scale: Scale) -> str:
    size = "small sizes, to see whether something broke" if scale.quick else "full sizes"
    return (
        "# Benchmarks\n\n"
        f"`make bench` on {os.cpu_count()} cores, {size}, medians of {scale.rounds}, ours and the peer's in turn. "
        "Trust the ratios, not the seconds.\n"
    )


if __name__ == "__main__":
    main()
