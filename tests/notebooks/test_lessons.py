"""The lessons run as they are; each exercise accepts the notebook's own solution, and no wrong answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.test_run import NOTEBOOKS, texts

# For each exercise: answers that must not pass, such as the usual mistakes.
WRONG: dict[str, tuple[tuple[str, ...], ...]] = {
    "02_geometry": (
        ("(by_hand @ (10, 20, 5, 1))[:3]", "(by_hand @ (5, 10, 20, 1))[:3]", "by_hand @ (20, 10, 5, 1)", "'a'", "None"),
        ("[float(n) for n in ds.pacs.voxel(*ball.centre_lps_mm)][::-1]", "(0, 0, 0)", "5", "np.nan", "[1, 2]"),
        ("int((ds.image > 1100).sum()) * 3 * 2 * 1.5 / 1000", "int((ds.image > 1100).sum())", "13000", "[13, 13]"),
        ("lost.pacs.lps(lost.pacs.passport.gaps[0].after, 0, 0)[2]", "0", "lost.pacs.lps(12, 0, 0)"),
        ("np.prod(leaning.pacs.passport.spacing)", "3 * 2.5", "np.inf"),
        ("point", "(point[0], -point[1], point[2])", "-np.array(point)"),
        ("(curve[-1] - curve[0]) / 3", "(curve[-1] - curve[0]) / 2000", "-12.5", "curve"),
    ),
    "03_windowing_and_modalities": (
        ("-1024", "0", "'1024'.split('0')", "(1024, 1024)"),
        (
            "lambda values, centre, width: np.clip((values - centre) / width + 0.5, 0, 1)",
            "lambda values, centre, width: (values - (centre - 0.5)) / (width - 1) + 0.5",
            "lambda values, centre, width: np.clip((values - 39.5) / 399 + 0.5, 0, 1)",
            "lambda values, centre, width: None",
        ),
        ("(40, 400)", "(-600, 1500)", "(480, 80)", "(32, 4)", "(32, -80)", "32", "(32, 80, 1)", "('a', 'b')"),
        ("float(ds.image.values[around].mean())", "lesion.value + 1024", "float(ds.image.mean())", "ds.image.values"),
        ("apply(values, Window(2048, 4096))", "4095 - values", "-apply(values, Window(2048, 4096))", "0.5"),
        ("7500 * 64_000 / 350e6", "7500 * 64 / (350e6 * 0.5 ** (3600 / 6586.2))", "7500", "1.297"),
        ("float(round_one.image.mean())", "float(round_one.image.where(round_one.mask).mean())", "-1024", "np.nan"),
        ("13", "-12", "us", "[12]"),
    ),
    "05_cohorts_and_charts": (
        ("2", "4", "None", "False", "[0, 0]"),
        ("len(change.added)", "168", "change.added", "316"),
        (
            "joined.frame.query(\"arm == 'B'\")['series_key']",
            "joined.frame.query(\"arm == 'A'\")['SeriesInstanceUID']",
            "joined.frame['series_key']",
            "6",
            "[]",
        ),
        ("53.3", "-0.533", "0", "np.nan", "visits"),
    ),
    "11_bring_your_pacs": (
        ("16", "1", "None", "[8, 8]"),
        ("{'Modality': 'CT'}", "{'StudyDate': '20240701-'}", "{'StudyDate': '2024'}", "{}", "{'Nothing': '1'}", "'CT'"),
        ("22", "14", "0", "'six'"),
        (
            "np.frombuffer(stored, '<u2').reshape(header.Rows, header.Columns)",
            "ds.image.values[4].T",
            "ds.image.values[4].ravel()",
            "ds.image.values[3]",
            "stored",
        ),
        ("''", "'[peers.station'", "TABLES", "TABLES.split('[peers.cloud]')[0]", "5"),
    ),
}
TRUTH = {
    "02_geometry": """
import json
table = pd.DataFrame(rows, index=["ml", "x", "y", "z"]).T
print(json.dumps({
    "affine": bool(np.abs(by_hand - ds.pacs.affine).max() < 1e-6),
    "ml": float(abs(table.ml / table.ml["truth"] - 1).max()),
    "mm": float(abs(table[["x", "y", "z"]] - table.loc["truth", ["x", "y", "z"]]).to_numpy().max()),
    "made": [volume.attrs["provenance"][-1]["made"] for volume in (filled, upright, turned, same_grid)],
}))
archive.close()
""",
    "03_windowing_and_modalities": """
import json
measured = pd.DataFrame(rows, index=["true", "mean", "std", "voxels"]).T
print(json.dumps({
    "off": float(abs(measured["true"] - measured["mean"]).max()),
    "noise": float(abs(measured["std"] - 6).max()),
    "colours": bool((np.moveaxis(cine.image.values, 0, -1) == us.truth.stored).all()),
    "activity": float(abs(activity.image.values - pet.truth.physical()).max()),
    "padding": int(round_one.mask.sum()) == 4 * int((np.hypot(row, column) > 64).sum()),
}))
archive.close()
""",
    "05_cohorts_and_charts": """
