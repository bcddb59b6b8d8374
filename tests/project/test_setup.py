"""Setting up finds a fit Python by running what it finds, and otherwise says once and clearly what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "python"
TOOLS = ("cat", "head", "mktemp", "rm", "sed", "sh", "tr")
BASE = str(sys._base_executable)  # type: ignore[attr-defined]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of PATH: the few tools that the script needs, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def put(folder: Path, name: str, body: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def find(programs: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(programs), "HOME": str(programs), **environ}
    return subprocess.run(["sh", str(SCRIPT), *arguments], env=env, capture_output=True, text=True, check=False)


def test_a_name_on_path_that_does_not_run_is_passed_over(programs):
    put(programs, "python3.12", "echo 'python3.12: command not found' >&2; exit 127")
    put(programs, "python3", f'exec "{BASE}" "$@"')
    found = find(programs)
    assert (found.returncode, found.stdout.strip()) == (0, BASE)


def test_an_older_python_is_passed_over_for_one_of_pyenvs(programs):
    put(programs, "python3", "exit 3")
    versions = programs / ".pyenv" / "versions" / "3.12.9" / "bin"
    versions.mkdir(parents=True)
    put(versions, "python3.12", f'exec "{BASE}" "$@"')
    assert find(programs).stdout.strip() == BASE


@pytest.mark.parametrize(
    ("body", "said"),
    [("exit 3", "is not a Python 3.12 or newer"), ("exit 127", "is not a Python 3.12 or newer")],
)
def test_where_there_is_none_the_error_says_what_to_install(programs, body, said):
    put(programs, "mine", body)
    found = find(programs, PYTHON=str(programs / "mine"))
    assert (found.returncode, found.stdout) == (1, "")
    assert said in found.stderr
    assert "Install one of these" in found.stderr


def test_a_working_environment_is_left_alone(programs, tmp_path):
    environment = tmp_path / "env" / "bin"
    environment.mkdir(parents=True)
    put(environment, "python", "exit 0")
    found = find(programs, "--venv", str(environment.parent), PYTHON="/nowhere")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_a_broken_environment_is_made_anew_with_the_python_found(programs, tmp_path):
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    put(environment / "bin", "python", "exit 127")
    put(programs, "python3", f'[ "$1" = -c ] && echo {programs}/python3 || echo "$@"')
    found = find(programs, "--venv", str(environment), PYTHON=str(programs / "python3"))
    assert found.stdout.splitlines()[-1] == f"-m venv --clear {environment}"
