"""How far the start of a stack is: a file in its folder says so, and a display shows it, in a terminal or without."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_FILE: Final = "step"
_SILENCE_SECONDS: Final = 4.0
"""After so long without a line, a display without a terminal prints one more."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a start is doing, and how much of how much is done; 0 of 0 if it does not count."""

    name: str
    done: int = 0
    total: int = 0

    @property
    def count(self) -> str:
        """The count in words; empty without one."""
        return f"{self.done} of {self.total}" if self.total else ""


def write_step(folder: Path, step: Step) -> None:
    """Record the step in the folder of the stack."""
    unfinished = folder / f"{_FILE}.{os.getpid()}"
    unfinished.write_text(f"{step.done} {step.total} {step.name}")
    unfinished.replace(folder / _FILE)


def read_step(folder: Path) -> Step | None:
    """Return the step that the start of the stack on `folder` is at; None before its first one."""
    try:
        done, total, name = (folder / _FILE).read_text().split(" ", 2)
    except (OSError, ValueError):
        return None
    return Step(name=name, done=int(done), total=int(total))


class Display(Protocol):
    """Shows steps, one after the other."""

    def show(self, step: Step | None) -> None:
        """Show a step, if it differs from the last one. Nothing for None."""


@contextmanager
def showing_steps(console: Console) -> Iterator[Display]:
    """Show steps on a console: the present one with a bar where one can be drawn, else a line every four seconds."""
    if can_draw_over(console):
        with _make_progress(console) as progress:
            bars = _Bars(progress)
            yield bars
            bars.finish()
    else:
        lines = _Lines(console)
        with lines.ticking():
            yield lines


def can_draw_over(console: Console) -> bool:
    """Say whether a console is a terminal that can draw over a line: one that is called dumb cannot."""
    return console.is_terminal and not console.is_dumb_terminal


def _make_progress(console: Console) -> Progress:
    """Return one line for the present step. Other programs may print meanwhile, which would break several lines."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last: tuple[TaskID, Step] | None = None
        self._began = time.monotonic()

    def show(self, step: Step | None) -> None:
        if step is None or (self._last and self._last[1] == step):
            return
        if self._last and self._last[1].name == step.name:
            task = self._last[0]
        else:
            self.finish()
            task = self._progress.add_task(step.name, total=step.total or None, count="")
        self._progress.update(task, completed=step.done, total=step.total or None, count=step.count)
        self._last = task, step

    def finish(self) -> None:
        """Replace the bar of the present step by a line that stays."""
        if self._last:
            task, step = self._last
            self._progress.remove_task(task)
            self._progress.refresh()
            took = f"{time.monotonic() - self._began:.0f} s"
            self._progress.console.print(f"✓ {step.name:<34} {took:>5}  {step.count}".rstrip(), highlight=False)
        self._last, self._began = None, time.monotonic()


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._step: Step | None = None
        self._printed_at = time.monotonic()
        self._guard = threading.Lock()

    def show(self, step: Step | None) -> None:
        with self._guard:
            is_new = step is not None and (self._step is None or self._step.name != step.name)
            self._step = step or self._step
            if is_new:
                self._print()

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Print a line whenever there was none for a while, also while the caller waits."""
        ended = threading.Event()
        thread = threading.Thread(target=self._tick, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(0.2):
            with self._guard:
                if self._step and time.monotonic() - self._printed_at > _SILENCE_SECONDS:
                    self._print()

    def _print(self) -> None:
        assert self._step is not None
        self._printed_at = time.monotonic()
        self._console.print(f"  {self._step.name} {self._step.count}".rstrip(), highlight=False)
