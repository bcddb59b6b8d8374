"""What a test needs to know of a Markdown file: its fenced blocks, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)|<(?:img|a)\b[^>]*\b(?:src|href)=\"(?P<html>[^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$", re.MULTILINE)
COMMAND = "$ "


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``line`` is that of its first line of code, from 1."""

    language: str
    code: str
    line: int

    def commands(self) -> Iterator[tuple[int, str]]:
        """Line and text of each ``$ command`` of a console block, continuation lines joined."""
        lines = iter(enumerate(self.code.splitlines(), self.line))
        for number, line in lines:
            if line.startswith(COMMAND):
                command = line.removeprefix(COMMAND)
                while command.endswith("\\"):
                    command = command[:-1] + next(lines)[1].strip()
                yield number, command.partition("  #")[0].strip()


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in order."""
    return [Block(m["language"], m["code"], text.count("\n", 0, m.start("code")) + 1) for m in FENCE.finditer(text)]


def links(text: str) -> list[str]:
    """The targets of all links and pictures outside fenced blocks."""
    return [m["target"] or m["html"] for m in LINK.finditer(FENCE.sub("", text))]


def anchors(text: str) -> set[str]:
    """What ``#fragment`` may name: each heading in lower case, without punctuation, dashes for spaces."""
    titles = (m["title"].lower() for m in HEADING.finditer(FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
