"""Users of pip and of conda get the same, pinned versions of what pyproject.toml asks for and the code imports."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.imports import PACKAGE, read_imports, read_sources

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FILES = ("requirements/run.txt", "requirements/dev.txt")

# Asked for, though no module of ours imports them.
INDIRECT = {
    "aiohttp": "intake reads a published catalog over http with it",
    "websockets": "uvicorn serves websockets with it",
    "zarr": "what xarray and everybody else opens our volumes with; our own code writes and reads the shards itself",
}


def asked(extra: str = "") -> list[Requirement]:
    """What pyproject.toml asks for: to run, and with the extra."""
    more = PROJECT["optional-dependencies"][extra] if extra else []
    return [Requirement(text) for text in [*PROJECT["dependencies"], *more]]


def lines(name: str) -> list[str]:
    text = (ROOT / name).read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pinned(name: str) -> dict[str, Requirement]:
    """Distribution to its pinned requirement, of a compiled file."""
    requirements = [Requirement(line) for line in lines(name)]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.mark.parametrize("name", FILES)
def test_all_is_pinned_and_nothing_says_from_where(name):
    for line in lines(name):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+( ; .+)?", line), f"{name}: {line}"
    text = (ROOT / name).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links| @ |(^|\s)/\w", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "extra"), [(FILES[0], ""), (FILES[1], "dev")])
def test_pins_satisfy_what_the_project_asks_for(name, extra):
    pins = pinned(name)
    for requirement in asked(extra):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"{name} lacks {requirement}: run `make requirements`"
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{name}: {pin} is not {requirement}: run `make requirements`"
        assert pin.marker is None, f"{name}: {pin} is for some systems only"


def test_developing_uses_the_versions_that_users_get():
    run, dev = (pinned(name) for name in FILES)
    assert run.keys() <= dev.keys()
    assert {name: str(run[name].specifier) for name in run} == {name: str(dev[name].specifier) for name in run}


def test_conda_users_get_what_pip_users_get():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    assert dependencies[:2] == [f"python{PROJECT['requires-python']}", "pip"]
    assert dependencies[2:] == [{"pip": [f"-r {FILES[0]}", "-e ."]}]
    assert (ROOT / FILES[0]).is_file()


def test_the_python_asked_for_is_the_one_looked_for():
    low = PROJECT["requires-python"].removeprefix(">=")
    assert f"(3, {low.split('.')[1]})" in (ROOT / ".ci/python").read_text("utf-8")
    assert f"--python-version {low}" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.slow
def test_what_is_imported_is_asked_for_and_what_is_asked_for_imported():
    """The package itself needs no more than its own dependencies, and none of them for nothing."""
    libraries = {found.target.partition(".")[0] for found in read_imports(read_sources())}
    libraries -= {PACKAGE, *sys.stdlib_module_names}
    homes = packages_distributions()
    imported = {library: {canonicalize_name(name) for name in homes.get(library, [library])} for library in libraries}
    declared = {canonicalize_name(requirement.name) for requirement in asked()}
    assert not {library for library, names in imported.items() if not names & declared}, "imported, not asked for"
    assert declared - {name for names in imported.values() for name in names} == INDIRECT.keys(), (
        "asked for, not imported"
    )
