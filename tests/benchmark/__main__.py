"""`python -m tests.benchmark [--quick]`, which `task bench` calls."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django
from rich.console import Console

from tests.benchmark.load import BenchmarkFailed, ensure_generator
from tests.benchmark.servers import Stack, running_stack


def main(arguments: list[str]) -> int:
    """Measure, print the table, and keep the figures with --save."""
    parser = argparse.ArgumentParser(
        prog="task bench --", description="Compare the service's speed with its database's."
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything, in under two minutes")
    parser.add_argument(
        "--growth", action="store_true", help="instead, compare a history of 1 and 5 million orders with no history"
    )
    parser.add_argument("--processes", action="store_true", help="instead, compare several numbers of processes")
    parser.add_argument(
        "--cost",
        nargs="?",
        const="",
        metavar="REVISION",
        help="instead, compare the processor time of an order with another revision's (by default HEAD's, or its "
        "parent's when everything is committed)",
    )
    parser.add_argument(
        "--replaced",
        nargs="?",
        const="",
        metavar="REVISION",
        help="instead, compare the working tree, or a revision, with a stand-in for the system that the project replaces",
    )
    parser.add_argument("--save", action="store_true", help="write docs/performance.json and the tables of its page")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        ensure_generator()
        with tempfile.TemporaryDirectory(prefix="crypto-exchange-bench-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # the database server's user must get in
            if options.cost is not None or options.replaced is not None:
                _measure_from_outside(folder, options, console)
                return 0
            with running_stack(folder) as stack:
                _point_django_to(stack)
                # This module needs Django's models, which can be loaded only now.
                from tests.benchmark.run import run

                run(stack=stack, options=options, console=console)
    except BenchmarkFailed as error:
        console.print(f"[red]{error}[/red]")
        return 1
    return 0


def _measure_from_outside(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Compare two revisions, or one with the stand-in, over HTTP. The imported modules still need Django's models here."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    django.setup()
    from tests.benchmark import beside, cost

    measure = cost if options.cost is not None else beside
    measure.run(folder=folder, options=options, console=console)


def _point_django_to(stack: Stack) -> None:
    os.environ.update({**stack.environment, **stack.owner})
    django.setup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
