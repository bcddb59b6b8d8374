"""Presentation states: how somebody wanted images to be seen, as a description (PS3.3 §A.33, §C.10, §C.11)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from pacs_panel.dicom import tables
from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.overlay import colours
from pacs_panel.overlay.colours import Colour
from pacs_panel.overlay.documents.fields import (
    Head,
    Referenced,
    head,
    in_series,
    integer,
    items,
    references,
)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class DisplayedArea:
    """What part of which images fills the display (PS3.3 §C.10.4).

    Attributes
    ----------
    top_left, bottom_right : tuple of 2 ints
        (column, row) of the pixels in these corners *after* the spatial transformation, counted from 0, both shown.
    size : str
        ``SCALE TO FIT``, ``TRUE SIZE`` or ``MAGNIFY``.
    magnification : float, optional
    images : tuple of Referenced
        Empty: all of them.
    """

    top_left: tuple[int, int]
    bottom_right: tuple[int, int]
    size: str = ""
    magnification: float | None = None
    images: tuple[Referenced, ...] = ()


@dataclass(frozen=True, slots=True)
class Graphic:
    """A figure drawn on images (PS3.3 §C.10.5).

    Attributes
    ----------
    layer : str
    shape : str
        ``POINT``, ``POLYLINE``, ``INTERPOLATED``, ``CIRCLE`` (centre, then a point of the circumference) or
        ``ELLIPSE`` (ends of the major, then of the minor axis).
    points : tuple of (column, row)
        Pixel centres counted from 0, sub-pixel, where ``units`` is ``PIXEL`` or ``MATRIX``; fractions of the displayed
        area from its top left corner where it is ``DISPLAY``: `on_image` makes pixels of these.
    units : str
    filled : bool
    images : tuple of Referenced
        Empty: all that the presentation state refers to.
    """

    layer: str
    shape: str
    points: tuple[Point, ...]
    units: str
    filled: bool = False
    images: tuple[Referenced, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """Text on images: at an anchor point, or in a box, in the units of `Graphic`; ``pointing``: the anchor is shown."""

    layer: str
    text: str
    anchor: Point | None
    box: tuple[Point, Point] | None
    units: str
    box_units: str
    images: tuple[Referenced, ...] = ()
    pointing: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window, or a table, for some images; ``explanation`` may be empty.

    A table has ``first`` and ``greys``, as `pacs_panel.dicom.tables.voi` gives them; no ``greys`` where it is damaged.
    """

    centre: float | None
    width: float | None
    explanation: str
    function: str
    table: bool = False
    images: tuple[Referenced, ...] = ()
    first: int = 0
    greys: bytes = b""


@dataclass(frozen=True, slots=True)
class Shutter:
    """Outside of what nothing is shown: of all of these, where there are several (PS3.3 §C.7.6.11).

    Pixels count from 0, from the centre of the first.

    Attributes
    ----------
    rectangle : tuple of 4 floats, optional
        Outer edges: left, top, right, bottom.
    circle : tuple of 3 floats, optional
        Column and row of the centre; radius in pixels along a row.
    polygon : tuple of (column, row)
    grey : int
        0 to 255, of what is covered.
    """

    rectangle: tuple[float, float, float, float] | None = None
    circle: tuple[float, float, float] | None = None
    polygon: tuple[Point, ...] = ()
    grey: int = 0


@dataclass(frozen=True, slots=True)
class PresentationState:
    """How images are to be shown; the images themselves are left as they are.

    Attributes
    ----------
    head : Head
    label, text, creator : str
        Content Label, Content Description, Content Creator's Name.
    images : tuple of Referenced
    areas : tuple of DisplayedArea
    rotation : int
        Degrees, clockwise; then ``flipped`` about the vertical.
    windows : tuple of Window
        Empty: as the images say.
    shape : str
        Presentation LUT Shape, such as ``INVERSE``.
    palette : str
        Name of the colours of a pseudo-colour state.
    blending : tuple of str
        Of a blending state: what lies under and over, in words.
    shutters : tuple of str
        Shapes outside of which nothing is shown.
    layers : tuple of str
        Graphic layers, bottom first.
    layer_colours : tuple of (str and Colour)
        Of the layers that recommend one.
    shutter : Shutter, optional
        The same shapes, with their places.
    rescale : tuple of 2 floats, optional
        Slope and intercept that its windows are told after; absent where it has no modality transform.
    unread : tuple of str
        What else it holds that changes what is seen, in words.
    graphics : tuple of Graphic
    labels : tuple of Label
    """

    head: Head
    label: str
    text: str
    creator: str
    images: tuple[Referenced, ...]
    areas: tuple[DisplayedArea, ...] = ()
    rotation: int = 0
    flipped: bool = False
    windows: tuple[Window, ...] = ()
    shape: str = ""
    palette: str = ""
    blending: tuple[str, ...] = ()
    shutters: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    graphics: tuple[Graphic, ...] = ()
    labels: tuple[Label, ...] = ()
    layer_colours: tuple[tuple[str, Colour], ...] = ()
    shutter: Shutter | None = None
    rescale: tuple[float, float] | None = None
    unread: tuple[str, ...] = ()

    def area(self, sop_instance_uid: str) -> DisplayedArea | None:
        """The displayed area that counts for an image."""
        named = (a for a in self.areas if any(r.sop_instance_uid == sop_instance_uid for r in a.images))
        return next(named, next((a for a in self.areas if not a.images), None))

    def on_image(self, points: tuple[Point, ...], units: str, sop_instance_uid: str) -> tuple[Point, ...] | None:
        """Points of a figure as (column, row) of an image's pixel centres counted from 0.

        ``None`` where they are fractions of a displayed area that the state does not tell.
        """
        if units != "DISPLAY":
            return points
        area = self.area(sop_instance_uid)
        if area is None:
            return None
        # The corners are named after the transformation, so they carry its direction (PS3.3 §C.10.4).
        columns = _edges(area.top_left[0], area.bottom_right[0])
        rows = _edges(area.top_left[1], area.bottom_right[1])
        turned = self.rotation in (90, 270)
        return tuple((_along(columns, y if turned else x), _along(rows, x if turned else y)) for x, y in points)


