"""Progress of long work in a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def make_progress(console: Console, *, width: int = 10, is_quiet: bool = False) -> Progress:
    """Return bars with a description of `width` characters, a count and the time; none where it is quiet."""
    return Progress(
        TextColumn(f"{{task.description:<{width}}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=is_quiet,
    )
