"""The rules of ARCHITECTURE.md on who may import whom, and on the size of files and functions.

The tables say it all. A failure names the module, the line, and what would be allowed there.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.project.imports import PACKAGE, ROOT, Import, cycles, read_imports, read_sources, tree

# -- the tables --------------------------------------------------------------------------------------------------------

BASICS = {"errors", "peer", "settings", "model", "attributes", "policy"}
FOUNDATION = BASICS | {"dicom", "pixels", "geometry", "storage"}
STAGES = {"receive", "keep", "volume", "overlay", "index", "records", "privacy", "analyse"}
JOINED = {"archive", "imaging", "cohort"}
BELOW_JOINED = {"scoped", "upkeep", "organise", "corrections"}  # what an archive is made of
ABOVE = {"catalog", "backup"}

# A part of the package -> the other parts that it may import.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "model": {"errors"},
    "peer": set(),
    "settings": {"errors", "peer"},
    "attributes": {"errors", "model"},
    "policy": {"errors", "model"},
    **dict.fromkeys(FOUNDATION - BASICS, BASICS),
    "dicom": BASICS | {"pixels"},  # whether two encodings mean the same, is a question about their pixels, too
    **dict.fromkeys(STAGES, FOUNDATION),
    "pipeline": FOUNDATION | STAGES,
    "scoped": FOUNDATION | STAGES | {"pipeline"},
    "upkeep": FOUNDATION | STAGES | {"pipeline", "scoped"},
    "organise": FOUNDATION | STAGES | {"scoped", "cohort"},
    "corrections": FOUNDATION | STAGES | {"scoped"},
    **dict.fromkeys(JOINED, FOUNDATION | STAGES | {"pipeline"} | BELOW_JOINED),
    "imaging": FOUNDATION | STAGES | {"pipeline", "cohort"} | BELOW_JOINED,
    "archive": FOUNDATION | STAGES | {"pipeline", "cohort", "imaging"} | BELOW_JOINED,
    "published": FOUNDATION | STAGES | {"pipeline"} | JOINED,
    **dict.fromkeys(ABOVE, FOUNDATION | JOINED),
    "view": FOUNDATION | {"analyse"},
    "serve": FOUNDATION | JOINED | ABOVE | {"view"},
    "testing": FOUNDATION | JOINED | ABOVE | {"view", "serve"},
    "cli": FOUNDATION | JOINED | ABOVE | {"view", "serve", "testing"},
    "__main__": {"cli"},
    "": {"archive"},  # pacs_panel/__init__.py
}

# The arrows that point up, and only from inside a function: `archive.view(uid)` draws, `archive.publish(folder)`
# publishes, and `open_archive("https://…")` opens what was published.
UPWARD = {("archive", "view"), ("archive", "published")}

# The package itself (`import pacs_panel`, for its public face) is for those above the archive; `__version__` for all.
PUBLIC_FACE = {"catalog", "backup", "serve", "testing", "cli"}

# A library -> the only places that import it.
HOMES: dict[str, set[str]] = {
    "bokeh": {"view", "serve.app"},
    "dask": {"pipeline.jobs", "volume", "analyse"},
    "distributed": {"pipeline.jobs"},
    "fastapi": {"serve"},
    "highdicom": {"overlay"},
    "google_crc32c": {"volume"},
    "holoviews": {"view", "serve.app"},
    "imagecodecs": {"pixels"},
    "intake": {"catalog"},
    "nibabel": {"volume"},
    "numcodecs": {"volume"},
    "panel": {"view", "serve.app"},
    "panel_material_ui": {"view", "serve.app"},
    "param": {"view", "serve.app"},
    "PIL": {"pixels"},
    "pyarrow": {"cohort", "index.columns_table", "published", "serve.listed"},
    "pydicom": {"dicom", "pixels", "overlay", "privacy", "testing"},
    "pynetdicom": {"serve.dimse"},
    "python_multipart": {"storage"},
    "requests": {"storage"},
    "scipy": {"volume", "overlay"},
    "sqlalchemy": {"index", "records"},
    "sqlite3": {"index", "records"},
    "starlette": {"serve"},
    "tornado": {"serve"},
    "uvicorn": {"serve"},
    "xarray": {"volume", "overlay", "analyse", "scoped", "imaging", "archive", "cohort", "catalog"},
    "zarr": {"volume"},
}

FILE_LINES = 400
FUNCTION_LINES = 60  # without its docstring
DRAWERS = {"utils", "util", "helpers", "common", "misc"}

# -- the rules ---------------------------------------------------------------------------------------------------------


def part(module: str) -> str:
    """``pacs_panel.dicom.header`` is in ``dicom``, and ``pacs_panel`` itself in ``""``."""
    return module.partition(".")[2].partition(".")[0]


def forbidden_parts(imports: list[Import]) -> Iterator[str]:
    """Imports of a part that the importing part may not know."""
    for found in imports:
        if found.target.partition(".")[0] != PACKAGE or found.target == f"{PACKAGE}.__version__":
            continue
        importer, imported = part(found.module), part(found.target)
        if importer not in ALLOWED:
            yield f"{found}: {importer!r} has no place in ALLOWED yet"
        elif _may(found, importer, imported):
            continue
        elif imported in ALLOWED and imported:
            yield f"{found}: {importer} may import {', '.join(sorted(ALLOWED[importer])) or 'no other part'}"
        else:
            yield f"{found}: only {', '.join(sorted(PUBLIC_FACE))} use the public face"


def _may(found: Import, importer: str, imported: str) -> bool:
    if imported == importer or imported in ALLOWED[importer]:
        return True
    if (importer, imported) in UPWARD:
        return found.lazy or found.typing
    return importer in PUBLIC_FACE and (imported not in ALLOWED or imported == "")


def forbidden_libraries(imports: list[Import]) -> Iterator[str]:
    """Imports of a library outside its home."""
    for found in imports:
        library = found.target.partition(".")[0]
        inside = found.module.partition(".")[2]
        homes = HOMES.get(library)
        if homes is not None and not any(inside == home or inside.startswith(f"{home}.") for home in homes):
            yield f"{found}: the home of {library} is {', '.join(sorted(homes))}"


def runtime_edges(imports: list[Import], modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Who imports whom when the module loads."""
    for found in imports:
        if found.target in modules and not found.lazy and not found.typing:
            yield found.module, found.target


