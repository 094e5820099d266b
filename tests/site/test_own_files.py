"""Which files are the project's own, with git and without: .ci/own_files.py."""

import shutil
import subprocess
import sys

import pytest

from exchange_site.stack.processes import PROJECT
from tests.ci_scripts import load

list_own_files = load("own_files").list_own_files

OURS = ["a.py", ".ci/b.py", "room/c.py", "room/of/d.py"]
OTHERS = [".venv/e.py", "any_name/lib/f.py", "node_modules/g.py", "room/__pycache__/h.py", ".cache/i.py", "j.txt"]


@pytest.fixture
def folder(tmp_path):
    """A folder of files that is no repository."""
    for name in [*OURS, *OTHERS, "any_name/pyvenv.cfg"]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    return tmp_path


class TestOwnFiles:
    def test_without_git_are_all_but_those_of_tools_and_environments(self, folder):
        assert [str(path) for path in list_own_files(folder, ".py")] == sorted(OURS)

    def test_are_those_that_git_knows(self, folder):
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        for command in (["init", "--quiet"], ["add", "a.py", "room/c.py"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        (folder / "a.py").unlink()
        assert [str(path) for path in list_own_files(folder, ".py")] == ["room/c.py"]

    def test_are_checked_for_their_lengths_outside_of_a_repository(self, folder):
        for name in ("lengths.py", "own_files.py"):
            shutil.copy(PROJECT / ".ci" / name, folder / ".ci")
        limits = (
            "[tool.lengths]\nmax-module-lines = 300\nmax-function-lines = 2\nmax-parameters = 9\nmax-exceptions = 0\n"
        )
        (folder / "pyproject.toml").write_text(f"{limits}[tool.lengths.exceptions]\n")
        (folder / "a.py").write_text("def long():\n    x = 1\n    return x\n")
        (folder / ".ci" / "b.py").unlink()
        command = [sys.executable, folder / ".ci/lengths.py"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert "a.py::long: 3 lines, of 2 at most" in done.stdout
        assert done.returncode == 1
