"""Every notebook runs from top to bottom in a kernel of its own, and finds what is true of its phantoms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FIRST = NOTEBOOKS / "01_first_look.ipynb"
TRUTH = """
import json
print(json.dumps({
    "accepted": report.accepted,
    "found": found.count(),
    "verdicts": sorted(table["Verdict"]),
    "value": value,
    "true_value": ball.value,
    "off": float(abs(place - ball.centre_lps_mm).max()),
    "spacing": max(ds.pacs.passport.spacing),
    "exact": bool((ds.image.values == phantom.truth.physical()).all()),
    "affine": bool(abs(ds.pacs.affine - phantom.truth.affine).max() < 1e-6),
}))
archive.close()
"""


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert cell["cell_type"] != "code" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
def test_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat  # importing it takes seconds, in every worker
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(FIRST, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(TRUTH))
    NotebookClient(book, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    told = json.loads(texts(book.cells[-1]))
    assert told.pop("off") <= told.pop("spacing") / 2
    assert told.pop("value") == told.pop("true_value")
    assert told == {"accepted": 96, "found": 2, "verdicts": ["regular", "sheared"], "exact": True, "affine": True}
    said = "\n".join(texts(cell) for cell in book.cells if cell.cell_type == "code")
    assert "96 accepted" in said
    assert "Tilted: sheared" in said


def texts(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")
