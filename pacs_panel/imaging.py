"""The volumes of an archive, what lies on them, and their frames for whoever draws them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_panel.cohort.keeping import Cohorts
from pacs_panel.errors import NotFound, NotYetShown
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Overlay, Revision
from pacs_panel.overlay.frames import OverlayFrames
from pacs_panel.pipeline.overlays import MODALITIES
from pacs_panel.pipeline.value_maps import with_others
from pacs_panel.pixels.decode import is_compressed
from pacs_panel.storage import layout
from pacs_panel.volume.cached import CachedFrames, number_of
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.received import PREFIX, Received, ReceivedFrames, received

if TYPE_CHECKING:
    import xarray as xr


class Volumes(Cohorts):
    """What shows the images of an archive; see `pacs_panel.archive.Archive`."""

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series, or an older one by its id.

        Raises
        ------
        NotYetShown
            It is not built yet, or nothing of its kind is.
        """
        found = self._index.revision(str(self.find(uid)["key"]), revision)
        if found is None and revision:
            raise NotFound(f"series {uid} has no revision {revision}; ask for its current one")
        if found is None:
            raise NotYetShown(f"series {uid} is kept, its volume is not built yet; `pacs-panel build` builds it")
        return found

    def stack_path(self, uid: str, stack: int | None = None, revision: str | None = None) -> Path:
        """Folder of the OME-Zarr of a stack; ``stack`` may be left out where there is only one. Raises as `volume`."""
        found = self.revision(uid, revision)
        return self.root / layout.stack(found.series_key, found.revision, number_of(found, stack))

    def open_frames(
        self, uid: str, stack: int | None = None, revision: str | None = None
    ) -> CachedFrames | ReceivedFrames:
        """Planes and volumes of stored values for a viewer; raises as `volume`."""
        if revision and revision.startswith(PREFIX):
            found = self.received(uid)
            if found.revision != revision or not 0 <= (stack or 0) < len(found.stacks):
                raise NotFound(f"series {uid} has more images by now, or is built")
            return found.stacks[stack or 0]
        return CachedFrames(ZarrFrames(self.stack_path(uid, stack, revision)), self._cache)

    def received(self, uid: str) -> Received:
        """The stacks of a series that is not built yet, to be drawn image by image."""
        row = self.find(uid)
        what = {"modality": str(row["Modality"] or ""), "body_part": str(row["BodyPartExamined"] or "")}
        return received(self.objects(str(row["key"])), partial(open_original, self.root), self.settings, **what)

    def first_image(self, uid: str) -> Kept:
        """The object of a series that came first of those that `first_picture` can show.

        Raises
        ------
        NotYetShown
            None can be shown before the volume is built.
        """
        shown = [one for one in self.objects(uid) if one.image is not None and not is_compressed(one.image)]
        if not shown:
            raise NotYetShown(f"series {uid} has no picture before its volume is built")
        return min(shown, key=lambda one: (one.received, one.sop_instance_uid))

    def first_picture(self, uid: str, image: Kept) -> bytes:
        """PNG of an object that `first_image` told of, made from its received bytes.

        Raises
        ------
        NotYetShown, BadPixels
        """
        row = self.find(uid)
        stacks = received(
            [image], partial(open_original, self.root), self.settings, str(row["Modality"] or ""),
            str(row["BodyPartExamined"] or ""),
        ).stacks  # fmt: skip
        if not stacks:
            raise NotYetShown(f"series {uid} has no picture before its volume is built")
        return stacks[0].picture()

    def volume(self, uid: str, stack: int | None = None, level: int = 0, *, physical: bool = True) -> xr.Dataset:
        """A series as an `xarray.Dataset`, lazily read.

        Parameters
        ----------
        uid : str
            Series Instance UID, or key of a series.
        stack : int, optional
            Needed where the series holds several.
        level : int
            Resolution; each level halves the one before.
        physical : bool
            Values in physical units; else as stored.

        Returns
        -------
        xarray.Dataset
            ``image`` (``[..., slice, row, column]``, float32, in physical units); coordinates are mm along the array's
            own axes; ``ds.pacs`` knows the affine to LPS mm and the passport; ``ds.pacs.real_world()`` applies the maps
            to the real world that the images or other objects state, whose labels are ``ds.attrs["real_world"]``.

        Raises
        ------
        NotFound, NotYetShown, SeveralStacks
        """
        from pacs_panel.volume.read import open_stack

        dataset = open_stack(self.stack_path(uid, stack), level, physical)
        revision = self.revision(uid)
        maps = with_others(
            self.root,
            dataset.attrs["real_world"],
            revision.stacks[stack or 0],
            partial(self._index.objects, revision.series_key),
            self._speaking(uid, "RWV"),
            self.settings,
        )
        about = {"series": revision.series_key, "revision": revision.revision, "stack": stack or 0, "real_world": maps}
        return dataset.assign_attrs(about)

    def volumes(self, uid: str, level: int = 0) -> tuple[xr.Dataset, ...]:
        """All stacks of a series, the largest first; see `volume`."""
        return tuple(self.volume(uid, stack, level) for stack in range(len(self.revision(uid).stacks)))

    def overlays(self, uid: str, stack: int | None = None) -> tuple[Overlay, ...]:
        """What lies on a stack: segmentations, structure sets, doses, overlay planes of the images; raises as `volume`.

        What an overlay refers to and is not here, is named in its ``missing``.
        """
        found = self._opened(uid, stack).values()
        return tuple(replace(one.overlay, missing=self._unknown(one.overlay.missing)) for one in found)

    def overlay(self, uid: str, sop_instance_uid: str, stack: int | None = None) -> OverlayFrames:
        """One of `overlays`, as label volumes, contours or dose on the grid of the images; raises as `volume`."""
        found = self._opened(uid, stack).get(sop_instance_uid)
        if found is None:
            raise NotFound(f"nothing of object {sop_instance_uid} lies on series {uid}")
        return found

    def _opened(self, uid: str, stack: int | None) -> Mapping[str, OverlayFrames]:
        row, revision = self.find(uid), self.revision(uid)
        candidates = self._speaking(uid, *MODALITIES)
        chosen = revision.stacks[number_of(revision, stack)]
        images = partial(self._index.objects, str(row["key"]))
        return self._overlays.of(str(row["SeriesInstanceUID"]), chosen, images, candidates)

    def _speaking(self, uid: str, *modalities: str) -> list[Kept]:
        """Objects of these modalities in the study of a series, and all that name it, wherever they are."""
        row = self.find(uid)
        near = self.search(StudyInstanceUID=row["StudyInstanceUID"], Modality=list(modalities)).rows()
        naming = (partner.source_key for partner in self.references(str(row["key"])).referred_by)
        keys = dict.fromkeys([*(str(each["key"]) for each in near), *naming])
        return [kept for each in keys for kept in self._index.objects(each)]

    def _unknown(self, uids: tuple[str, ...]) -> tuple[str, ...]:
        known: set[str] = set()
        for part in itertools.batched(uids, 200):
            found = self.search("instance", SOPInstanceUID=list(part)).rows()
            known.update(str(row["SOPInstanceUID"]) for row in found)
        return tuple(uid for uid in uids if uid not in known)

    def thumbnail(self, uid: str) -> bytes:
        """PNG of a series' middle slice.

        Raises
        ------
        NotYetShown
        """
        revision = self.revision(uid)
        path = self.root / layout.thumbnail(revision.series_key, revision.revision)
        if not revision.stacks or not path.exists():
            raise NotYetShown(f"series {uid}: {revision.note}")
        return path.read_bytes()
