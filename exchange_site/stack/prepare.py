"""The program that supervisord runs first, and once: it migrates, seeds, and starts the other programs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import ServerProxy

import psycopg
from supervisor.xmlrpc import SupervisorTransport

from exchange_site.stack.processes import NotInTime, local_url, manage, wait_for_answer, wait_until
from exchange_site.stack.running import PID_FILE, READY, read_owner
from exchange_site.stack.servers import create_database
from exchange_site.stack.supervisor import FAILED

_WAIT_SECONDS: Final = 60.0


def prepare() -> int:
    """Start the stack and return the exit code. After a failure, print the reason and stop supervisord."""
    supervisor = ServerProxy(
        "http://127.0.0.1",
        transport=SupervisorTransport(serverurl=f"unix://{os.environ['SUPERVISOR_SOCKET']}"),
    )
    calls: Any = supervisor.supervisor
    try:
        _bring_up(calls)
    except (NotInTime, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"The stack did not start: {error}\n")
        (Path(os.environ["DATA_DIR"]) / FAILED).touch()
        calls.shutdown()
        return 1
    return 0


def _bring_up(calls: Any) -> None:
    wait_until(
        _has_database, seconds=_WAIT_SECONDS, ignoring=(psycopg.OperationalError,), what="PostgreSQL does not answer"
    )
    as_owner = {**os.environ, **_owner()}
    for command, environment in (
        (manage("migrate", "--verbosity", "0"), as_owner),
        (manage("seeder", "--if-empty", *(["--magic"] if "SIMULATOR_PORT" in os.environ else [])), os.environ),
    ):
        subprocess.run(command, env=environment, check=True)  # noqa: S603  commands of ours
    stopped = {"STOPPED", "EXITED", "FATAL"}
    programs = [info["name"] for info in calls.getAllProcessInfo() if info["statename"] in stopped]
    for name in ("simulator", "worker", "api"):
        if name in programs:
            calls.startProcess(name, False)  # noqa: FBT003  False: do not wait
    base = local_url(os.environ["PORT"])
    wait_for_answer(f"{base}/health/ready/", seconds=_WAIT_SECONDS)
    if "SIMULATOR_PORT" in os.environ:
        wait_for_answer(f"{os.environ['EXCHANGE_URL']}/api/v3/ping", seconds=_WAIT_SECONDS)
    folder = Path(os.environ["DATA_DIR"])
    (folder / READY).touch()
    sys.stdout.write(_banner(base, folder))


def _has_database() -> bool:
    create_database({**os.environ, **_owner()})
    return True


def _owner() -> dict[str, str]:
    return read_owner(Path(os.environ["DATA_DIR"]))


def _banner(base: str, folder: Path) -> str:
    simulator = (
        f"  exchange simulator  {os.environ['EXCHANGE_URL']}/control/book\n" if "SIMULATOR_PORT" in os.environ else ""
    )
    return (
        "\nThe exchange is running.\n"
        f"  API                 {base}/api/v1/\n"
        f"  documentation       {base}/api/v1/swagger/ and {base}/api/v1/redoc/\n"
        f"  admin               {base}/admin/ (admin / new_password)\n"
        f"{simulator}"
        f"  data                {folder}\n"
        f"Stop it with Ctrl-C, or: kill $(cat {folder / PID_FILE})\n\n"
    )
