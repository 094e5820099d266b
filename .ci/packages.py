"""Install a set of packages into the environment of this Python: `python .ci/packages.py demo|dev [again]`.

Do nothing if the set, or one that contains it, was installed last and its requirements have not changed. Each
environment records its own set, so that several environments can share one working copy. Meanwhile show how far it is.
Uses only the standard library.
"""  # noqa: INP001  a script, run by .ci/install

import compileall
import errno
import os
import queue
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, TextIO

from package_index import variables_for_uv

PROJECT: Final = Path(__file__).resolve().parent.parent
_MEGABYTE: Final = 1_000_000
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
"""What the prefixes of uv's sizes stand for, in bytes: KiB, MiB, GiB. All sizes that are shown are in MB."""


@dataclass(frozen=True, kw_only=True)
class PackageSet:
    """Packages that are installed together. `megabytes` is what they need on the disk, with bytecode."""

    file: str
    purpose: str
    megabytes: int


SETS: Final = {
    "demo": PackageSet(file="requirements-demo.txt", purpose="to run the system", megabytes=330),
    "dev": PackageSet(file="requirements-dev.txt", purpose="to run and to test the system", megabytes=720),
}
"""The sets by name, from the smallest on: each contains those before it."""

# Nothing imports these. They are half of ccxt's code, and take longer to compile than all other packages together.
_NEVER_IMPORTED: Final = ("ccxt/async_support/", "ccxt/pro/", "ccxt/test/")


class Refused(Exception):
    """The packages cannot be installed. Its text is the sentence to print."""


def main(arguments: list[str]) -> int:
    """Install a set and return the exit code. A refusal is printed as a sentence."""
    name, *again = arguments
    try:
        if again != ["again"] and _is_installed(name):
            return 0
        _refuse_unfit_environment(SETS[name])
        _install(SETS[name])
        _stamp().write_text(_digest(name))
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{_sentence_of(error, SETS[name])}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nThe packages are not all installed. The same command goes on.\n")
        return 130
    return 0


def count_packages(package_set: PackageSet) -> int:
    """Return how many packages a set has, on all platforms together."""
    return len(set(re.findall(r"^([a-z0-9-]+)==", (PROJECT / package_set.file).read_text(), re.MULTILINE)))


# ---------------------------------------------------------------------- what is there already


def _stamp() -> Path:
    return Path(sys.prefix, ".crypto-exchange-requirements")


def _is_installed(name: str) -> bool:
    try:
        stamp = _stamp().read_text()
    except OSError:
        return False
    names = list(SETS)
    return stamp in {_digest(each) for each in names[names.index(name) :]}


def _digest(name: str) -> str:
    return f"{name} {sha256((PROJECT / SETS[name].file).read_bytes()).hexdigest()}"


# ---------------------------------------------------------------------- refusals


def _refuse_unfit_environment(package_set: PackageSet) -> None:
    in_environment = sys.prefix != sys.base_prefix or Path(sys.prefix, "conda-meta").exists()
    managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
    if managed and not in_environment:
        raise Refused(
            "This Python belongs to the system. Make a virtual environment and activate it:\n"
            "    python3 -m venv .venv && . .venv/bin/activate && pip install uv go-task-bin"
        )
    if shutil.which("uv") is None:
        raise Refused("uv is missing: pip install uv")
    if not os.access(sys.prefix, os.W_OK):
        raise Refused(f"You may not write to {sys.prefix}. Make a virtual environment of your own and activate it.")
    if shutil.disk_usage(sys.prefix).free < package_set.megabytes * _MEGABYTE and not _is_mostly_there():
        raise Refused(_sentence_of(OSError(errno.ENOSPC, ""), package_set))


def _is_mostly_there() -> bool:
    """Say whether an earlier set is installed, so that less has to be written than a whole set."""
    return _stamp().exists()


def _sentence_of(error: OSError, package_set: PackageSet) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(sys.prefix).free // _MEGABYTE
        return (
            f"The disk is full: the packages need about {package_set.megabytes} MB in {sys.prefix}, and {free} MB are"
            " free there. Make room, also for uv's cache (uv cache clean), and run the same command again."
        )
    return f"The packages cannot be installed: {error}"


_NETWORK: Final = ("Failed to fetch", "error sending request", "Failed to download", "dns error", "Could not connect")
_CERTIFICATE: Final = ("invalid peer certificate", "UnknownIssuer")


def explain(output: str, package_set: PackageSet) -> str:
    """Return one sentence for what uv said when it failed; its own words if they are about something else."""
    if "os error 28" in output or "os error 122" in output or "No space left" in output:
        return _sentence_of(OSError(errno.ENOSPC, ""), package_set)
    if any(each in output for each in _CERTIFICATE):
        return (
            "The package index has a certificate that this machine does not trust: name the file with your company's"
            " certificates in SSL_CERT_FILE, and run the same command again."
        )
    if any(each in output for each in _NETWORK):
        return (
            f"No package index answers ({_last_cause(output)}): check the network and the proxy (HTTPS_PROXY), or name"
            " an index of your own in UV_DEFAULT_INDEX, and run the same command again."
        )
    return f"uv could not install the packages:\n{output.strip()}"


