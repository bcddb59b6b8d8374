"""What a page about a document is made of: plain values, each drawn in one way. All words in them are text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Block = dict[str, Any]
Fact = tuple[str, str]

MOST_ROWS = 1000
MOST_NODES = 5000


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[Block]:
    """A table, without the columns in which nothing stands; no block where there are no rows."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    filled = [n for n in range(len(columns)) if any(row[n] for row in cells)]
    shown = [[row[n] for n in filled] for row in cells[:MOST_ROWS]]
    block = {
        "form": "table", "title": title, "columns": [columns[n] for n in filled], "rows": shown,
        "more": len(cells) - len(shown),
    }  # fmt: skip
    return [block] if filled else []


def tree(title: str, root: Any) -> Block:
    """A content tree, from its root; of very many items the first ones."""
    count = [0]
    return {"form": "tree", "title": title, "root": _node(root, count), "more": max(0, count[0] - MOST_NODES)}


def _node(node: Any, count: list[int]) -> Block:
    count[0] += 1
    inside = []
    for child in node.children:
        if count[0] < MOST_NODES:
            inside.append(_node(child, count))
        else:
            count[0] += sum(1 for _ in child.walk())
    code = node.name
    return {
        "name": str(code or ""),
        "code": f"({code.value}, {code.scheme})" if code else "",
        "type": node.type,
        "relation": node.relationship.lower(),
        "value": node.value,
        "children": inside,
    }


def words(title: str, text: str) -> list[Block]:
    """A paragraph; no block where there is no text."""
    return [{"form": "words", "title": title, "text": text}] if text else []


def links(title: str, found: Sequence[Block]) -> list[Block]:
    """Series that are here, each with a way to it, and what is not here."""
    return [{"form": "links", "title": title, "links": list(found)}] if found else []


def pdf(title: str, address: str) -> Block:
    """A PDF, shown where it stands."""
    return {"form": "pdf", "title": title, "href": address}


def download(title: str, address: str, size: int) -> Block:
    """A file to take away."""
    return {"form": "download", "title": title, "href": address, "size": size}


def waves(group: Any, number: int, address: str) -> Block:
    """Channels that were sampled together, on one axis of time."""
    return {
        "form": "waves",
        "title": group.label or f"Group {number + 1}",
        "channels": [{"label": channel.label, "unit": channel.unit.replace("uV", "µV")} for channel in group.channels],
        "samples": group.samples,
        "frequency": group.frequency,
        "start": group.start,
        "note": group.note,
        "href": f"{address}/waveform/{number}",
    }
