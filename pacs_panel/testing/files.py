"""Phantom series on disk: a series in a folder, and large collections of small files, fast."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_panel.testing.headers import Options, decimal
from pacs_panel.testing.images import ct_phantom, mr_oblique
from pacs_panel.testing.subjects import Study, Subject
from pacs_panel.testing.truth import PhantomSeries


def encode(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a DICOM file (PS3.10 §7) of an uncompressed data set, which is left as it is.

    Parameters
    ----------
    transfer_syntax : str
        Compressed ones need an encoder that pydicom knows; UIDs stay, so only lossless ones keep the truth.
    """
    if transfer_syntax != dataset.file_meta.TransferSyntaxUID:
        dataset = _recoded(dataset, UID(transfer_syntax))
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def _recoded(dataset: Dataset, syntax: UID) -> Dataset:
    recoded = deepcopy(dataset)
    if syntax.is_encapsulated:
        recoded.compress(syntax, generate_instance_uid=False)
    elif not syntax.is_little_endian and recoded.get("BitsAllocated") == 16:
        recoded.PixelData = np.frombuffer(recoded.PixelData, "<u2").astype(">u2").tobytes()
    recoded.file_meta.TransferSyntaxUID = syntax
    return recoded


def write(series: PhantomSeries, folder: str | Path, transfer_syntax: str = ExplicitVRLittleEndian) -> list[Path]:
    """Write a series' objects as ``IM0001.dcm`` and so on, in a folder that is made.

    Returns
    -------
    list of Path
        In the order of ``series.datasets``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"IM{number:04d}.dcm" for number in range(1, len(series.datasets) + 1)]
    for path, dataset in zip(paths, series.datasets, strict=True):
        path.write_bytes(encode(dataset, transfer_syntax))
    return paths


def write_small_files(folder: str | Path, files: int = 20_000, series: int = 400, seed: int = 0) -> int:
    """Write many valid CT and MR files of about 10 kB, as a benchmark of import needs them.

    Each series is a grid of 64x64 slices, 3 mm apart, with an own study. One file a series is encoded; the others
    differ from it in place, number, UID and pixels, which are patched into its bytes.

    Returns
    -------
    int
        Bytes written.
    """
    written = 0
    for number in range(series):
        count = files // series + (number < files % series)
        place = Path(folder) / f"study{number:04d}" / "series1"
        place.mkdir(parents=True, exist_ok=True)
        for index, content in enumerate(_small_series(number, count, seed)):
            written += (place / f"IM{index + 1:05d}.dcm").write_bytes(content)
    return written


def _small_series(number: int, count: int, seed: int) -> list[bytes]:
    """The files of one series, made from one by patching values of constant length (PS3.5 §6.2 allows padding)."""
    subject = Subject(identifier=f"PB-{number:04d}", name=f"Bench^Number{number:04d}")
    study = Study(subject, date=f"2023{number % 12 + 1:02d}{number % 28 + 1:02d}", accession=f"B{number:06d}")
    options = Options(
        rows=64, columns=64, slices=1, spacing=(3.0, 2.0, 2.0), orientation=(1, 0, 0, 0, 1, 0), seed=seed, study=study
    )
    one = (mr_oblique(**options) if number % 2 else ct_phantom(**options)).datasets[0]
    prefix = str(one.SeriesInstanceUID)[:57]
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = UID(f"{prefix}.10000")
    one.InstanceNumber, one.SliceLocation = "10000", "70000.25"
    one.ImagePositionPatient = ["-63", "-63", "70000.25"]
    content, data = encode(one), np.frombuffer(one.PixelData, np.uint16)
    head, tail = content[: -data.nbytes], data.reshape(64, 64)
    made = []
    for k in range(count):
        patched = head.replace(f"{prefix}.10000".encode(), f"{prefix}.{10000 + k}".encode())
        patched = patched.replace(b"70000.25", decimal(3.0 * k).ljust(8).encode())
        patched = patched.replace(b"IS\x06\x0010000 ", b"IS\x06\x00" + str(k + 1).ljust(6).encode())
        made.append(patched + np.roll(tail, k, axis=0).tobytes())
    return made