def _last_cause(output: str) -> str:
    causes = re.findall(r"^\s*(?:cause|Caused by): (.+)$", output, re.MULTILINE)
    return re.sub(r"\s*\(os error \d+\)", "", causes[-1]).strip() if causes else "no answer"


# ---------------------------------------------------------------------- install


def _install(package_set: PackageSet) -> None:
    count = count_packages(package_set)
    sys.stderr.write(
        f"Installing {count} packages {package_set.purpose} into {sys.prefix}, where they will take about"
        f" {package_set.megabytes} MB\n"
    )
    _stamp().unlink(missing_ok=True)
    sign = Sign(sys.stderr)
    downloads = Downloads()
    for line in run_lines(_uv_command(package_set), tick=lambda: sign.show(*downloads.progress())):
        downloads.read(line)
    sign.end()
    if downloads.exit_code:
        raise Refused(explain("\n".join(downloads.lines), package_set))
    _compile(sign)
    sign.end()


def _uv_command(package_set: PackageSet) -> list[str]:
    return [
        *("uv", "pip", "install", "--color", "never", "--python", sys.executable),
        *("--require-hashes", "-r", package_set.file),
    ]


def run_lines(command: list[str], *, tick: Callable[[], None]) -> Iterator[str]:
    """Yield the lines that a command prints to stderr, then its exit code; call `tick` five times a second."""
    child = subprocess.Popen(command, cwd=PROJECT, env=variables_for_uv(os.environ), stderr=subprocess.PIPE, text=True)  # noqa: S603  uv
    assert child.stderr is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_put_lines, args=(child.stderr, lines), daemon=True).start()
    while True:
        tick()
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            yield f"exit {child.wait()}"
            return
        yield line.rstrip("\n")


def _put_lines(stream: Iterable[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


@dataclass(kw_only=True)
class Downloads:
    """What uv's lines tell: which packages are downloaded, of which size in MB, and how it ended."""

    lines: list[str] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    exit_code: int = 0
    step: str = "asking for the packages"

    def read(self, line: str) -> None:
        """Read one line."""
        self.lines.append(line)
        if match := re.fullmatch(r"\s*Downloading (\S+) \(([\d.]+)([KMG]?)iB\)", line):
            self.sizes[match[1]] = float(match[2]) * _UNITS[match[3]] / _MEGABYTE
        elif match := re.fullmatch(r"\s*Downloaded (\S+)", line):
            self.done.add(match[1])
        elif match := re.match(r"exit (-?\d+)$", line):
            self.exit_code = int(match[1])
        elif line.startswith("Resolved"):
            self.step = "downloading"
        elif line.startswith("Prepared"):
            self.step = "installing"

    def progress(self) -> tuple[str, int, int, str]:
        """Return the step, and how much of how much is done, in a unit."""
        if self.step != "downloading":
            return self.step, 0, 0, ""
        done = sum(size for name, size in self.sizes.items() if name in self.done)
        return self.step, round(done), round(sum(self.sizes.values())), "MB"


def _compile(sign: "Sign") -> None:
    """Compile bytecode now. Without it ccxt takes seconds to import, at every start if Python may not write it."""
    files = [str(file) for file in Path(sysconfig.get_path("purelib")).rglob("*.py") if not is_never_imported(file)]
    with ProcessPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(partial(compileall.compile_file, quiet=2), files, chunksize=16), start=1):
            sign.show("compiling", done, len(files), "files")


def is_never_imported(file: Path) -> bool:
    """Say whether no program of ours imports this file."""
    return any(part in file.as_posix() for part in _NEVER_IMPORTED)


# ---------------------------------------------------------------------- how far it is


class Sign:
    """A sign of life: a line with a bar that is drawn over in a terminal; elsewhere a new line every four seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_terminal = stream, stream.isatty() and os.environ.get("TERM") != "dumb"
        self._began = self._shown = time.monotonic()
        self._line = ""

    def show(self, step: str, done: int, total: int, unit: str) -> None:
        """Show the step and how much of it is done, if the last sign is old enough."""
        now = time.monotonic()
        if now - self._shown < (0.1 if self._is_terminal else 4):
            return
        self._shown = now
        count = f" {_bar(done, total)} {done} of {total} {unit}" if total else ""
        self._line = f"  {step}{count}, {now - self._began:.0f} s"
        self._stream.write(f"\r\033[K{self._line}" if self._is_terminal else f"{self._line}\n")
        self._stream.flush()

    def end(self) -> None:
        """End the line that is drawn over, so that what comes next has a line of its own."""
        if self._is_terminal and self._line:
            self._stream.write("\r\033[K")
            self._line = ""


def _bar(done: int, total: int) -> str:
    filled = round(20 * done / total)
    return f"[{'#' * filled}{'.' * (20 - filled)}]"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
