"""Run the stand-in for the replaced system, with servers of its own, as `side.py` runs a tree of the project."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange_site.stack.environment import split_owner
from exchange_site.stack.processes import NotInTime, free_port, local_url, start, wait_for_answer
from exchange_site.stack.servers import create_database, prepare_redis, stop_server
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.packages import prepare_python
from tests.benchmark.still_postgres import Connection, running_postgres

FOLDER: Final = Path(__file__).with_name("replaced")
_DATABASE: Final = "replaced"
_START_SECONDS: Final = 60.0
_PROCESSES: Final = "2"
_THREADS: Final = "4"  # of a process


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The running stand-in. `tokens` is a file with one access token a line; `running` has the ids of its processes."""

    url: str
    tokens: Path
    environment: Mapping[str, str]
    connection: Connection
    running: Mapping[str, int]


@contextmanager
def running_replaced(*, folder: Path, customers: int) -> Iterator[Replaced]:
    """Start the stand-in, new, with customers and a coin. Raises BenchmarkFailed."""
    python = prepare_python(name="replaced", requirements=FOLDER / "requirements.txt")
    folder.mkdir(mode=0o755)
    with ExitStack() as ending:
        postgres = ending.enter_context(running_postgres(folder))
        redis = prepare_redis(folder)
        redis_process = ending.enter_context(redis.running())
        environment = {
            **_own_variables(),
            **postgres.environment,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis.port),
            "REDIS_PASSWORD": redis.password,
        }
        create_database(environment)
        _manage(python, "migrate", "--verbosity", "0", environment=environment)
        _manage(python, "open_accounts", str(customers), str(folder / "tokens"), environment=environment)
        url, api = _start_api(python, environment=environment, folder=folder, ending=ending)
        yield Replaced(
            url=url,
            tokens=folder / "tokens",
            environment=environment,
            connection=ending.enter_context(closing(postgres.connect(database=_DATABASE))),
            running={"API": api, "Postgres": postgres.pid, "Redis": redis_process.pid},
        )


def _own_variables() -> dict[str, str]:
    return {
        **split_owner(os.environ)[0],
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PYTHONPATH": str(FOLDER),
        "PYTHONHASHSEED": "0",  # as on our side
        "POSTGRES_DB": _DATABASE,
        "SECRET_KEY": secrets.token_urlsafe(40),
        "JWT_SECRET_KEY": secrets.token_urlsafe(40),
    }


def _manage(python: str, *arguments: str, environment: Mapping[str, str]) -> None:
    command = [python, "-W", "ignore", "-m", "django", *arguments]
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"replaced: {arguments[0]} failed:\n{done.stderr[-2000:]}")


def _start_api(python: str, *, environment: Mapping[str, str], folder: Path, ending: ExitStack) -> tuple[str, int]:
    port = free_port()
    command = [
        *(python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--http", "1"),
        *("--workers", _PROCESSES, "--blocking-threads", _THREADS, "--no-ws", "--log-level", "warning"),
        "shop.wsgi:application",
    ]
    log = folder / "API.log"
    process = start(command, environment=environment, output=log)
    ending.callback(stop_server, process)
    try:
        wait_for_answer(f"{local_url(port)}/health/", seconds=_START_SECONDS, by=process)
    except NotInTime as error:
        raise BenchmarkFailed(f"replaced: {error}\n{log.read_text()[-2000:]}") from error
    return local_url(port), process.pid
