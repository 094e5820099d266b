"""Find or start a stack for the demo, play the story on it, and check the result."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

import django
from rich.console import Console
from rich.markup import escape

from exchange_site.stack.environment import data_dir
from exchange_site.stack.running import StackAddresses, find_running_stack, running_stack

# All the customers of the demo come from one address, and buy in seconds what others buy in days.
_RATE_LIMITS: Final = {f"RATE_LIMIT_{name}": "100000/m" for name in ("USER", "ANON", "REGISTER", "ORDERS", "WALLET")}


def run_demo() -> int:
    """Run the demo and return the exit code: 0 if all checks passed."""
    console = Console()
    with _stack(console) as addresses:
        os.environ.update(addresses.environment)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        return _run(console, addresses)


def _stack(console: Console) -> AbstractContextManager[StackAddresses]:
    running = find_running_stack(data_dir())
    if running:
        console.print(f"Using the stack that runs on {data_dir()}, within its rate limits: that can take minutes.")
        return nullcontext(running)
    console.print("Starting PostgreSQL, Redis, the exchange simulator, a worker and the API …")
    return _temporary_stack()


@contextmanager
def _temporary_stack() -> Iterator[StackAddresses]:
    """Start a stack on a temporary folder; at the end stop it and delete the folder."""
    with tempfile.TemporaryDirectory(prefix="crypto-exchange-demo-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server's user must get in
        with running_stack(folder / "data", environment=_RATE_LIMITS) as addresses:
            yield addresses


def _run(console: Console, addresses: StackAddresses) -> int:
    # These modules need Django's models, which can be loaded only now.
    from exchange_site.stack.demo.checks import check_everything
    from exchange_site.stack.demo.story import tell
    from exchange_site.stack.demo.table import make_table, read_demo_result
    from settlement.result_texts import as_summary

    outcome = tell(console, addresses)
    complaints = list(check_everything(outcome))
    result = read_demo_result(outcome)
    complaints += [f"the result does not add up: {difference}" for difference in result.differences]
    console.print(make_table(outcome))
    console.print(as_summary(result))
    for complaint in complaints:
        console.print(f"[red]wrong:[/red] {escape(complaint)}")
    console.print("[red]The demo failed.[/red]" if complaints else "[green]Everything is as it must be.[/green]")
    return 1 if complaints else 0
