"""Run the tests beside busy loops, a few files at a time, and keep each result: the same command goes on where it stopped.

`python -m tests.busy` runs the tests that `task test` runs, once, beside six loops; with `--long` also those that take long.
With paths it runs these files, with `--times 3` each of them three times. Files that passed are not run again without
`--afresh`; those that failed are.
At the end it names every test that failed, in this run or before.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from exchange_site.stack.processes import end_with, kill

ROOT: Final = Path(__file__).resolve().parents[1]
_LOOP: Final = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    pass
"""
"""Ends with the process that started it: its input ends then."""
_SUMMARY: Final = re.compile(r"^(?:FAILED|ERROR) (tests/[^\[\n]+?(?:\[.*?\])?)(?: - .*)?$", re.MULTILINE)
_SOME_FAILED: Final = 1
"""The exit status of pytest if it ran all tests and some failed."""
_NO_TESTS: Final = 5
"""The exit status of pytest if all tests of these files are left out."""
_AS_TASK_TEST: Final = "not long and not matrix"
_ALL: Final = "not matrix"
_INTERRUPTED: Final = 128 + signal.SIGINT
_END_SECONDS: Final = 60
"""The time for pytest to stop what its tests have started."""

Run = tuple[str, int]
"""A file, and the turn in which it is run."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A run of some files: in which turn, how long it took, and the names of the tests that failed.

    If it is not `complete`, pytest did not come to its end.
    """

    files: list[str]
    turn: int
    seconds: float
    passed: bool
    failed: list[str]
    complete: bool = False

    def passed_runs(self) -> set[Run]:
        """Return the files that passed, in this turn. Of an incomplete run none counts."""
        failed = {name.partition("::")[0] for name in self.failed}
        if not self.passed and not (self.complete and failed):
            return set()
        return {(file, self.turn) for file in self.files if file not in failed}


class Results:
    """The results of all runs so far, one a line of a file."""

    def __init__(self, path: Path, *, afresh: bool) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if afresh:
            path.unlink(missing_ok=True)

    def read(self) -> list[Result]:
        """Return all results. A line that was cut off by the end of the process is left out."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [Result(**json.loads(line)) for line in lines if line.endswith("}")]

    def read_passed(self) -> set[Run]:
        """Return what has passed."""
        return {run for result in self.read() for run in result.passed_runs()}

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
    return sorted(str(path.resolve().relative_to(ROOT)) for path in found)


def group(runs: Sequence[Run], *, together: int) -> list[tuple[list[str], int]]:
    """Return the runs in parts of at most `together` files, each part of one turn."""
    parts = []
    for turn in sorted({turn for _, turn in runs}):
        files = [file for file, its_turn in runs if its_turn == turn]
        parts += [(files[start : start + together], turn) for start in range(0, len(files), together)]
    return parts


def run(files: list[str], *, turn: int, log: Path, marks: str) -> Result:
    """Run the tests of some files. The output is added to `log`."""
    began = time.monotonic()
    with log.open("a") as file:
        file.write(f"== turn {turn}: {' '.join(files)}\n")
        file.flush()
        place = file.tell()
        status = _run_pytest(files, output=file, marks=marks)
    with log.open(errors="replace") as file:
        file.seek(place)
        failed = _SUMMARY.findall(file.read())
    return Result(
        files=files,
        turn=turn,
        seconds=round(time.monotonic() - began, 1),
        passed=status in {0, _NO_TESTS},
        failed=failed,
        complete=status in {0, _NO_TESTS, _SOME_FAILED},
    )


def _run_pytest(files: list[str], *, output: Any, marks: str) -> int:
    """Run pytest, and return its status. If this process is told to end, pytest stops what its tests have started."""
    this = os.getpid()
    options = ("-q", "--numprocesses", "2", "--dist", "loadfile", "-p", "no:cacheprovider", "-m", marks)
    pytest = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: end_with(this, number=signal.SIGINT),  # noqa: PLW1509  there are no threads here
    )
    try:
        return pytest.wait()
    except KeyboardInterrupt:
        os.killpg(pytest.pid, signal.SIGINT)
        try:
            pytest.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            kill(pytest)
        raise


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="task test:busy --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", default=["tests"], help="files or folders of tests")
    parser.add_argument("--times", type=int, default=1, help="how often each file is run")
    parser.add_argument("--loops", type=int, default=6, help="number of busy loops")
    parser.add_argument("--together", type=int, default=12, help="number of files in one run of pytest")
    parser.add_argument("--long", action="store_true", help="also the tests that take long")
    parser.add_argument("--afresh", action="store_true", help="forget earlier results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    folder = Path(os.environ.get("DATA_DIR") or ".data").resolve() / "busy"
    which = f"{given.loops}-loops{'-long' if given.long else ''}"
    results = Results(folder / f"results-{which}.jsonl", afresh=given.afresh)
    os.chdir(ROOT)
    if without := [path for path in given.paths if not list_files([path])]:
        say(f"There are no tests at {', '.join(without)}.")
        return _NO_TESTS
    planned = [(file, turn) for turn in range(1, given.times + 1) for file in list_files(given.paths)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run_all(planned, results, given, log=folder / "log.txt")
    except KeyboardInterrupt:
        say("Stopped. The same command goes on from here.")
        return _INTERRUPTED
    for line in summarise(results.read(), planned=planned):
        say(line)
    say(f"The results are in {folder}.")
    return 0 if results.read_passed().issuperset(planned) else 1


def _run_all(planned: Sequence[Run], results: Results, given: argparse.Namespace, *, log: Path) -> None:
    """Run what has not passed yet."""
    passed = results.read_passed()
    parts = group([each for each in planned if each not in passed], together=given.together)
    done = len(passed.intersection(planned))
    say(
        f"{len(planned)} runs of a file beside {given.loops} busy loops; {done} have passed. The rest in {len(parts)} parts:"
    )
    with busy_loops(given.loops):
        for number, (files, turn) in enumerate(parts, start=1):
            result = run(files, turn=turn, log=log, marks=_ALL if given.long else _AS_TASK_TEST)
            results.add(result)
            outcome = "passed" if result.passed else "FAILED " + (", ".join(result.failed) or f"(see {log})")
            say(f"{number}/{len(parts)}, turn {turn}, from {files[0]}: {outcome} in {result.seconds:.0f} s")


def summarise(results: Sequence[Result], *, planned: Collection[Run]) -> Iterator[str]:
    """Yield how many runs have passed, which files have not, and every test that ever failed, and how often."""
    passed = {run for result in results for run in result.passed_runs()}.intersection(planned)
    yield f"{len(passed)} of {len(planned)} runs of a file have passed."
    if left := sorted({file for file, turn in set(planned) - passed}):
        yield f"Not passed: {', '.join(left)}"
    files = {file for file, _ in planned}
    failed = Counter(name for result in results for name in set(result.failed) if name.partition("::")[0] in files)
    for name, times in sorted(failed.items()):
        yield f"Failed {times} times: {name}" if times > 1 else f"Failed once: {name}"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
