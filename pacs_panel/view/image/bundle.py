"""The viewer's JavaScript, kept as several plain modules, as the one module that Panel loads.

Panel takes a component's code as a single text, in a page and in a notebook alike, where a relative import has nothing
to be relative to. So the modules, which import only one another, are joined in the order of their imports and share one
scope; a name may therefore stand at the top level of one of them only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "js"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<file>[\w.-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def bundle(entry: str = "viewer.js", sources: Path = SOURCES, *shared: Path) -> str:
    """The text of ``entry`` and of all it imports, as one module that exports what ``entry`` exports.

    What is not in ``sources`` is looked for in the ``shared`` folders.
    """
    folders = (sources, *shared)
    parts = [_body(file, folders, keep_exports=file == entry) for file in in_order(entry, *folders)]
    return "\n".join(parts)


def in_order(entry: str, *sources: Path) -> tuple[str, ...]:
    """The files that ``entry`` needs, each after those it imports, ``entry`` last.

    Raises
    ------
    ValueError
        Where modules import each other in a circle, or declare the same name at top level.
    """
    done: list[str] = []
    _visit(entry, sources, done, ())
    names = [name for file in done for name in DECLARED.findall(_text(file, sources))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"declared in more than one module: {', '.join(twice)}")
    return tuple(done)


def _text(file: str, sources: Sequence[Path]) -> str:
    found = (folder / file for folder in sources or (SOURCES,))
    return next((path for path in found if path.exists()), Path(file)).read_text("utf-8")


def _visit(file: str, sources: Sequence[Path], done: list[str], above: tuple[str, ...]) -> None:
    if file in above:
        raise ValueError(f"modules import each other: {' -> '.join((*above, file))}")
    if file in done:
        return
    for match in IMPORT.finditer(_text(file, sources)):
        _visit(match["file"], sources, done, (*above, file))
    done.append(file)


def _body(file: str, sources: Sequence[Path], keep_exports: bool) -> str:
    text = IMPORT.sub("", _text(file, sources))
    return f"// {file}\n{text if keep_exports else EXPORT.sub('', text)}"
