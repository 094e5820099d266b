"""Progress of long work in a terminal."""

from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def make_console(file: object, *, width: int | None = 160) -> Console:
    """Return a console that prints texts as they are: those from outside may look like marks for colours."""
    return Console(file=cast("IO[str]", file), width=width, markup=False, emoji=False)


def make_progress(console: Console, *, width: int = 10, is_quiet: bool = False) -> Progress:
    """Return progress bars: a description padded to `width`, a count, the time. `is_quiet` hides the bars."""
    return Progress(
        TextColumn(f"{{task.description:<{width}}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=is_quiet,
    )