def presentation(dataset: Dataset) -> PresentationState:
    """A presentation state from its data set."""
    spatial = ("ImageRotation", "ImageHorizontalFlip")
    annotations = items(dataset, "GraphicAnnotationSequence")
    return PresentationState(
        head(dataset),
        text_of(dataset, "ContentLabel"),
        text_of(dataset, "ContentDescription"),
        text_of(dataset, "ContentCreatorName"),
        _images(dataset),
        tuple(_area(one) for one in items(dataset, "DisplayedAreaSelectionSequence")),
        integer(dataset, spatial[0]) % 360,
        text_of(dataset, spatial[1]) == "Y",
        tuple(w for one in items(dataset, "SoftcopyVOILUTSequence") for w in _windows(dataset, one)),
        text_of(dataset, "PresentationLUTShape"),
        text_of(dataset, "PaletteColorLookupTableUID") or _palette(dataset),
        tuple(_blended(one) for one in items(dataset, "BlendingSequence")),
        tuple(part.lower() for part in text_of(dataset, "ShutterShape").split("\\") if part),
        _layers(dataset),
        tuple(graphic for one in annotations for graphic in _graphics(one)),
        tuple(label for one in annotations for label in _labels(one)),
        _layer_colours(dataset),
        _shutter(dataset),
        _rescale(dataset),
        _unread(dataset),
    )


# What a state may hold beside what `PresentationState` tells: an element that shows it, and words for it.
FURTHER = {
    "ModalityLUTSequence": "a modality table",
    "PresentationLUTSequence": "a presentation table",
    "MaskSubtractionSequence": "subtraction",
    "ShutterOverlayGroup": "a shutter that is an overlay plane",
}


def _unread(dataset: Dataset) -> tuple[str, ...]:
    found = [words for keyword, words in FURTHER.items() if keyword in dataset]
    if any("CompoundGraphicSequence" in one for one in items(dataset, "GraphicAnnotationSequence")):
        found.append("compound figures")
    if any(0x6000 <= element.tag.group <= 0x60FF and element.tag.elem == 0x1001 for element in dataset):
        found.append("overlay planes")  # activated on a layer (PS3.3 §C.11.7)
    return tuple(found)


def _rescale(dataset: Dataset) -> tuple[float, float] | None:
    slope, intercept = (number_of(dataset, f"Rescale{what}") for what in ("Slope", "Intercept"))
    return None if slope is None or intercept is None else (slope, intercept)


def _layer_colours(dataset: Dataset) -> tuple[tuple[str, Colour], ...]:
    found = []
    for one in items(dataset, "GraphicLayerSequence"):
        colour = colours.from_cielab(numbers_of(one, "GraphicLayerRecommendedDisplayCIELabValue", 3) or ())
        if colour is not None:
            found.append((text_of(one, "GraphicLayer"), colour))
    return tuple(found)


def _shutter(dataset: Dataset) -> Shutter | None:
    shapes = text_of(dataset, "ShutterShape").split("\\")
    edges = [
        number_of(dataset, f"Shutter{edge}Edge")
        for edge in ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
    ]
    rectangle = circle = None
    if "RECTANGULAR" in shapes and None not in edges:
        left, top, right, bottom = (float(edge or 0) for edge in edges)
        rectangle = (left - 1.5, top - 1.5, right - 0.5, bottom - 0.5)
    centre, radius = numbers_of(dataset, "CenterOfCircularShutter", 2), number_of(dataset, "RadiusOfCircularShutter")
    if "CIRCULAR" in shapes and centre and radius:
        circle = (centre[1] - 1, centre[0] - 1, radius)
    corners = numbers_of(dataset, "VerticesOfThePolygonalShutter") or () if "POLYGONAL" in shapes else ()
    polygon = tuple((column - 1, row - 1) for row, column in zip(corners[::2], corners[1::2], strict=False))
    if rectangle is None and circle is None and len(polygon) < 3:
        return None
    grey = integer(dataset, "ShutterPresentationValue")
    return Shutter(rectangle, circle, polygon if len(polygon) >= 3 else (), min(255, max(0, grey) >> 8))


