"""Waveforms: values against pydicom's, and against what they were made from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_panel.errors import NotFound, TooLarge, Unreadable
from pacs_panel.overlay.documents import summary, waveform, waveforms
from pacs_panel.settings import Settings
from pacs_panel.testing.headers import code
from tests.overlay.documents.reading import SETTINGS, made, read, stream

ECG = "pydicom_test_files/waveform_ecg.dcm"


def sampled(samples: np.ndarray, interpretation: str, bits: int, *channels: dict[str, Any], **more: Any) -> Dataset:
    """An object with one multiplex group; ``samples`` of shape (time, channel)."""
    group = {
        "NumberOfWaveformChannels": len(channels), "NumberOfWaveformSamples": len(samples), "SamplingFrequency": "250",
        "WaveformOriginality": "ORIGINAL", "ChannelDefinitionSequence": list(channels), **more,
    }  # fmt: skip
    dataset = made("9.1.2", "ECG", WaveformSequence=[group])
    item = dataset.WaveformSequence[0]
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = bits, interpretation
    item.add_new(0x54001010, "OB" if bits == 8 else "OW", samples.tobytes())
    return dataset


def pressure(label: str = "", **more: Any) -> dict[str, Any]:
    return {
        "ChannelLabel": label, "ChannelSensitivity": "0.5", "ChannelSensitivityCorrectionFactor": "2",
        "ChannelBaseline": "10", "ChannelSensitivityUnitsSequence": [code("mm[Hg]", "UCUM", "mmHg")],
        "ChannelSourceSequence": [code("5.10.3-1", "99X", "Arterial pressure")], **more,
    }  # fmt: skip


def test_an_ecg_has_pydicoms_values_in_microvolts(data: Path) -> None:
    told = dcmread(data / ECG)
    found = waveforms(stream(data / ECG), SETTINGS)
    assert len(found) == len(told.WaveformSequence) == 2
    for number, one in enumerate(found):
        assert one.waveform.dims == ("time", "channel")
        assert np.array_equal(one.waveform.values, told.waveform_array(number))
        assert one.waveform.attrs["units"] == "uV"
    assert found[0].sizes == {"time": 10_000, "channel": 12}
    assert found[0].time.values[[0, 1, -1]].tolist() == [0.0, 0.001, 9.999]
    assert found[0].channel.values[:2].tolist() == ["Lead I (Einthoven)", "Lead II"]
    assert set(found[0].low.values) == {0.05}
    assert set(found[0].high.values) == {300.0}


def test_what_an_ecg_is_in_words(data: Path) -> None:
    document = read(data / ECG)
    facts = dict(summary(document))
    assert facts["Group 1 RHYTHM"] == "12 channels, 10 s at 1000 Hz"
    assert facts["Remark 1"] == "RITMO SINUSALE"
    assert facts["Remark 3"] == "RR Interval: 982 ms"
    assert document.remarks[0].channels == ((1, 0),)
    assert any(remark.samples for remark in document.remarks)


TYPES = [("SB", 8, "i1"), ("UB", 8, "u1"), ("SS", 16, "<i2"), ("US", 16, "<u2"), ("SL", 32, "<i4"), ("UL", 32, "<u4")]


@pytest.mark.parametrize(("interpretation", "bits", "kind"), TYPES)
def test_every_kind_of_sample_has_pydicoms_value(interpretation: str, bits: int, kind: str) -> None:
    info = np.iinfo(kind)
    samples = np.array([[info.min, 1], [info.max, 2], [5, 6]], kind)
    dataset = sampled(samples, interpretation, bits, pressure("a"), pressure("b"))
    found = waveform(stream(dataset), SETTINGS)
    assert np.array_equal(found.waveform.values, dataset.waveform_array(0))
    assert np.array_equal(found.waveform.values, samples.astype(float) * 0.5 * 2 + 10)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_encoding_of_the_file_changes_nothing(syntax: str) -> None:
    dataset = sampled(np.array([[1], [-2]], "<i2"), "SS", 16, pressure())
    assert waveform(stream(dataset, syntax), SETTINGS).waveform.values.ravel().tolist() == [11, 8]


def test_big_endian_samples() -> None:
    dataset = sampled(np.array([[1], [-2]], ">i2"), "SS", 16, pressure())
    found = waveform(stream(dataset, "1.2.840.10008.1.2.2"), SETTINGS)
    assert found.waveform.values.ravel().tolist() == [11, 8]


@pytest.mark.parametrize(("interpretation", "law"), [("MB", "ulaw2lin"), ("AB", "alaw2lin")])
def test_companded_sound_is_that_of_the_standard_library(interpretation: str, law: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="Python 3.13 has none")
    samples = np.arange(256, dtype="u1")[:, None]
    linear = np.frombuffer(getattr(audioop, law)(samples.tobytes(), 2), "<i2")
    found = waveform(stream(sampled(samples, interpretation, 8, {"ChannelLabel": "sound"})), SETTINGS)
    assert np.array_equal(found.waveform.values.ravel(), linear)


def test_padding_is_not_a_number() -> None:
    dataset = sampled(np.array([[1, -32768], [-32768, 4]], "<i2"), "SS", 16, pressure("a"), pressure("b"))
    dataset.WaveformSequence[0].add_new(0x5400100A, "OW", b"\x00\x80")
    values = waveform(stream(dataset), SETTINGS).waveform.values
    assert np.isnan(values).tolist() == [[False, True], [True, False]]
    assert (values[0, 0], values[1, 1]) == (11, 14)


def test_equal_labels_are_told_apart_and_the_start_counts() -> None:
    dataset = sampled(np.zeros((2, 2), "<i2"), "SS", 16, pressure(), pressure(), MultiplexGroupTimeOffset="500")
    found = waveform(stream(dataset), SETTINGS)
    assert found.channel.values.tolist() == ["Arterial pressure", "Arterial pressure (2)"]
    assert found.time.values.tolist() == [0.5, 0.504]


def test_channels_of_several_units_keep_their_own() -> None:
    other = pressure("b", ChannelSensitivityUnitsSequence=[code("mV", "UCUM", "millivolt")])
    found = waveform(stream(sampled(np.zeros((2, 2), "<i2"), "SS", 16, pressure("a"), other)), SETTINGS)
    assert found.unit.values.tolist() == ["mm[Hg]", "mV"]
    assert "units" not in found.waveform.attrs


def test_fewer_samples_than_told_are_given_and_noted() -> None:
    dataset = sampled(np.array([[1], [2]], "<i2"), "SS", 16, pressure())
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 4_000_000_000
    found = waveform(stream(dataset), SETTINGS)
    assert found.sizes["time"] == 2
    assert found.attrs["note"] == "it should have 4000000000 samples, and has 2"


def test_what_cannot_be_read_is_refused() -> None:
    samples = np.zeros((2, 1), "<i2")
    with pytest.raises(Unreadable, match="12 bits as SS"):
        waveform(stream(sampled(samples, "SS", 12, pressure())), SETTINGS)
    with pytest.raises(Unreadable):
        waveform(stream(sampled(samples, "SS", 16)), SETTINGS)
    with pytest.raises(NotFound):
        waveform(stream(sampled(samples, "SS", 16, pressure())), SETTINGS, 1)
    with pytest.raises(TooLarge):
        waveform(stream(sampled(samples, "SS", 16, pressure())), Settings(max_volume_bytes=15))