def long_functions(sources: Mapping[str, str], limit: int = FUNCTION_LINES) -> Iterator[str]:
    """Functions with more lines than that, their docstring not counted."""
    for module, source in sources.items():
        for node in ast.walk(tree(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _lines(node) - (_lines(node.body[0]) if ast.get_docstring(node) is not None else 0)
                if lines > limit:
                    yield f"{module}, line {node.lineno}: {node.name} has {lines} lines, {limit} is the limit"


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def environment_reads(sources: Mapping[str, str]) -> Iterator[str]:
    """Uses of the process's environment."""
    for module, source in sources.items():
        for node in ast.walk(tree(source)):
            reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            if reads and ast.unparse(node).startswith("os."):
                yield f"{module}, line {node.lineno}"


# -- the package holds them --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return read_sources()


@pytest.fixture(scope="module")
def imports(sources: dict[str, str]) -> list[Import]:
    return read_imports(sources)


def test_each_part_imports_only_what_it_may(imports):
    assert_none(forbidden_parts(imports))


def test_each_library_has_one_home(imports):
    assert_none(forbidden_libraries(imports))


def test_imports_are_absolute(imports):
    assert_none(str(found) for found in imports if found.relative)


def test_no_cycles(imports, sources):
    assert_none(" -> ".join(group) for group in cycles(runtime_edges(imports, sources)))


def test_every_part_is_in_the_table(sources):
    assert_none(module for module in sources if part(module) not in ALLOWED)


def test_only_settings_read_the_environment(sources):
    rest = {module: source for module, source in sources.items() if module != f"{PACKAGE}.settings"}
    assert_none(environment_reads(rest))


def test_no_drawers():
    assert_none(str(path.relative_to(ROOT)) for path in code_files() if path.stem in DRAWERS)


def test_files_are_short():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in code_files()}
    assert_none(
        f"{path.relative_to(ROOT)} has {lines} lines, {FILE_LINES} is the limit: make two rooms of it"
        for path, lines in lengths.items()
        if lines > FILE_LINES
    )


def test_functions_are_short(sources):
    assert_none(long_functions(sources))


def code_files() -> list[Path]:
    """Python and JavaScript that people write, tests too."""
    files = [
        p for folder in (PACKAGE, "tests") for p in sorted((ROOT / folder).rglob("*")) if p.suffix in (".py", ".js")
    ]
    assert files
    return [path for path in files if "bundle" not in path.stem or path.suffix == ".py"]


def assert_none(found: Iterator[str]) -> None:
    problems = list(found)
    assert not problems, "\n  ".join(["", *problems])


def test_importing_the_package_loads_nothing_else(pytester):
    show = "print(sorted(name for name in sys.modules if name.startswith(('pacs_panel.', 'panel', 'numpy'))))"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pacs_panel; {show}"
    result = pytester.run(sys.executable, "-c", code)
    assert result.outlines == ["[]"]


# -- and the checks see what they should -------------------------------------------------------------------------------


def imports_of(module: str, code: str) -> list[Import]:
    modules = dict.fromkeys(["pacs_panel", "pacs_panel.archive", "pacs_panel.dicom.header", "pacs_panel.view"], "")
    return read_imports(modules | {f"pacs_panel.{module}".rstrip("."): code})


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("dicom.header", "from pacs_panel.index import rows"),
        ("dicom.header", "import pacs_panel"),
        ("pixels.decode", "import pacs_panel.dicom"),
        ("keep.pack", "def f():\n    from pacs_panel.index.rows import Row"),
        ("keep.pack", "from pacs_panel import archive"),
        ("keep.pack", "from pacs_panel import open_archive"),
        ("archive", "from pacs_panel.view.image import viewer"),
        ("archive", "from pacs_panel.catalog import entries"),
        ("view.state", "if TYPE_CHECKING:\n    from pacs_panel.archive import Archive"),
        ("view.state", "import importlib\nimportlib.import_module('pacs_panel.archive')"),
        ("serve.app", "from pacs_panel.cli import main"),
        ("nowhere", "import pacs_panel.model"),
    ],
)
def test_a_forbidden_part_is_seen(module, code):
    assert len(list(forbidden_parts(imports_of(module, code)))) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("dicom.header", "from pacs_panel.model import Header\nfrom pacs_panel.dicom import uid"),
        ("volume.write", "from pacs_panel import __version__"),
        ("archive", "def view(self):\n    from pacs_panel.view.image import viewer"),
        ("cli", "import pacs_panel\nfrom pacs_panel import open_archive"),
        ("", "def __getattr__(name):\n    import_module('pacs_panel.archive')"),
    ],
)
def test_an_allowed_part_is_not(module, code):
    assert list(forbidden_parts(imports_of(module, code))) == []


