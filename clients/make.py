"""`python clients/make.py [python|typescript|lint …] [--document FILE_OR_URL]`: make clients from the OpenAPI document.

The clients go to `clients/` below DATA_DIR (`.data`), and so do the generators, at the exact versions that
`python/requirements.txt` and `package-lock.json` pin. What needs node is skipped by name where node is missing.
Exit status 1 if a step fails.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs/openapi.json"
MOST_SECONDS = 600


class CannotMake(Exception):
    """A step has failed; the message is for people."""


def main() -> int:
    options = read_options()
    below = Path(os.environ.get("DATA_DIR") or HERE.parent / ".data").resolve() / "clients"
    below.mkdir(parents=True, exist_ok=True)
    try:
        document = fetch_document(options.document, below=below)
        for number, name in enumerate(options.parts, start=1):
            began = time.monotonic()
            say(f"{number} of {len(options.parts)}: {name}")
            say(f"   {PARTS[name](document, below=below)} ({time.monotonic() - began:.0f} s)")
    except CannotMake as error:
        say(f"   {error}")
        return 1
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make clients from the OpenAPI document.")
    parser.add_argument("parts", nargs="*", help=f"which of {NAMES}: both clients if none is named")
    parser.add_argument(
        "--document", default=str(DOCUMENT), help="a file, or the address of a running service's document"
    )
    options = parser.parse_args()
    options.parts = options.parts or ["python", "typescript"]
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no {min(unknown)}; there are {NAMES}")
    return options


def fetch_document(source: str, *, below: Path) -> Path:
    """Return the document as a file. An address is read within 30 seconds."""
    if not source.startswith(("http://", "https://")):
        return Path(source).resolve()
    copy = below / "openapi.json"
    try:
        with urllib.request.urlopen(source, timeout=30) as answer:
            copy.write_bytes(answer.read())
    except OSError as error:
        raise CannotMake(f"{source} cannot be read: {error}") from error
    return copy


def make_python(document: Path, *, below: Path) -> str:
    """Write the package `exchange_client`."""
    programs, folder = prepare_python(below=below), below / "python"
    package = folder / "exchange_client"
    config = HERE / "python/config.yml"
    folder.mkdir(exist_ok=True)
    generate = (programs / "openapi-python-client", "generate", "--path", document, "--config", config)
    run(*generate, "--output-path", package, "--meta", "none", "--overwrite", "--fail-on-warning")
    (package / "py.typed").touch()
    return f"the package exchange_client is in {folder}"


def make_typescript(document: Path, *, below: Path) -> str:
    """Write `schema.d.ts`, the types for openapi-fetch."""
    if not has_node():
        return "skipped: this machine has no node and npm"
    modules, folder = prepare_node(below=below), below / "typescript"
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}\n')
    link = folder / "node_modules"
    link.unlink(missing_ok=True)
    link.symlink_to(modules)
    run(modules / ".bin/openapi-typescript", document, "--output", folder / "schema.d.ts")
    return f"schema.d.ts, and openapi-fetch beside it, are in {folder}"


def lint(document: Path, *, below: Path) -> str:
    """Check the document by the recommended rules of Spectral and Redocly."""
    if not has_node():
        return "skipped: this machine has no node and npm"
    programs = prepare_node(below=below) / ".bin"
    run(programs / "spectral", "lint", "--fail-severity=warn", "--ruleset", HERE / "spectral.yaml", document)
    run(programs / "redocly", "lint", "--max-problems=50", "--config", HERE / "redocly.yaml", document)
    return "Spectral and Redocly have no objection"


PARTS = {"python": make_python, "typescript": make_typescript, "lint": lint}
NAMES = ", ".join(PARTS)


def has_node() -> bool:
    return all(shutil.which(program) for program in ("node", "npm"))


def prepare_python(*, below: Path) -> Path:
    """Make the generator's environment if its pins have changed; return the folder of its programs."""
    requirements = HERE / "python/requirements.txt"
    place = below / f"environment-python-{digest(requirements)}"
    if not (place / "made").exists():
        say("   installing the generator of the Python client")
        shutil.rmtree(place, ignore_errors=True)
        run(sys.executable, "-m", "venv", place)
        install = (place / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes")
        run(*install, "-r", requirements)
        (place / "made").touch()
    return place / "bin"


def prepare_node(*, below: Path) -> Path:
    """Install the packages of the lock if it has changed; return `node_modules`."""
    place = below / f"environment-node-{digest(HERE / 'package-lock.json')}"
    if not (place / "made").exists():
        say("   installing the generator and the linters that run on node")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place)
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", folder=place)
        (place / "made").touch()
    return place / "node_modules"


def digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()[:12]


def run(*command: str | Path, folder: Path | None = None) -> None:
    words = [str(word) for word in command]
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMake(f"{words[0]}: {error}") from error
    if done.returncode:
        raise CannotMake(f"{Path(words[0]).name} failed:\n{(done.stdout + done.stderr).strip()[-4000:]}")


def say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
