"""Phantom series as kept objects in memory, and their build."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from pydicom import Dataset

from pacs_panel.dicom.header import read
from pacs_panel.model import Digests, ImageHeader, Kept, Location, Revision
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, encode
from pacs_panel.volume.build import build

SETTINGS = Settings()


class Objects:
    """Kept objects whose bytes are in memory; an instance is the opener."""

    def __init__(self, datasets: Sequence[Dataset | bytes]) -> None:
        self.files = [data if isinstance(data, bytes) else encode(data) for data in datasets]
        self.kept = [self._keep(number, data) for number, data in enumerate(self.files)]

    def _keep(self, number: int, data: bytes) -> Kept:
        header = read(io.BytesIO(data), len(data), SETTINGS)
        assert header.image is not None
        digest = hashlib.sha256(data).hexdigest()
        return Kept(
            sop_instance_uid=header.identity.sop_instance_uid,
            sop_class_uid=header.identity.sop_class_uid,
            series_key="k",
            transfer_syntax=header.identity.transfer_syntax,
            location=Location(str(number), 0, len(data)),
            digests=Digests(digest, hashlib.sha256(data[header.dataset_offset :]).hexdigest()),
            dataset_offset=header.dataset_offset,
            received=0,
            current=True,
            image=header.image,
        )

    def __call__(self, location: Location) -> BinaryIO:
        return io.BytesIO(self.files[int(location.path)])

    def change(self, number: int, **changes: Any) -> None:
        """Let the header of one object say something else."""
        one = self.kept[number]
        assert one.image is not None
        self.kept[number] = replace(one, image=replace(one.image, **changes))

    def build(
        self, target: Path, order: Callable[[list[Kept]], list[Kept]] = list, settings: Settings = SETTINGS
    ) -> Revision:
        return build("k", order(self.kept), self, target, settings)


def built(series: PhantomSeries, target: Path) -> Revision:
    """The revision of a phantom series, at ``target``."""
    return Objects(series.datasets).build(target)


def image_of(one: Kept) -> ImageHeader:
    assert one.image is not None
    return one.image
