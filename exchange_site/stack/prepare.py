"""The program that supervisord runs first, and once: it migrates, seeds, and starts the other programs."""

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import Fault, ServerProxy

import django
import psycopg
from django.core.management import CommandError, call_command
from django.db import Error
from rich.console import Console
from supervisor.xmlrpc import Faults, SupervisorTransport

from exchange_site.configuration import resolve_environment
from exchange_site.stack.binaries import reachable_home
from exchange_site.stack.ports import ensure_listens
from exchange_site.stack.processes import NotInTime, answers, local_url, wait_until
from exchange_site.stack.refusals import StackRefused, explain_full_disk
from exchange_site.stack.running import PID_FILE, READY, read_owner
from exchange_site.stack.servers import create_database, find_foreign_table, last_words
from exchange_site.stack.steps import Display, Step, showing_steps, write_step
from exchange_site.stack.supervisor import FAILED

_WAIT_SECONDS: Final = 180.0  # a busy machine takes minutes
_MOST_STARTS: Final = 4
_OTHER_SECONDS: Final = 30.0  # such as one that Docker Compose starts meanwhile


def prepare(*, columns: int | None = None) -> int:
    """Start the stack and return the exit code. After a failure, print the reason and stop supervisord.

    `columns` is the width of the terminal to which supervisord passes the output; None for a file or a pipe.
    """
    supervisor = ServerProxy(
        "http://127.0.0.1",
        transport=SupervisorTransport(serverurl=f"unix://{os.environ['SUPERVISOR_SOCKET']}"),
    )
    calls: Any = supervisor.supervisor
    folder = Path(os.environ["DATA_DIR"])
    try:
        with _telling(folder, columns) as start:
            _bring_up(calls, start)
    except (NotInTime, StackRefused, CommandError, Error, psycopg.Error, OSError) as error:
        sys.stderr.write(f"The stack did not start: {explain_full_disk(str(error), folder) or error}\n")
        _give_up(calls, folder)
        return 1
    except Fault as error:
        if error.faultCode != Faults.SHUTDOWN_STATE:
            raise
        return 1  # somebody has stopped the start
    except BaseException:  # no error of the machine's: its traceback is needed
        _give_up(calls, folder)
        raise
    (folder / READY).touch()
    sys.stdout.write(_banner(local_url(os.environ["PORT"]), folder))
    return 0


def _give_up(calls: Any, folder: Path) -> None:
    (folder / FAILED).touch()
    calls.shutdown()


@dataclass(frozen=True, kw_only=True)
class _Telling:
    """Records each step in the folder of the stack, and shows it."""

    folder: Path
    display: Display

    def tell(self, name: str, *, done: int = 0, total: int = 0) -> None:
        step = Step(name=name, done=done, total=total)
        write_step(self.folder, step)
        self.display.show(step)


@contextmanager
def _telling(folder: Path, columns: int | None) -> Iterator[_Telling]:
    console = Console(force_terminal=columns is not None, width=columns)
    with showing_steps(console) as display:
        yield _Telling(folder=folder, display=display)


def _bring_up(calls: Any, start: _Telling) -> None:
    if any(program["name"] == "postgresql" for program in calls.getAllProcessInfo()):
        start.tell("PostgreSQL and Redis")
        _wait_for_postgres(calls, start.folder)
    else:
        start.tell(f"PostgreSQL on {_other_host()}")
        wait_for_other_postgres(start.folder)
        refuse_database_of_another_project(start.folder)
    _write_tables_and_data(start)
    start.tell("API and exchange simulator")
    _start_programs(calls)
    if "SIMULATOR_PORT" in os.environ:
        _wait_for_answer(calls, "simulator", f"{os.environ['EXCHANGE_URL']}/api/v3/ping")
    _wait_for_answer(calls, "api", f"{local_url(os.environ['PORT'])}/health/ready/")
    ensure_listens(calls.getProcessInfo("api")["pid"], port=int(os.environ["PORT"]))
    start.tell("worker, which buys at the venue")
    wait_until(_has_worker, seconds=_WAIT_SECONDS, what="no worker has registered itself")


