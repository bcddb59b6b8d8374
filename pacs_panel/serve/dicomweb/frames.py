"""WADO-RS: frames, pictures and thumbnails of what was received (PS3.18 §10.4.1.1.6, §10.4.1.1.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response

from pacs_panel.archive import Archive
from pacs_panel.errors import BadPixels, BadQuery, NotFound
from pacs_panel.pixels.decode import why_not
from pacs_panel.pixels.frame_bytes import check_frame, compressed
from pacs_panel.pixels.intensity import FUNCTIONS, Window
from pacs_panel.pixels.render import View
from pacs_panel.serve.dicomweb import asked
from pacs_panel.serve.dicomweb.accept import Range, accepted, not_acceptable
from pacs_panel.serve.dicomweb.asked import Found
from pacs_panel.serve.dicomweb.multipart import Part, related
from pacs_panel.serve.dicomweb.retrieve import EXPLICIT_LE, OCTETS

UID = "1.2.840.10008.1.2."
# Media types of stored frames (PS3.18 §8.7.3.3.2).
STORED = {
    **dict.fromkeys((f"{UID}4.{n}" for n in ("50", "51", "57", "70")), "image/jpeg"),
    **dict.fromkeys((f"{UID}4.{n}" for n in ("80", "81")), "image/jls"),
    **dict.fromkeys((f"{UID}4.{n}" for n in ("90", "91")), "image/jp2"),
    **dict.fromkeys((f"{UID}4.{n}" for n in ("92", "93")), "image/jpx"),
    **dict.fromkeys((f"{UID}4.{n}" for n in ("110", "111", "112")), "image/jxl"),
    **dict.fromkeys((f"{UID}4.{n}" for n in ("201", "202", "203")), "image/jphc"),
    UID + "5": "image/dicom-rle",
}
PICTURES: dict[str, Literal["jpeg", "png"]] = {"image/jpeg": "jpeg", "image/png": "png"}
THUMBNAIL, MOST_SIDE, MOST_FRAMES = 128, 16384, 100_000
INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


def frame_routes(asking: Callable[..., Archive]) -> APIRouter:
    """The routes that give frames, and pictures of frames, instances, series and studies."""
    routes = APIRouter()
    as_asking: Any = Depends(asking)

    @routes.get(INSTANCE + "/frames/{numbers}")
    def some(
        request: Request, study: str, series: str, instance: str, numbers: str, archive: Archive = as_asking
    ) -> Response:
        return frames(request, archive, asked.instance(archive, study, series, instance), numbers)

    @routes.get(INSTANCE + "/frames/{numbers}/rendered")
    def frame_rendered(
        request: Request, study: str, series: str, instance: str, numbers: str, archive: Archive = as_asking
    ) -> Response:
        found = asked.instance(archive, study, series, instance)
        return rendered(request, archive, [(found, index) for index in indices(found, numbers)])

    @routes.get(INSTANCE + "/frames/{numbers}/thumbnail")
    def frame_thumbnail(
        request: Request, study: str, series: str, instance: str, numbers: str, archive: Archive = as_asking
    ) -> Response:
        found = asked.instance(archive, study, series, instance)
        return thumbnail(request, archive, [found], indices(found, numbers)[0])

    for path in ("/studies/{study}", "/studies/{study}/series/{series}", INSTANCE):
        routes.add_api_route(path + "/rendered", _of_any(as_asking, rendered_of), methods=["GET"])
        routes.add_api_route(path + "/thumbnail", _of_any(as_asking, thumbnail), methods=["GET"])
    return routes


def _of_any(as_asking: Any, answer: Callable[[Request, Archive, list[Found]], Response]) -> Callable[..., Response]:
    """A route over what a path names at any level: its objects that are images."""

    def route(request: Request, archive: Archive = as_asking) -> Response:
        uids = request.path_params
        study, series, instance = uids["study"], uids.get("series", ""), uids.get("instance", "")
        if instance:
            found = [asked.instance(archive, study, series, instance)]
        else:
            found = list(asked.objects(archive, study, series))
        if not (images := [one for one in found if one.kept.image is not None]):
            raise not_acceptable("there are no images among what is asked for")
        return answer(request, archive, images)

    return route


# -- frames ------------------------------------------------------------------------------------------------------------


def indices(found: Found, text: str) -> list[int]:
    """Frames from 0, of a list of numbers from 1.

    Raises
    ------
    BadQuery, NotFound
    """
    image = found.kept.image
    if image is None:
        raise NotFound(f"object {found.kept.sop_instance_uid} has no frames")
    parts = text.split(",")
    if len(parts) > MOST_FRAMES or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise BadQuery("frames: whole numbers from 1 on, with commas between them")
    for part in parts:
        check_frame(image, int(part) - 1)
    return [int(part) - 1 for part in parts]


def frames(request: Request, archive: Archive, found: Found, text: str) -> Response:
    """Frames without compression, or as they are stored."""
    wanted = indices(found, text)
    chosen, media = _form(found, accepted(request))
    where = asked.address(asked.base(request), found.study, found.series, found.kept.sop_instance_uid) + "/frames"

    def one(index: int) -> bytes:
        return _stored(archive, found, index) if media != OCTETS else archive.decoding.frame(found.kept, index)

    first = one(wanted[0])
    if len(wanted) == 1 and chosen.takes(media) and not chosen.takes_parts(media):
        return Response(first, media_type=media)
    kind = media if media == OCTETS else f"{media}; transfer-syntax={found.kept.transfer_syntax}"

    def parts() -> Iterator[Part]:
        for number, index in enumerate(wanted):
            yield Part(kind, [one(index) if number else first], f"{where}/{index + 1}")

    return related(parts(), media)


def _form(found: Found, ranges: list[Range]) -> tuple[Range, str]:
    """The range that is served, and the media type of frames."""
    stored = found.kept.transfer_syntax
    compressed_as, why = STORED.get(stored, ""), why_not(stored)
    for one in ranges:
        if compressed_as and _takes(one, compressed_as):
            as_stored = one.syntax in ("*", stored)
            if as_stored or (not one.syntax and compressed_as in (one.media, one.type)):
                return one, compressed_as
        if one.syntax in ("", "*", EXPLICIT_LE) and _takes(one, OCTETS) and not why:
            return one, OCTETS
    raise not_acceptable(why or f"frames are {OCTETS}{' or ' * bool(compressed_as)}{compressed_as}")


def _takes(one: Range, media: str) -> bool:
    return one.takes(media) or one.takes_parts(media)


def _stored(archive: Archive, found: Found, index: int) -> bytes:
    assert found.kept.image is not None
    with archive.original(found.kept) as source:
        data = compressed(found.kept.image, source, index)
    if not data:
        raise BadPixels(f"the pixel data end before frame {index + 1}")
    return data


# -- pictures ----------------------------------------------------------------------------------------------------------


def rendered_of(request: Request, archive: Archive, images: list[Found]) -> Response:
    """Pictures of all frames as parts, or one that stands for all where parts are not taken."""
    every = [(one, index) for one in images for index in range(one.kept.image.frames if one.kept.image else 0)]
    return rendered(request, archive, every)


def rendered(request: Request, archive: Archive, wanted: list[tuple[Found, int]]) -> Response:
    """Pictures with the window, the size and the quality that are asked for."""
    chosen, media = _picture_form(accepted(request))
    view = view_of(request.query_params, PICTURES[media])

    def one(found: Found, index: int) -> bytes:
        return archive.decoding.picture(found.kept, index, found.modality, view)

    if chosen.takes(media):
        return Response(one(*wanted[len(wanted) // 2]), media_type=media)
    first = one(*wanted[0])
    parts = (Part(media, [one(*each) if number else first]) for number, each in enumerate(wanted))
    return related(parts, media)


def thumbnail(request: Request, archive: Archive, images: list[Found], index: int | None = None) -> Response:
    """A small picture of the middle frame of the middle object."""
    _, media = _picture_form(accepted(request))
    found = images[len(images) // 2]
    if index is None:
        index = found.kept.image.frames // 2 if found.kept.image else 0
    query = {"viewport": f"{THUMBNAIL},{THUMBNAIL}", **request.query_params}
    view = view_of(query, PICTURES[media])
    return Response(archive.decoding.picture(found.kept, index, found.modality, view), media_type=media)


def _picture_form(ranges: list[Range]) -> tuple[Range, str]:
    for one in ranges:
        for media in PICTURES:
            if one.takes(media) or one.takes_parts(media):
                return one, media
    raise not_acceptable(f"pictures are {' or '.join(PICTURES)}")


def view_of(query: Mapping[str, str], form: Literal["jpeg", "png"]) -> View:
    """How a picture is made, from ``window``, ``viewport`` and ``quality`` (PS3.18 §8.3.5).

    Raises
    ------
    BadQuery
    """
    size, region = _viewport(query.get("viewport", ""))
    quality = query.get("quality", "90")
    if not (quality.isascii() and quality.isdigit() and 1 <= int(quality[:4]) <= 100):
        raise BadQuery("quality: a whole number from 1 to 100")
    return View(form, int(quality), window_of(query.get("window", "")), size, region)


def window_of(text: str) -> Window | None:
    """A window from ``centre,width,function``."""
    if not text:
        return None
    centre, width, *rest = [*text.split(","), ""]
    function = (rest[0] or "LINEAR").upper().replace("-", "_")
    try:
        window = Window(float(centre), float(width), "asked for", function)
    except ValueError:
        raise BadQuery("window: centre, width and function, with commas between them") from None
    if function not in FUNCTIONS or not (0 < window.width < 1e30 and abs(window.centre) < 1e30):
        raise BadQuery("window: a width above 0, and linear, linear-exact or sigmoid")
    return window


def _viewport(text: str) -> tuple[tuple[int, int] | None, tuple[int, int, int, int]]:
    if not text:
        return None, (0, 0, 0, 0)
    try:
        numbers = [int(float(part or 0)) for part in text.split(",")]
    except (ValueError, OverflowError):
        numbers = []
    if len(numbers) not in (2, 4, 6) or not all(0 <= number <= MOST_SIDE for number in numbers) or 0 in numbers[:2]:
        raise BadQuery(f"viewport: width and height up to {MOST_SIDE}, then left, top, width and height of the region")
    left, top, width, height = [*numbers[2:], 0, 0, 0, 0][:4]
    return (numbers[0], numbers[1]), (left, top, width, height)
