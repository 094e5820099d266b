"""Find or start a stack for the demo, play the story on it, check the result, and stay up for those who watch."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import django
from rich.console import Console
from rich.markup import escape

from exchange_site.held_folders import held_folder, take_left_folders
from exchange_site.stack.environment import data_dir, refuse_wrong_values
from exchange_site.stack.processes import free_port, is_free, local_url
from exchange_site.stack.refusals import StackRefused, refuse_low_limits
from exchange_site.stack.running import StackAddresses, find_running_stack, running_stack, stop_leftovers
from exchange_site.stack.servers import stop_leftover_servers

if TYPE_CHECKING:
    from exchange_site.stack.demo.story import Outcome

# All the customers of the demo come from one address, and buy in seconds what others buy in days.
RATE_LIMITS: Final = {f"RATE_LIMIT_{name}": "100000/m" for name in ("USER", "ANON", "REGISTER", "ORDERS", "WALLET")}
_OPENING_SECONDS: Final = 8  # to open the home page
_INTERRUPTED: Final = 130
_FOLDERS: Final = "crypto-exchange-demo-"


def run_demo(arguments: list[str]) -> int:
    """Run the demo and return the exit code: 0 if all checks passed.

    At a terminal it stays up until Enter or Ctrl-C; not with `--exit`.
    """
    if unknown := [each for each in arguments if each != "--exit"]:
        raise StackRefused(f"There is no {unknown[0]}: task demo, or task demo -- --exit, which ends with its story.")
    console = Console(highlight=False)
    try:
        with _stack(console) as addresses:
            os.environ.update(addresses.environment)
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
            django.setup()
            logging.getLogger("httpx").setLevel(logging.WARNING)
            return _run(console, addresses, arguments)
    except KeyboardInterrupt:
        console.print("The demo was ended before its story was over.")
        return _INTERRUPTED


def _stack(console: Console) -> AbstractContextManager[StackAddresses]:
    running = find_running_stack(data_dir())
    if running:
        console.print(f"Using the stack that runs on {data_dir()}, within its rate limits: that can take minutes.")
        console.print(f"Watch the story on its home page: [bold]{running.api}/[/bold]")
        return nullcontext(running)
    refuse_wrong_values()
    refuse_low_limits()
    return _temporary_stack(console)


@contextmanager
def _temporary_stack(console: Console) -> Iterator[StackAddresses]:
    """Start a stack on a temporary folder; at the end stop it and delete the folder."""
    remove_leftovers(console)
    stopping = console.status("stopping")
    with ExitStack() as entered:
        entered.callback(stopping.stop)
        folder = entered.enter_context(held_folder(prefix=_FOLDERS))
        folder.chmod(0o755)  # the database server's user must get in
        port = entered.enter_context(_reserved_port())
        console.print(f"Watch the story on the home page: [bold]{local_url(port)}/[/bold]")
        environment = {**RATE_LIMITS, "PORT": str(port)}
        stack = running_stack(folder / "data", environment=environment, console=console)
        addresses = entered.enter_context(stack)
        console.print("Everything runs.")
        yield addresses
        console.print("Stopping everything …")
        stopping.start()  # on a busy machine it takes a while


def remove_leftovers(console: Console) -> None:
    """End the stacks of demos that were killed, and delete their folders."""
    for folder in take_left_folders(prefix=_FOLDERS):
        count = stop_leftovers(folder / "data")
        stop_leftover_servers(folder / "data")
        told = f"A demo that was killed had left {folder}, and {count} of its processes still ran. All is removed."
        console.print(told, soft_wrap=True)


@contextmanager
def _reserved_port() -> Iterator[int]:
    """Yield PORT if it is free, else another port. Of two demos that begin at once, the second gets another.

    Also of two users: a lock needs no more than the right to read the file.
    """
    wanted = int(os.environ.get("PORT") or "8000")
    with ExitStack() as entered:
        is_ours = False
        with suppress(OSError):  # the lock is taken, or something else stands at its place
            lock = _open_for_all(Path(tempfile.gettempdir()) / f"crypto-exchange-demo-{wanted}.lock")
            entered.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = True
        yield wanted if is_ours and is_free(wanted) else free_port()


def _open_for_all(path: Path) -> int:
    """Open a file that everybody may read, and create a missing one."""
    with suppress(FileExistsError):
        made = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL)
        os.fchmod(made, 0o644)
        os.close(made)
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _run(console: Console, addresses: StackAddresses, arguments: list[str]) -> int:
    # These modules need Django's models, which can be loaded only now.
    from exchange_site.stack.demo.sentences import list_links, tell_what_was_shown
    from exchange_site.stack.demo.staying import count_down, let_prices_move, may_stay, stay
    from exchange_site.stack.demo.story import tell

    stays = may_stay(arguments)
    if stays:
        count_down(console, seconds=_OPENING_SECONDS)
    outcome = tell(console, addresses)
    complaints = _find_complaints(console, outcome)
    for complaint in complaints:
        console.print(f"[red]wrong:[/red] {escape(complaint)}")
    console.print("[red]The demo failed.[/red]" if complaints else "[green]Everything is as it must be.[/green]")
    if not complaints:
        _print_bullets(console, "You have seen:", tell_what_was_shown(outcome))
    if stays:
        _print_bullets(console, "Go on here:", (f"{name}: {url}" for name, url in list_links(addresses.api)))
        console.print("[bold]Customers go on ordering a little. Press Enter or Ctrl-C to end the demo.[/bold]")
        with suppress(KeyboardInterrupt):
            if addresses.environment["DATA_DIR"] != str(data_dir()):
                let_prices_move(addresses)
            stay(addresses)
    else:
        console.print("`task dev` runs the same parts until you stop it; `task demo` at a terminal stays up, too.")
    return 1 if complaints else 0


def _find_complaints(console: Console, outcome: "Outcome") -> list[str]:
    """Print the figures, and return a sentence for each thing that is wrong."""
    from exchange_site.stack.demo.checks import check_everything
    from exchange_site.stack.demo.table import make_ledger_table, make_table, read_demo_result
    from settlement.result_texts import as_summary, explain_summary

    complaints = list(check_everything(outcome))
    result = read_demo_result(outcome)
    complaints += [f"the result does not add up: {difference}" for difference in result.differences]
    for table in (make_table(outcome), make_ledger_table(), as_summary(result)):
        console.print(table)
    _print_bullets(console, "In the last table:", explain_summary())
    return complaints


def _print_bullets(console: Console, title: str, lines: Iterable[str]) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    for line in lines:
        console.print(f"  • {line}", soft_wrap=True)
