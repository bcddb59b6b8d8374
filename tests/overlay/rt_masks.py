"""What rt-utils makes of a structure set, in an environment of its own: its requirements fit no others.

``python rt_masks.py FOLDER STRUCTURES TARGET``: the images of one series, the object, and the file that is written,
with one mask ``(row, column, slice)`` for each region, by its name.
"""

import sys

import numpy as np
from rt_utils import RTStructBuilder


def main(folder: str, structures: str, target: str) -> None:
    """Write the masks."""
    found = RTStructBuilder.create_from(dicom_series_path=folder, rt_struct_path=structures)
    np.savez(target, **{name: found.get_roi_mask_by_name(name) for name in found.get_roi_names()})


if __name__ == "__main__":
    main(*sys.argv[1:])
