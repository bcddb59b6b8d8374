from __future__ import annotations

import re
from pathlib import Path

import pytest

from pacs_panel.view.image.bundle import SOURCES, bundle, in_order


def test_the_modules_become_one() -> None:
    text = bundle()
    assert text == bundle()
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert re.findall(r"^export .*$", text, re.MULTILINE) == ["export function render({ model }) {"]
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg|transport|HttpFrames|\"http\"", "", text)


def test_every_module_is_used_and_comes_after_those_it_imports() -> None:
    order = in_order("viewer.js")
    assert sorted(order) == sorted(path.name for path in SOURCES.glob("*.js"))
    for file in order:
        needs = re.findall(r'from "\./([\w.]+)"', (SOURCES / file).read_text("utf-8"))
        assert all(order.index(need) < order.index(file) for need in needs)


def test_a_circle_of_imports_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nexport const a = 1;\n')
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = 1;\n')
    with pytest.raises(ValueError, match=re.escape("a.js -> b.js -> a.js")):
        bundle("a.js", tmp_path)


def test_a_name_declared_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nconst same = 1;\n')
    (tmp_path / "b.js").write_text("const same = 2;\nexport const b = 1;\n")
    with pytest.raises(ValueError, match="same"):
        bundle("a.js", tmp_path)