@pytest.mark.parametrize(
    ("module", "code", "expected"),
    [
        ("index.rows", "import sqlalchemy.orm", 0),
        ("indexing", "import sqlalchemy", 1),
        ("archive", "from sqlalchemy import select", 1),
        ("serve.app", "import panel as pn", 0),
        ("serve.frames", "import panel as pn", 1),
        ("pipeline.jobs", "from dask.distributed import Client", 0),
        ("keep.pack", "def f():\n    import zarr", 1),
        ("keep.pack", "import numpy", 0),
    ],
)
def test_a_library_away_from_home_is_seen(module, code, expected):
    assert len(list(forbidden_libraries(imports_of(module, code)))) == expected


def test_cycles_are_seen():
    assert cycles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")]) == [["a", "b", "c"]]
    assert cycles([("a", "b"), ("b", "c"), ("a", "c")]) == []


def test_a_lazy_import_makes_no_cycle():
    modules = {
        "pacs_panel.index.a": "def f():\n    from pacs_panel.index import b",
        "pacs_panel.index.b": "from pacs_panel.index import a",
    }
    assert cycles(runtime_edges(read_imports(modules), modules)) == []
    modules["pacs_panel.index.a"] = "from pacs_panel.index import b"
    assert cycles(runtime_edges(read_imports(modules), modules)) == [["pacs_panel.index.a", "pacs_panel.index.b"]]


def test_docstrings_do_not_make_a_function_long():
    body = "\n".join(["    x = 1"] * 59)
    text = '    """' + "\n    words" * 40 + '"""'
    assert list(long_functions({"m": f"def f():\n{text}\n{body}\n"})) == []
    assert len(list(long_functions({"m": f"def f():\n{text}\n{body}\n    x = 2\n"}))) == 1