import json
true = {day: [4 / 3 * np.pi * radius[p] ** 3 / 1000 for p in PATIENTS[:5]]
        for day, radius in (("20240110", BEFORE), ("20240710", AFTER))}
print(json.dumps({
    "ml": float(abs(visits[list(true)].to_numpy() / np.array(list(true.values())).T - 1).max()),
    "cohorts": [facts.name for facts in archive.cohorts()],
    "same": treated.hash == both.only(joined.frame.query("arm == 'A'")["series_key"]).hash,
    "charts": sorted(overview.board.cards),
    "clean": checked.clean,
}))
archive.close()
""",
    "11_bring_your_pacs": """
import json
print(json.dumps({
    "received": done.sent, "twice": (session.accepted, session.duplicates, state), "collection": session.collection,
    "pulled": [(each.found, each.here, each.accepted, len(each.failed)) for each in (one, two, rest)],
    "same": (len(same), all(same)),
    "drawn": float(off),
    "peers": [(peer.name, peer.can_be_called) for peer in read(TABLES)],
}))
beside.close()
archive.close()
north.close()
""",
}
LESSONS = pytest.mark.parametrize("name", list(WRONG))


def exercises(cells: list[Any]) -> list[Any]:
    return [cell for cell in cells if "exercise" in cell["metadata"].get("tags", ())]


def solutions(cells: list[Any]) -> list[str]:
    """The blocks of code in the last cell, in order of the exercises."""
    return re.findall(r"<details>.*?```python\n(.*?)```\n\n</details>", "".join(cells[-1]["source"]), re.DOTALL)


@LESSONS
def test_every_exercise_awaits_an_answer_and_has_a_solution(name: str) -> None:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in exercises(cells)]
    assert len(sources) == len(solutions(cells)) == len(WRONG[name])
    for number, (source, solution) in enumerate(zip(sources, solutions(cells), strict=True), 1):
        awaited = rf"^answer_{number} = \.\.\.$|^def answer_{number}\(.*\):\n    return \.\.\.$"
        assert re.search(awaited, source, re.MULTILINE)
        assert f"\ncheck_{number}(answer_{number})" in source
        assert re.search(rf"^(answer_{number} = |def answer_{number}\()", solution, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(240)
@LESSONS
def test_lesson(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat  # importing it takes seconds, in every worker
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    checked = list(zip(exercises(book.cells), solutions(book.cells), WRONG[name], strict=True))
    tried: list[tuple[str, Any]] = []  # what must be said, and the cell that says it
    for number, (cell, solution, wrong) in enumerate(checked, 1):
        call = f"check_{number}(answer_{number})"
        codes = [f"answer_{number} = {answer}\n{call}" for answer in wrong] + [f"{solution}\n{call}"]
        added = [nbformat.v4.new_code_cell(code) for code in codes]
        where = book.cells.index(cell) + 1
        book.cells[where:where] = added
        tried += [(f"Exercise {number}: not yet: ", one) for one in (cell, *added[:-1])]
        tried.append((f"Exercise {number}: right\n", added[-1]))
    book.cells.append(nbformat.v4.new_code_cell(TRUTH[name]))
    NotebookClient(book, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    for expected, cell in tried:
        assert expected in texts(cell), cell.source
    told = json.loads(texts(book.cells[-1]))
    if name == "02_geometry":
        assert told.pop("ml") < 0.01
        assert told.pop("mm") < 0.2
        assert told == {"affine": True, "made": ["resampled", "deskewed", "reoriented", "resampled"]}
        said = "".join(texts(cell) for cell in book.cells if cell.cell_type == "code")
        assert said.count("same values True, same place True") == 3
    elif name == "11_bring_your_pacs":
        assert told.pop("drawn") <= 0.51  # rounded to 8 bits
        assert told == {
            "received": 8,
            "twice": [0, 8, "finished"],
            "collection": "from north",
            "pulled": [[16, 0, 16, 0], [16, 16, 0, 0], [22, 16, 6, 0]],
            "same": [4, True],
            "peers": [["hospital", True], ["cloud", True]],
        }
        said = "".join(texts(cell) for cell in book.cells if cell.cell_type == "code")
        assert said.count("refused: ") == 2
        assert said.count("settings, [peers.hospital]") == 4
    elif name == "05_cohorts_and_charts":
        assert told.pop("ml") < 0.05
        assert {"Modality", "StudyDate", "SliceThickness", "Manufacturer"} <= set(told.pop("charts"))
        kept = ["trial, start", "trial, both visits", "trial, arm A"]
        assert told == {"cohorts": kept, "same": True, "clean": True}
    else:
        assert told.pop("off") < 1
        assert told.pop("noise") < 0.5
        assert told.pop("activity") < 0.01
        assert told == {"colours": True, "padding": True}
