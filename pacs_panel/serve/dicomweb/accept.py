"""What a client takes: media types with their parameters and weights (PS3.18 §8.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from pacs_panel.serve.errors import Refused

COMMA, SEMICOLON = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)'), re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
LONGEST = 4096  # characters
RELATED = "multipart/related"


@dataclass(frozen=True, slots=True)
class Range:
    """One media range: ``media``, of multipart the ``type`` of the parts, and the transfer syntax, empty by default."""

    media: str
    type: str = ""
    syntax: str = ""
    weight: float = 1.0

    def takes(self, media: str) -> bool:
        """Whether it takes a single part of this type."""
        return _within(self.media, media)

    def takes_parts(self, media: str) -> bool:
        """Whether it takes multipart/related with parts of this type."""
        return _within(self.media, RELATED) and _within(self.type or "*/*", media)


def _within(asked: str, media: str) -> bool:
    return asked in ("*/*", media) or (asked.endswith("/*") and media.startswith(asked[:-1]))


def accepted(request: Request) -> list[Range]:
    """The media ranges of a request, the most wanted first: of the query parameter ``accept``, else of the header."""
    text = ",".join(request.query_params.getlist("accept")) or request.headers.get("accept", "") or "*/*"
    if len(text) > LONGEST:
        raise Refused(400, "the Accept header is too long", "name fewer media types")
    found = [_range(part.strip()) for part in COMMA.split(text) if part.strip()]
    return sorted((one for one in found if one.weight > 0), key=lambda one: -one.weight)


def _range(text: str) -> Range:
    media, *rest = (part.strip() for part in SEMICOLON.split(text))
    named = {k.strip().lower(): v.strip().strip('"') for k, _, v in (part.partition("=") for part in rest)}
    try:
        weight = float(named.get("q", 1))
    except ValueError:
        weight = 1.0
    return Range(media.lower(), named.get("type", "").lower(), named.get("transfer-syntax", ""), weight)


def choose(request: Request, offers: Sequence[str]) -> str:
    """The first of ``offers``, single-part media types, that the most wanted range takes; 406 where none does."""
    for one in accepted(request):
        for offer in offers:
            if one.takes(offer):
                return offer
    raise not_acceptable(f"there is {', '.join(offers)} here")


def not_acceptable(why: str) -> Refused:
    """The answer to a request for what cannot be had."""
    return Refused(406, f"none of the media types that are accepted can be had: {why}", "see Accept, PS3.18 §8.7")
