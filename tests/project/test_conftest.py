"""A skip for want of a peer, a browser or data is a failure where the run requires them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
    import os
    import pytest

    @pytest.mark.peer("no-such-program")
    def test_peer(): pass

    @pytest.mark.browser
    @pytest.mark.peer("no-such-program")
    def test_browser_and_peer(): pass

    def test_data(data): pass

    def test_groups(request):
        groups = {item.name: [m.args[0] for m in item.iter_markers("xdist_group")] for item in request.session.items}
        assert groups.pop("test_peer") == ["peer"]
        assert groups.pop("test_browser_and_peer") == ["browser"]
        assert not any(groups.values())

    def test_environment():
        assert not [name for name in os.environ if name.startswith("PACS_PANEL_") and name != "PACS_PANEL_DATA"]
"""
INI = "[pytest]\nmarkers =\n  peer(name)\n  browser\n  slow\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs `TESTS` under this project's conftest, in a process of its own, where no data are to be found."""
    monkeypatch.setenv("PACS_PANEL_DATA", str(pytester.path / "nowhere"))
    monkeypatch.setenv("PACS_PANEL_WORKERS", "7")
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST.read_text("utf-8"))
    pytester.makepyfile(TESTS)
    return lambda *options: pytester.runpytest_subprocess("-p", "no:zarr", "-p", "no:cacheprovider", *options)


def test_what_is_missing_skips_with_its_reason(run):
    result = run("-rs")
    result.assert_outcomes(passed=2, skipped=3)
    result.stdout.fnmatch_lines_random(["*no-such-program is not installed*", "*no real data*"])


def test_required_peers_fail(run):
    run("--require-peers").assert_outcomes(passed=2, errors=2, skipped=1)


def test_required_data_fail(run):
    run("--require-data").assert_outcomes(passed=2, errors=1, skipped=2)