class _Starts:
    """The starts of a program of supervisord, which starts it again whenever it ends."""

    def __init__(self, calls: Any, name: str) -> None:
        self._calls, self._name = calls, name
        self._seen: set[int] = set()

    def look(self) -> None:
        """Raise NotInTime if the program was started as often as one is that can never run."""
        self._seen.add(self._calls.getProcessInfo(self._name)["start"])
        if len(self._seen - {0}) >= _MOST_STARTS:
            raise NotInTime(f"{self._name} has ended each time it was started")


def _wait_for_answer(calls: Any, name: str, url: str) -> None:
    starts = _Starts(calls, name)

    def has_answered() -> bool:
        starts.look()
        return answers(url)

    wait_until(has_answered, seconds=_WAIT_SECONDS, what=f"{url} does not answer")


def _wait_for_postgres(calls: Any, folder: Path) -> None:
    starts = _Starts(calls, "postgresql")

    def is_there() -> bool:
        starts.look()
        return _has_database(folder)

    try:
        wait_until(
            is_there, seconds=_WAIT_SECONDS, ignoring=(psycopg.OperationalError,), what="PostgreSQL does not answer"
        )
    except NotInTime as error:
        raise NotInTime(f"{error}. {last_words(reachable_home(folder) / 'postgres.log')}".strip()) from error


def wait_for_other_postgres(folder: Path, *, seconds: float = _OTHER_SECONDS) -> None:
    """Wait for a Postgres that is not the stack's own. Raises NotInTime with the reason why it cannot be used."""
    what = f"PostgreSQL on {_other_host()}, which POSTGRES_HOST or DATABASE_URL names, cannot be used"
    try:
        wait_until(partial(_has_database, folder), seconds=seconds, ignoring=(psycopg.OperationalError,), what=what)
    except NotInTime as error:
        raise NotInTime(f"{error}: {' '.join(str(error.__cause__).split())}") from error


def refuse_database_of_another_project(folder: Path) -> None:
    """Raise StackRefused for a database of something else: a shell may have another project's DATABASE_URL."""
    if table := find_foreign_table({**os.environ, **read_owner(folder)}):
        raise StackRefused(
            f"The database on {_other_host()}, which POSTGRES_HOST or DATABASE_URL names, belongs to something else:"
            f" it has a table {table}, and none of this project."
            " Name another database (POSTGRES_DB), or unset the variable."
        )


def _other_host() -> str:
    return resolve_environment(os.environ)["POSTGRES_HOST"]


def _has_database(folder: Path) -> bool:
    create_database({**os.environ, **read_owner(folder)})
    return True


def _write_tables_and_data(start: _Telling) -> None:
    """Migrate as the owner, and seed. In this process, because another one would have to load everything again."""
    os.environ.update(read_owner(start.folder))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_site.settings")
    start.tell("migrations")
    django.setup()
    from exchange_site.stack.migrating import migrate

    migrate(on_progress=lambda done, total: start.tell("migrations", done=done, total=total))
    start.tell("coins, prices and an administrator")
    magic = ["--magic"] if "SIMULATOR_PORT" in os.environ else []
    call_command("seeder", "--if-empty", *magic, stdout=io.StringIO())


def _start_programs(calls: Any) -> None:
    stopped = {"STOPPED", "EXITED", "FATAL"}
    programs = [info["name"] for info in calls.getAllProcessInfo() if info["statename"] in stopped]
    for name in ("simulator", "worker", "api"):
        if name in programs:
            calls.startProcess(name, False)  # noqa: FBT003  False: do not wait


def _has_worker() -> bool:
    """Say whether a worker of this start takes jobs, so that its own first lines come before the banner."""
    from exchange_site.stack.migrating import count_new_workers

    return count_new_workers() > 0


def _banner(base: str, folder: Path) -> str:
    simulator = (
        f"  exchange simulator  {os.environ['EXCHANGE_URL']}/control/book\n" if "SIMULATOR_PORT" in os.environ else ""
    )
    return (
        "\nThe exchange is running.\n"
        f"  home page           {base}/\n"
        f"  documentation       {base}/api/v1/swagger/ and {base}/api/v1/redoc/\n"
        f"  admin               {base}/admin/ (admin / new_password)\n"
        f"{simulator}"
        f"  data                {folder}\n"
        f"Stop it with Ctrl-C, or: kill $(cat {shlex.quote(str(folder / PID_FILE))})\n\n"
    )
