"""What runs once below supervisord: database, migrations, seed; then the other programs."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import psycopg
from supervisor.xmlrpc import SupervisorTransport

from exchange_site.stack.embedded import ServerFailed, create_database
from exchange_site.stack.supervise import FAILED

_WAIT_SECONDS = 60.0


def prepare() -> int:
    """Bring the stack up, or end it with the reason, and return the exit code."""
    supervisor = ServerProxy(
        "http://127.0.0.1",
        transport=SupervisorTransport(serverurl=f"unix://{os.environ['SUPERVISOR_SOCKET']}"),
    )
    calls: Any = supervisor.supervisor
    try:
        _bring_up(calls)
    except (ServerFailed, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"The stack did not start: {error}\n")
        (Path(os.environ["DATA_DIR"]) / FAILED).touch()
        calls.shutdown()
        return 1
    return 0


def _bring_up(calls: Any) -> None:
    _wait_for_postgres()
    for command in (["migrate", "--verbosity", "0"], ["seeder", "--if-empty"]):
        subprocess.run([sys.executable, "manage.py", *command], check=True)  # noqa: S603  commands of ours
    stopped = {"STOPPED", "EXITED", "FATAL"}
    programs = [info["name"] for info in calls.getAllProcessInfo() if info["statename"] in stopped]
    for name in ("simulator", "worker", "api"):
        if name in programs:
            calls.startProcess(name, False)  # noqa: FBT003  its signature: do not wait
    base = f"http://127.0.0.1:{os.environ['PORT']}"
    _wait_for(f"{base}/health/ready/")
    if "SIMULATOR_PORT" in os.environ:
        _wait_for(f"{os.environ['EXCHANGE_URL']}/api/v3/ping")
    folder = Path(os.environ["DATA_DIR"])
    (folder / "ready").touch()
    sys.stdout.write(_banner(base, folder))


def _wait_for_postgres() -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            create_database(
                host=os.environ["POSTGRES_HOST"],
                port=int(os.environ.get("POSTGRES_PORT", "5432")),
                user=os.environ.get("POSTGRES_USER", "postgres"),
                password=os.environ.get("POSTGRES_PASSWORD", ""),
                name=os.environ.get("POSTGRES_DB", "crypto_exchange"),
            )
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise ServerFailed("PostgreSQL does not answer") from error
            time.sleep(0.1)
        else:
            return


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  our own address
        except OSError as error:
            if time.monotonic() > deadline:
                raise ServerFailed(f"{url} does not answer") from error
            time.sleep(0.1)
        else:
            return


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
        f"Stop it with Ctrl-C, or: kill $(cat {folder / 'dev.pid'})\n\n"
    )
