"""The clients: where their packages are pinned, and how an environment is made for each below DATA_DIR."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MOST_SECONDS = 900


class CannotPrepare(Exception):
    """A client's environment cannot be made."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client: its name, the folder with its pinned packages and its driver, and the program that runs the driver."""

    name: str
    folder: str
    language: str

    @property
    def source(self):
        return HERE / self.folder

    def is_possible(self):
        """Say whether this machine has what the client needs."""
        return self.language == "python" or all(shutil.which(program) for program in ("node", "npm"))

    def prepare(self, *, below):
        """Make the client's environment if its pinned packages have changed; return the command of its driver."""
        pinned = self.source / ("requirements.txt" if self.language == "python" else "package-lock.json")
        mark = hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]
        place = below / f"{self.folder}-{mark}"
        make = _python_command if self.language == "python" else _node_command
        return make(self.source, place)


CLIENTS = (
    Client(name="python-binance", folder="python_binance", language="python"),
    Client(name="binance-sdk-spot", folder="binance_sdk", language="python"),
    Client(name="ccxt for JavaScript", folder="ccxt_js", language="javascript"),
)


def _python_command(source, place):
    python = place / "bin/python"
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        requirements = str(source / "requirements.txt")
        if uv := _find_uv():
            _run(uv, "venv", "--quiet", "--python", sys.executable, str(place))
            _run(uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", requirements)
        else:
            _run(sys.executable, "-m", "venv", str(place))
            _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements)
        (place / "made").touch()
    return [str(python), str(source / "driver.py")]


def _node_command(source, place):
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, place)
        _run("npm", "ci", "--omit=optional", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", folder=place)
        (place / "made").touch()
    shutil.copy(source / "driver.mjs", place)  # it finds the packages beside itself
    return ["node", str(place / "driver.mjs")]


def _find_uv():
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(*command, folder=None):
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotPrepare(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CannotPrepare(f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip()[-500:]}")
