"""What arriving objects name, for the index."""

from __future__ import annotations

from typing import BinaryIO

from pacs_panel.dicom.kind import kind
from pacs_panel.errors import Rejected
from pacs_panel.index.mention import REJECTIONS, Mention
from pacs_panel.model import Header
from pacs_panel.overlay.documents.links import links
from pacs_panel.overlay.references import refers, title
from pacs_panel.settings import Settings

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"  # Key Object Selection Document Storage


def mentions(source: BinaryIO, head: Header, settings: Settings) -> tuple[Mention, ...]:
    """What an object names, unless it is an image and no more: those name too much that nobody asks for.

    Nothing is refused for its references: where they cannot be read, there are none.
    """
    uid, modality = head.identity.sop_instance_uid, str(head.values.get("Modality", ""))
    what = kind(head.identity.sop_class_uid, modality, head.image)
    if what.volume and not what.speaks:
        return ()
    try:
        referred = refers(source, settings)
    except Rejected:
        return ()
    rejection = REJECTIONS.get(title(source, settings), "") if head.identity.sop_class_uid == KEY_OBJECTS else ""
    return tuple(
        Mention(
            link.target,
            link.level,
            (link.level == "instance" and rejection) or link.role,
            link.sop_class_uid,
            link.series_uid,
        )
        for link in links({uid: referred})
    )
