"""`python clients/make.py [PART …] [--document FILE_OR_URL] [--to FOLDER]`: make clients of the API.

The parts are python, typescript, collection (for Postman and Bruno) and lint; without one, both clients are made.
They are made from the OpenAPI document, into `clients/` below DATA_DIR (`.data`) if no folder is named. The generators
are kept there too, at the exact versions that `python/requirements.txt` and `package-lock.json` pin. A part that needs
node is skipped by name where node is missing or too old. Exit status 1 if a step fails, 3 if packages cannot be
installed.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs/openapi.json"
MOST_SECONDS = 600
OLDEST_NODE = (20, 19)  # of @redocly/cli


class CannotMake(Exception):
    """A step has failed; the message is for people."""

    status = 1


class CannotInstall(CannotMake):
    """The packages of a language cannot be installed, for example without a network."""

    status = 3


def main() -> int:
    options = read_options()
    try:
        make_folder(options.to)
        document = fetch_document(options.document, to=options.to)
        for number, name in enumerate(options.parts, start=1):
            began = time.monotonic()
            say(f"{number} of {len(options.parts)}: {name}")
            say(f"   {PARTS[name](document, to=options.to)} ({time.monotonic() - began:.0f} s)")
    except CannotMake as error:
        say(f"   {error}")
        return error.status
    return 0


def cache() -> Path:
    """Return the folder for the generators, and for the clients if no other is named."""
    named = os.path.expanduser(os.environ.get("DATA_DIR") or HERE.parent / ".data")  # noqa: PTH111  as the stack does
    return Path(named).resolve() / "clients"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make clients from the OpenAPI document.")
    parser.add_argument("parts", nargs="*", help=f"which of {NAMES}: both clients if none is named")
    parser.add_argument(
        "--document", default=str(DOCUMENT), help="a file, or the address of a running service's document"
    )
    parser.add_argument("--to", type=Path, default=cache(), help="the folder for the clients")
    options = parser.parse_args()
    options.to = options.to.resolve()
    options.parts = options.parts or ["python", "typescript"]
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no {min(unknown)}; there are {NAMES}")
    return options


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotMake(f"{folder} cannot be a folder for the clients: {error.strerror}") from error


def fetch_document(source: str, *, to: Path) -> Path:
    """Return the document as a file. An address is read within 30 seconds."""
    if not source.startswith(("http://", "https://")):
        if not Path(source).is_file():
            raise CannotMake(f"There is no file {source}. Name the document, or its address at a running service.")
        refuse_other_documents(Path(source).read_bytes(), source)
        return Path(source).resolve()
    copy = to / "openapi.json"
    try:
        with urllib.request.urlopen(source, timeout=30) as answer:
            content = answer.read()
    except OSError as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or reason
        raise CannotMake(f"{source} cannot be read: {said}. Does the service run there?") from error
    refuse_other_documents(content, source)
    copy.write_bytes(content)
    return copy


def refuse_other_documents(content: bytes, source: str) -> None:
    """Raise CannotMake if this is no OpenAPI document, but a page, say."""
    try:
        is_document = "openapi" in json.loads(content)
    except (ValueError, TypeError):
        is_document = False
    if not is_document:
        raise CannotMake(f"{source} is no OpenAPI document in JSON. A service has its own at /api/v1/openapi.json.")


def make_python(document: Path, *, to: Path) -> str:
    """Write the package `exchange_client`."""
    programs, folder = prepare_python(), to / "python"
    package = folder / "exchange_client"
    config = HERE / "python/config.yml"
    folder.mkdir(exist_ok=True)
    generate = (programs / "openapi-python-client", "generate", "--path", document, "--config", config)
    run(*generate, "--output-path", package, "--meta", "none", "--overwrite", "--fail-on-warning")
    (package / "py.typed").touch()
    return f"the package exchange_client is in {folder}"


def make_typescript(document: Path, *, to: Path) -> str:
    """Write `schema.d.ts`, the types for openapi-fetch."""
    if not has_node():
        return f"skipped: {WITHOUT_NODE}"
    modules, folder = prepare_node(), to / "typescript"
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}\n')
    link = folder / "node_modules"
    link.unlink(missing_ok=True)
    link.symlink_to(modules)
    run(modules / ".bin/openapi-typescript", document, "--output", folder / "schema.d.ts")
    return f"schema.d.ts, and openapi-fetch beside it, are in {folder}"


def make_collection(document: Path, *, to: Path) -> str:
    """Write `collection.json`, which Postman and Bruno import: each operation, in an order in which all work."""
    if not has_node():
        return f"skipped: {WITHOUT_NODE}"
    file = to / "collection.json"
    file.unlink(missing_ok=True)
    options = "folderStrategy=Tags,parametersResolution=Example,enableOptionalParameters=false"
    run(prepare_node() / ".bin/openapi2postmanv2", "--spec", document, "--output", file, "--options", options)
    if not file.exists():
        raise CannotMake("openapi2postmanv2 has written nothing.")
    run(sys.executable, HERE / "collection.py", file, document)
    return f"{file} can be imported; its variable baseUrl is the service's address"


def lint(document: Path, *, to: Path) -> str:
    """Check the document by the recommended rules of Spectral and Redocly."""
    if not has_node():
        return f"skipped: {WITHOUT_NODE}"
    programs = prepare_node() / ".bin"
    run(programs / "spectral", "lint", "--fail-severity=warn", "--ruleset", HERE / "spectral.yaml", document)
    run(programs / "redocly", "lint", "--max-problems=50", "--config", HERE / "redocly.yaml", document)
    return "Spectral and Redocly have no objection"


PARTS = {"python": make_python, "typescript": make_typescript, "collection": make_collection, "lint": lint}
NAMES = ", ".join(PARTS)
WITHOUT_NODE = "this machine has no npm with node {}.{} or later".format(*OLDEST_NODE)


def has_node() -> bool:
    node = shutil.which("node")
    if not (node and shutil.which("npm")):
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    numbers = [int(number) for number in version.strip().removeprefix("v").split(".")[:2] if number.isdecimal()]
    return tuple(numbers) >= OLDEST_NODE


def prepare_python() -> Path:
    """Make the generator's environment if its pins have changed; return the folder of its programs."""
    requirements = HERE / "python/requirements.txt"
    with environment("python", pins=requirements) as place:
        if not (place / "made").exists():
            say("   installing the generator of the Python client")
            install_python(requirements, place=place)
    return place / "bin"


