"""What the documents show works: examples are run, links lead somewhere, nothing names somebody's machine."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project.markdown import Block, anchors, blocks, links

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "CONFORMANCE.md")
PROGRAM = "pacs-panel"

# These serve until they are stopped, or need somebody who listens, so of their examples only the arguments are checked.
SERVING = {"serve", "demo", "receive", "pull", "send"}

# Folders in which somebody's own files lie.
MACHINE_PATH = re.compile(r"(?:(?<![\w./-])|(?<=://))/(?:home|root|work|Users|mnt|workspace)/[\w.-]+")


# -- examples ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which examples run: ``incoming/`` has a phantom CT and an MR, always of the same UIDs."""
    from pacs_panel.testing import ct_phantom, mr_oblique, write

    for name, series in (("ct", ct_phantom()), ("mr", mr_oblique())):
        write(series, tmp_path / "incoming" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Callable[[str, str], None]:
    """Runs one ``pacs-panel ...`` line as the shell would, where it stands; a failure tells the place."""
    from pacs_panel.cli import build_parser, main

    def run(command: str, place: str) -> None:
        program, *arguments = shlex.split(command)
        assert program == PROGRAM
        try:
            if arguments and arguments[0] in SERVING:
                build_parser().parse_args(arguments)
                return
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        assert status in (0, None), f"{place}: {command}\nended with {status}\n{said.out}{said.err}"

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_readme_examples_run(run_command):
    """Python blocks share one namespace, console blocks one folder, and all run in the order in which they stand."""
    namespace: dict[str, object] = {"__name__": "readme"}
    found = [block for block in blocks(read("README.md")) if block.language in ("python", "console")]
    assert {block.language for block in found} == {"python", "console"}
    for block in found:
        if block.language == "python":
            run_python(block, namespace)
        else:
            for line, command in block.commands():
                run_console(command, f"README.md, line {line}", run_command)


def test_settings_that_documents_show_are_read(tmp_path):
    from pacs_panel.settings import Settings

    found = [block for name in DOCUMENTS for block in blocks(read(name)) if block.language == "toml"]
    assert found
    for block in found:
        file = tmp_path / "settings.toml"
        file.write_text(block.code, "utf-8")
        assert Settings.load(file, {}) != Settings()


def run_python(block: Block, namespace: dict[str, object]) -> None:
    # Empty lines before it, so that a traceback tells the line of the document.
    exec(compile("\n" * (block.line - 1) + block.code, "README.md", "exec"), namespace)


def run_console(command: str, place: str, run_command: Callable[[str, str], None]) -> None:
    if command.startswith(f"{PROGRAM} "):
        run_command(command, place)
    elif command.startswith("make "):
        unknown = [word for word in command.split()[1:] if "=" not in word and word not in make_targets()]
        assert not unknown, f"{place}: the Makefile has no {', '.join(unknown)}"
    else:
        known = ("git clone ", "cd ", "pip install ", "conda ")
        assert command.startswith(known), (
            f"{place}: {command!r} is neither run nor known; console blocks show our commands"
        )


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))


# -- the commands ------------------------------------------------------------------------------------------------------


def commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Name, parser and one-line help of each command that does something, in the order in which help lists them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for choice, sub in action.choices.items():
                nested = list(commands(sub, f"{name} {choice}".strip()))
                yield from nested or [(f"{name} {choice}".strip(), sub, summaries.get(choice, ""))]


def examples(parser: argparse.ArgumentParser) -> list[str]:
    """The example lines of a command's epilog, ``  pacs-panel ...``."""
    lines = (parser.epilog or "").splitlines()
    return [line.strip().partition("  #")[0] for line in lines if line.startswith(f"  {PROGRAM} ")]


def test_every_command_has_help_and_an_example():
    from pacs_panel.cli import build_parser

    found = list(commands(build_parser()))
    assert found
    for name, parser, summary in found:
        assert summary, f"{PROGRAM} {name} has no help"
        own = [line for line in examples(parser) if line.startswith(f"{PROGRAM} {name}")]
        assert own, f"{PROGRAM} {name} has no example in its epilog"


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_the_commands_examples_run(run_command):
    """In the order of the commands, in one folder: what ``import`` takes in, ``search`` finds."""
    from pacs_panel.cli import build_parser

    for name, parser, _ in commands(build_parser()):
        for example in examples(parser):
            run_command(example, f"{PROGRAM} {name} --help")


# -- the documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = read(name)
    for target in links(text):
        path, _, fragment = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = ROOT / name if not path else ROOT / path
        assert file.exists(), f"{name}: {target} is not there"
        if fragment and file.suffix == ".md":
            assert fragment in anchors(file.read_text("utf-8")), f"{name}: {target} names no heading"


def test_the_changelog_has_its_headings():
    import pacs_panel

    headings = re.findall(
        r"^## \[(Unreleased|\d+\.\d+\.\d+)\](?: - \d{4}-\d{2}-\d{2})?$", read("CHANGELOG.md"), re.MULTILINE
    )
    assert headings, "no heading of the form '## [Unreleased]' or '## [1.2.3] - 2026-01-31'"
    assert headings[0] in ("Unreleased", pacs_panel.__version__)
    assert len(headings) == len(re.findall(r"^## ", read("CHANGELOG.md"), re.MULTILINE))
    assert len(set(headings)) == len(headings)


def test_no_document_names_a_path_of_somebodys_machine():
    own = (f"{ROOT.parent}{os.sep}", f"{Path.home()}{os.sep}")
    for path in documents():
        text = path.read_text("utf-8")
        found = [*MACHINE_PATH.findall(text), *(place for place in own if len(place) > 2 and place in text)]
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def documents() -> list[Path]:
    """All Markdown files that belong to the project."""
    found = [p for p in ROOT.rglob("*.md") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    assert found
    return found


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


# -- and the checks see what they should -------------------------------------------------------------------------------

TEXT = """# A title, with: marks

[one](file.md#part) ![two](docs/a.png "title") <img src="b.png"> and

```console
$ pacs-panel import incoming/ \\
    --collection lung  # takes it in
12 accepted
$ make demo
```

```python
x = 1
# not a heading [nor](a link)
```
"""


def test_blocks_and_commands_are_found():
    console, python = blocks(TEXT)
    assert list(console.commands()) == [(6, "pacs-panel import incoming/ --collection lung"), (9, "make demo")]
    assert (python.language, python.line, python.code.splitlines()[0]) == ("python", 13, "x = 1")


def test_links_and_anchors_are_found():
    assert links(TEXT) == ["file.md#part", "docs/a.png", "b.png"]
    assert anchors(TEXT) == {"a-title-with-marks"}


def test_machine_paths_are_seen():
    assert MACHINE_PATH.findall("in /home/me/data, and file:///Users/x") == ["/home/me", "/Users/x"]
    assert MACHINE_PATH.findall("file:///data/pacs, https://example.org/home/page, src/home/x") == []
