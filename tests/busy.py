"""Run the tests beside busy loops, a few files at a time, and keep each result: the same command goes on where it stopped.

`python -m tests.busy` runs all tests but the matrix of faults, once, beside six loops. With paths it runs these files,
with `--times 3` each of them three times. Files that passed are not run again without `--afresh`; those that failed are.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_LOOP: Final = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    pass
"""
"""Ends with the process that started it: its input ends then."""
_SUMMARY: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
_NO_TESTS: Final = 5
"""The exit status of pytest if all tests of these files are left out."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A run of some files: in which turn, how long it took, and the names of the tests that failed."""

    files: list[str]
    turn: int
    seconds: float
    passed: bool
    failed: list[str]


class Results:
    """The results of all runs so far, one a line of a file."""

    def __init__(self, path: Path, *, afresh: bool) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if afresh:
            path.unlink(missing_ok=True)

    def read(self) -> list[Result]:
        """Return the last result of each run. A line that was cut off by the end of the process is left out."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        results = [Result(**json.loads(line)) for line in lines if line.endswith("}")]
        return list({(tuple(result.files), result.turn): result for result in results}.values())

    def add(self, result: Result) -> None:
        with self._path.open("a") as file:
            file.write("\n" + json.dumps(asdict(result)) + "\n")  # the line before may have been cut off


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep processors busy with `count` processes."""
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP], stdin=subprocess.PIPE) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def list_files(paths: Sequence[str]) -> list[str]:
    """Return the test files at these paths, from the project's folder."""
    found: set[Path] = set()
    for path in map(Path, paths):
        found |= {path} if path.is_file() else set(path.rglob("test_*.py"))
    return sorted(str(path) for path in found)


def run(files: list[str], *, turn: int, log: Path) -> Result:
    """Run the tests of some files. The output is added to `log`."""
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--numprocesses",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    return Result(
        files=files,
        turn=turn,
        seconds=round(time.monotonic() - began, 1),
        passed=done.returncode in {0, _NO_TESTS},
        failed=_SUMMARY.findall(done.stdout),
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="task test:busy --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", default=["tests"], help="files or folders of tests")
    parser.add_argument("--times", type=int, default=1, help="how often each file is run")
    parser.add_argument("--loops", type=int, default=6, help="number of busy loops")
    parser.add_argument("--together", type=int, default=12, help="number of files in one run of pytest")
    parser.add_argument("--afresh", action="store_true", help="forget earlier results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    folder = Path(os.environ.get("DATA_DIR") or ".data").resolve() / "busy"
    results = Results(folder / f"results-{given.loops}-loops.jsonl", afresh=given.afresh)
    os.chdir(ROOT)
    files = list_files(given.paths)
    if without := [path for path in given.paths if not list_files([path])]:
        say(f"There are no tests at {', '.join(without)}.")
        return _NO_TESTS
    parts = [files[start : start + given.together] for start in range(0, len(files), given.together)]
    planned = [(part, turn) for turn in range(1, given.times + 1) for part in parts]
    passed = {(tuple(result.files), result.turn) for result in results.read() if result.passed}
    left = [(part, turn) for part, turn in planned if (tuple(part), turn) not in passed]
    say(
        f"{len(planned)} runs of up to {given.together} files beside {given.loops} busy loops, {len(left)} of them left"
    )
    failed = False
    with busy_loops(given.loops):
        for number, (part, turn) in enumerate(left, start=1):
            result = run(part, turn=turn, log=folder / "log.txt")
            results.add(result)
            failed |= not result.passed
            outcome = "passed" if result.passed else "FAILED " + (", ".join(result.failed) or "(see log.txt)")
            say(f"{number}/{len(left)}, turn {turn}, from {part[0]}: {outcome} in {result.seconds:.0f} s")
    say(f"The results are in {folder}.")
    return int(failed)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