def install_python(requirements: Path, *, place: Path) -> None:
    python = place / "bin/python"
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"):
        install(uv, "venv", "--quiet", "--python", sys.executable, place)
        from_where_pip_does = (sys.executable, HERE.parent / ".ci/package_index.py")
        pins = ("--require-hashes", "--python", python, "-r", requirements)
        install(*from_where_pip_does, uv, "pip", "install", "--quiet", *pins)
    else:
        install(sys.executable, "-m", "venv", place)
        install(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements)
    (place / "made").touch()


def prepare_node() -> Path:
    """Install the packages of the lock if it has changed; return `node_modules`."""
    with environment("node", pins=HERE / "package-lock.json") as place:
        if not (place / "made").exists():
            say("   installing the generators and the linters that run on node")
            install_node(place)
    return place / "node_modules"


def install_node(place: Path) -> None:
    place.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    install("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", folder=place)
    (place / "made").touch()


@contextmanager
def environment(name: str, *, pins: Path, below: Path | None = None) -> Iterator[Path]:
    """Yield the place of an environment, without what a stopped run has left there. One process at a time is inside."""
    place = (below or cache()) / f"environment-{name}-{digest(pins)}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").exists():
            shutil.rmtree(place, ignore_errors=True)
        yield place


def digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()[:12]


def install(*command: str | Path, folder: Path | None = None) -> None:
    try:
        run(*command, folder=folder)
    except CannotMake as error:
        raise CannotInstall(f"The packages cannot be installed. {error}") from error


def run(*command: str | Path, folder: Path | None = None) -> None:
    """Run a program. Raises CannotMake with the end of its output, if it fails or takes longer than ten minutes."""
    words = [str(word) for word in command]
    name, given = Path(words[0]).name, variables(words[0])
    try:
        done = subprocess.run(
            words, cwd=folder, env=given, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMake(f"{name}: {error}") from error
    if done.returncode:
        raise CannotMake(f"{name} failed:\n{(done.stdout + done.stderr).strip()[-4000:]}")


def variables(program: str) -> dict[str, str]:
    """Return the environment variables for a program: none that leads to other packages, and it reports to nobody.

    It finds the programs beside it: openapi-python-client formats its files with ruff.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    path = os.pathsep.join((str(Path(program).parent), kept.get("PATH", os.defpath)))
    return {**kept, "PATH": path, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