def _images(dataset: Dataset) -> tuple[Referenced, ...]:
    blended = [r for one in items(dataset, "BlendingSequence") for r in in_series(one, "ReferencedImageSequence")]
    return (*in_series(dataset, "ReferencedImageSequence"), *blended)


def _area(one: Dataset) -> DisplayedArea:
    corners = []
    for keyword in ("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner"):
        column, row = numbers_of(one, keyword, 2) or (1.0, 1.0)
        corners.append((int(column) - 1, int(row) - 1))
    return DisplayedArea(
        corners[0],
        corners[1],
        text_of(one, "PresentationSizeMode"),
        number_of(one, "PresentationPixelMagnificationRatio"),
        references(one, "ReferencedImageSequence"),
    )


def _windows(dataset: Dataset, one: Dataset) -> list[Window]:
    images = references(one, "ReferencedImageSequence")
    function = text_of(one, "VOILUTFunction") or "LINEAR"
    centres, widths = numbers_of(one, "WindowCenter") or (), numbers_of(one, "WindowWidth") or ()
    names = text_of(one, "WindowCenterWidthExplanation").split("\\")
    names += [""] * len(centres)
    found = [
        Window(centre, width, names[n], function, images=images)
        for n, (centre, width) in enumerate(zip(centres, widths, strict=False))
    ]
    rescale = _rescale(dataset)
    signed = rescale is not None and (rescale[1] < 0 or rescale[0] < 0)
    for item in items(one, "VOILUTSequence"):
        single = Dataset()
        single.VOILUTSequence = [item]
        _, first, greys = next(iter(tables.voi(single, signed=signed)), ("", 0, b""))
        words = text_of(item, "LUTExplanation")
        found.append(Window(None, None, words, "", table=True, images=images, first=first, greys=greys))
    return found


def _palette(dataset: Dataset) -> str:
    return "its own colours" if "RedPaletteColorLookupTableDescriptor" in dataset else ""


def _blended(one: Dataset) -> str:
    images = in_series(one, "ReferencedImageSequence")
    return f"{text_of(one, 'BlendingPosition').lower() or 'blended'}: {len(images)} images"


def _layers(dataset: Dataset) -> tuple[str, ...]:
    found = items(dataset, "GraphicLayerSequence")
    return tuple(text_of(one, "GraphicLayer") for one in sorted(found, key=lambda o: integer(o, "GraphicLayerOrder")))


def _graphics(annotation: Dataset) -> list[Graphic]:
    images, layer = references(annotation, "ReferencedImageSequence"), text_of(annotation, "GraphicLayer")
    found = []
    for one in items(annotation, "GraphicObjectSequence"):
        units = text_of(one, "GraphicAnnotationUnits")
        points = _points(numbers_of(one, "GraphicData") or (), units)
        filled = text_of(one, "GraphicFilled") == "Y"
        found.append(Graphic(layer, text_of(one, "GraphicType"), points, units, filled, images))
    return found


def _labels(annotation: Dataset) -> list[Label]:
    images, layer = references(annotation, "ReferencedImageSequence"), text_of(annotation, "GraphicLayer")
    found = []
    for one in items(annotation, "TextObjectSequence"):
        units, box_units = text_of(one, "AnchorPointAnnotationUnits"), text_of(one, "BoundingBoxAnnotationUnits")
        anchor = _points(numbers_of(one, "AnchorPoint", 2) or (), units)
        corners = [numbers_of(one, f"BoundingBox{c}HandCorner", 2) or () for c in ("TopLeft", "BottomRight")]
        box = _points(tuple(number for corner in corners for number in corner), box_units)
        text = text_of(one, "UnformattedTextValue").replace("\r\n", "\n")
        found.append(
            Label(
                layer,
                text,
                anchor[0] if anchor else None,
                (box[0], box[1]) if len(box) == 2 else None,
                units,
                box_units,
                images,
                text_of(one, "AnchorPointVisibility") == "Y",
            )
        )
    return found


def _points(numbers: tuple[float, ...], units: str) -> tuple[Point, ...]:
    """Pairs; DICOM counts pixels from the first one's corner, we from its centre."""
    shift = 0.0 if units == "DISPLAY" else 0.5
    pairs = zip(numbers[::2], numbers[1::2], strict=False)
    return tuple((column - shift, row - shift) for column, row in pairs)


def _edges(first: int, last: int) -> tuple[float, float]:
    """Outer edges of a range of pixels, in the order in which they are shown."""
    half = 0.5 if last >= first else -0.5
    return first - half, last + half


def _along(edges: tuple[float, float], fraction: float) -> float:
    return edges[0] + fraction * (edges[1] - edges[0])
