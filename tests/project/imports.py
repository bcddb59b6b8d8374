"""What a module imports, read from its source with `ast`: at the top, inside functions, and for types only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "pacs_panel"


@dataclass(frozen=True, slots=True)
class Import:
    """``module`` imports ``target`` in ``line``; ``lazy`` inside a function, ``typing`` under ``TYPE_CHECKING``."""

    module: str
    target: str
    line: int
    lazy: bool = False
    typing: bool = False
    relative: bool = False

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: imports {self.target}"


def module_name(path: Path, root: Path = ROOT) -> str:
    """``pacs_panel/dicom/__init__.py`` is ``pacs_panel.dicom``."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_sources(root: Path = ROOT) -> dict[str, str]:
    """Module name to source, of the whole package."""
    return {module_name(path, root): path.read_text("utf-8") for path in sorted((root / PACKAGE).rglob("*.py"))}


@lru_cache(maxsize=2048)
def tree(source: str) -> ast.Module:
    """A source, parsed once for all rules."""
    return ast.parse(source)


def read_imports(sources: Mapping[str, str]) -> list[Import]:
    """All imports of all modules. ``from package import name`` targets ``package.name`` where that is a module."""
    return [found for module, source in sources.items() for found in _walk(module, tree(source), sources)]


def _walk(
    module: str, node: ast.AST, modules: Mapping[str, str], lazy: bool = False, typing: bool = False
) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(module, alias.name, node.lineno, lazy, typing)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        for alias in node.names:
            name = f"{base}.{alias.name}"
            target = name if name in modules or base == PACKAGE else base
            yield Import(module, target, node.lineno, lazy, typing, relative=node.level > 0)
    elif isinstance(node, ast.Call) and _is_import_call(node):
        yield Import(module, str(node.args[0].value), node.lineno, lazy, typing)  # type: ignore[attr-defined]
    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        for child in node.body:
            yield from _walk(module, child, modules, inside, True)
        for child in node.orelse:
            yield from _walk(module, child, modules, inside, typing)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(module, child, modules, inside, typing)


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return (
        name in ("import_module", "__import__")
        and bool(node.args)
        and isinstance(getattr(node.args[0], "value", 0), str)
    )


def cycles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of two or more modules that reach each other (strongly connected components, Tarjan 1972)."""
    graph: dict[str, set[str]] = {}
    for source, target in edges:
        graph.setdefault(source, set()).add(target)
        graph.setdefault(target, set())
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1 or node in graph[node]:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups
