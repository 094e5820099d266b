"""`python -m tests.benchmark [--quick]`, which `task bench` calls."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import django
from rich.console import Console

from exchange_site.stack.environment import data_dir
from exchange_site.stack.servers import stop_leftover_servers
from tests.benchmark.load import BenchmarkFailed, ensure_generator
from tests.benchmark.servers import Stack, running_stack

_PARTS: Final = ("orders", "reads", "settling", "processes")
_WIDTH: Final = 160  # of a file
_INTERRUPTED: Final = 128 + signal.SIGINT
_TERMINATED: Final = 128 + signal.SIGTERM
_OF_GROWTH: Final = "benchmark/growth"  # below DATA_DIR


def main(arguments: list[str]) -> int:
    """Measure, print the tables, and keep the figures with --save."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # stops the servers, as Ctrl-C does
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    try:
        ensure_generator()
        _run(options, console)
    except BenchmarkFailed as error:
        console.print(f"[red]{error}[/red]")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="task bench --", description="Compare the service's speed with its database's."
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything, in under two minutes")
    parser.add_argument(
        "--part",
        action="append",
        choices=_PARTS,
        help="only this part, of a few minutes; may be repeated. By default orders, reads and settling",
    )
    _add_comparisons(parser)
    parser.add_argument(
        "--growth",
        type=int,
        metavar="ORDERS",
        help="instead, compare a history of so many orders, such as 1000000, with none; repeat it until all are written",
    )
    parser.add_argument("--save", action="store_true", help="write docs/performance.json and the tables of its page")
    return parser


def _add_comparisons(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--before", metavar="REVISION", help="instead, compare the working tree with another revision, in turns"
    )
    parser.add_argument(
        "--replaced",
        nargs="?",
        const="",
        metavar="REVISION",
        help="instead, compare the working tree, or a revision, with a stand-in for the system that the project replaces",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="with --before and --replaced: only the measures whose names contain this text; may be repeated",
    )
    parser.add_argument(
        "--cost",
        nargs="?",
        const="",
        metavar="REVISION",
        help="instead, compare the processor time of an order with another revision's (by default HEAD's, or its "
        "parent's when everything is committed)",
    )


def _run(options: argparse.Namespace, console: Console) -> None:
    is_of_revisions = {options.cost, options.before, options.replaced} != {None}
    with _folder(kept=bool(options.growth)) as folder:
        if is_of_revisions:
            _compare_revisions(folder, options, console)
            return
        with running_stack(folder) as stack:
            _point_django_to(stack)
            # This module needs Django's models, which can be loaded only now.
            from tests.benchmark.run import run

            run(stack=stack, options=options, console=console)


@contextmanager
def _folder(*, kept: bool) -> Iterator[Path]:
    """Return a folder for the servers' files: one that stays, or one that is removed at the end."""
    if kept:
        folder = data_dir() / _OF_GROWTH
        folder.mkdir(parents=True, exist_ok=True)
        stop_leftover_servers(folder)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="crypto-exchange-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server's user must get in
        yield folder


def _compare_revisions(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Compare two revisions, or one with the stand-in, over HTTP. The imported modules still need Django's models here."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    django.setup()
    from tests.benchmark import beside, cost

    if options.cost is not None:
        cost.run(folder=folder, options=options, console=console)
    elif options.before is not None:
        beside.run_beside_before(folder=folder, options=options, console=console)
    else:
        beside.run_beside_replaced(folder=folder, options=options, console=console)


def _point_django_to(stack: Stack) -> None:
    os.environ.update({**stack.environment, **stack.owner})
    django.setup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
