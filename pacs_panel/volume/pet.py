"""What a build keeps of a PET, so that uptake values can follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, BinaryIO, get_args

from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.dicom.said import said
from pacs_panel.errors import PacsPanelError
from pacs_panel.model import ImageHeader, Kept, Location
from pacs_panel.pixels import intensity, suv
from pacs_panel.settings import Settings
from pacs_panel.volume import enhanced_pet

DRUG = "RadiopharmaceuticalInformationSequence"
PRIVATE = tuple((group, element) for _, group, _, element in suv.PRIVATE)
PET, CONVERTED = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1"
MOMENTS = {"AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration"}
NOON = 12  # o'clock
SAME, NEARLY = 1e-9, 1e-3  # relative: factors that agree; and those of moments, which scanners round

Facts = dict[str, Any]


def facts(
    members: Sequence[tuple[Kept, ImageHeader]], opener: Callable[[Location], BinaryIO], settings: Settings
) -> Facts:
    """What uptake values follow from, of a stack of PET images, as plain JSON types; empty for anything else.

    Parameters
    ----------
    members : sequence of (Kept, ImageHeader)
        One a plane.
    opener : callable
        Opens the bytes of one object as a file of its own.

    Returns
    -------
    dict
        Of the first object, as `pacs_panel.pixels.suv.wanted` or `pacs_panel.volume.enhanced_pet.wanted` gives it.
        Where the factors of others are not the same, ``Differing`` holds, by kind of uptake value, the names of what
        objects disagree in.
    """
    if members[0][0].sop_class_uid not in (PET, CONVERTED, enhanced_pet.SOP_CLASS):
        return {}
    told = _advanced(list(_told(members, opener, settings)))
    if not told:
        return {}
    differing = {kind: names for kind in get_args(suv.Kind) if (names := _differing(told, kind))}
    return told[0] | ({"Differing": differing} if differing else {})


def factors(found: Mapping[str, Any], kind: suv.Kind) -> suv.SuvFactor:
    """The factor from physical values to uptake values that holds for all images of a stack.

    Parameters
    ----------
    found : mapping
        As `facts` gives it.

    Raises
    ------
    NoSUV
        They do not follow from the header; or images disagree in what they follow from.
    """
    if names := found.get("Differing", {}).get(kind):
        raise suv.NoSUV(f"images of this stack disagree in {', '.join(names)}, so no factor holds for all of them")
    return enhanced_pet.factors(found, kind) if found.get("Enhanced") else suv.factors(found, kind)


def _told(
    members: Sequence[tuple[Kept, ImageHeader]], opener: Callable[[Location], BinaryIO], settings: Settings
) -> Iterator[Facts]:
    """Facts of each object, parsed once of those that say the same; what cannot be read has none, and no pixels."""
    times = {str(image.order.get("AcquisitionTime", "")) for _, image in members}
    objects: dict[str, tuple[Kept, ImageHeader]] = {}
    for one, image in members:
        objects.setdefault(one.sop_instance_uid, (one, image))
    known: dict[Hashable, list[Facts]] = {}
    for one, image in objects.values():
        try:
            with opener(one.location) as file:
                words = said(file, DRUG, suv.WANTED, PRIVATE, settings) if one.sop_class_uid == PET else None
                dataset = None if words in known else load(file, settings)[0]
        except (PacsPanelError, OSError):
            continue
        if dataset is None:
            yield from known[words]
            continue
        with quiet():
            found = list(_of_object(one.sop_class_uid, dataset, image, times))
        if words is not None:
            known[words] = found
        yield from found


def _advanced(told: list[Facts]) -> list[Facts]:
    """With the date of the next day where images were acquired after midnight, but have the date on which others were.

    They are taken for that where the times of one date are more than half a day apart: no scan lasts as long. Where
    the series states when it began (Series Date and Time) and they are not before that, the date is believed.
    """
    hours = [_hour(one) for one in told]
    early = [hour is not None and hour < NOON for hour in hours]
    known = [hour for hour in hours if hour is not None]
    dates = {one.get("AcquisitionDate") for one in told}
    if len(dates) != 1 or len(known) < len(told) or not known or max(known) - min(known) <= NOON:
        return told
    if not all(_began_later(one) for one, after in zip(told, early, strict=True) if after):
        return told
    try:
        day = datetime.strptime(str(dates.pop()), "%Y%m%d") + timedelta(days=1)
    except ValueError:
        return told
    next_day = {"AcquisitionDate": day.strftime("%Y%m%d")}
    return [one | next_day if after else one for one, after in zip(told, early, strict=True)]


def _began_later(one: Facts) -> bool:
    """Whether the series began after an image of it, as it is stated, was acquired; so too where that is not known."""
    moments = [tuple(str(one.get(f"{of}{what}", "")) for what in ("Date", "Time")) for of in ("Series", "Acquisition")]
    return not all(itertools.chain.from_iterable(moments)) or moments[0] > moments[1]


def _hour(one: Facts) -> int | None:
    text = str(one.get("AcquisitionTime", ""))[:2]
    return int(text) if text.isdecimal() else None


def _of_object(sop_class_uid: str, dataset: Any, image: ImageHeader, times: Iterable[str]) -> Iterator[Facts]:
    if sop_class_uid == enhanced_pet.SOP_CLASS:
        yield enhanced_pet.wanted(dataset, intensity.unit(image, "PT"))
    elif sop_class_uid == CONVERTED:
        yield from (suv.wanted(one, times) for one in enhanced_pet.converted(dataset))
    else:
        yield suv.wanted(dataset, times)


def _differing(told: Sequence[Facts], kind: suv.Kind) -> list[str]:
    """What objects disagree in, where another factor follows from one than from another; else empty."""
    distinct = [dict(pairs) for pairs in dict.fromkeys(tuple(sorted(one.items())) for one in told)]
    names = {key for one in distinct for key in one.keys() | distinct[0].keys() if one.get(key) != distinct[0].get(key)}
    causes = names - MOMENTS or names
    outcomes = [_outcome(one, kind) for one in distinct]
    if len({outcome for outcome in outcomes if isinstance(outcome, str)}) > 1:
        return sorted(causes)
    numbers = [outcome for outcome in outcomes if isinstance(outcome, float)]
    if numbers and len(numbers) < len(outcomes):
        return sorted(causes)
    apart = max(numbers) / min(numbers) - 1 if numbers else 0.0
    return sorted(causes) if apart > (NEARLY if names <= MOMENTS else SAME) else []


def _outcome(one: Facts, kind: suv.Kind) -> float | str:
    """The factor, or why there is none."""
    try:
        return factors(one, kind).factor
    except suv.NoSUV as error:
        return str(error)
