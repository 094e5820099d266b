"""The variables that point a process at its servers, and the servers that a stack has to run itself."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from exchange_site.configuration import Configuration, resolve_environment
from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.stack.processes import free_port, is_free, local_url
from exchange_site.stack.servers import POSTGRES_OWNER, POSTGRES_USER, Server, prepare_postgres, prepare_redis

_API_PORT = 8000
_SIMULATOR_PORT = 9100
_HOLDING = {"RISK_MAX_VALUE_OF_COINS": "HOLD=0"}
"""Each order of the magic coin HOLD is held for staff, by the same rule as an order of any coin that is named here."""


def data_dir() -> Path:
    """Return DATA_DIR, the folder with the files of the embedded servers. An empty one does not name this folder.

    A shell leaves `~` in quotes as it is; here it is the home folder all the same.
    """
    named = os.path.expanduser(os.environ.get("DATA_DIR") or ".data")  # noqa: PTH111  pathlib's fails for an unknown user
    return Path(os.path.realpath(named))


def leave_out_foreign_variables() -> None:
    """Take from this process's environment what would lead it, and its programs, past the stack's own servers.

    Those are a proxy, which has no way to this machine, the variables of libpq, and the settings of another project.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange_site.settings"
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    direct = "*" if given == "*" else ",".join(filter(None, (given, "127.0.0.1,localhost")))
    os.environ |= {"no_proxy": direct, "NO_PROXY": direct}


def prepare_environment(folder: Path) -> tuple[list[Server], dict[str, str]]:
    """Prepare the servers that the environment does not name.

    Return them and the variables that point a process at them. Only some processes may have those of `split_owner`.
    """
    environment: dict[str, str] = {"DATA_DIR": str(folder), "PORT": str(api_port())}
    servers: list[Server] = []
    given = resolve_environment(os.environ)
    if not given.get("POSTGRES_HOST"):
        postgres = prepare_postgres(folder)
        servers.append(postgres)
        environment |= {**postgres_variables(postgres), **owner_variables(postgres)}
    if not given.get("REDIS_HOST"):
        redis = prepare_redis(folder)
        servers.append(redis)
        environment |= redis_variables(redis)
    if not os.environ.get("EXCHANGE_URL"):
        port = simulator_port() or _choose_simulator_port()
        environment |= {"SIMULATOR_PORT": str(port), **simulator_variables(port=port)}
        environment |= {name: os.environ.get(name, value) for name, value in _HOLDING.items()}
    return servers, environment


def api_port() -> int:
    """Return PORT. ` 8000` and `8_000` are accepted too, and addresses have neither."""
    return int(os.environ.get("PORT") or _API_PORT)


def simulator_port() -> int | None:
    """Return SIMULATOR_PORT; None if the stack is to choose one, or the environment names a simulator."""
    text = os.environ.get("SIMULATOR_PORT")
    return int(text) if text and not os.environ.get("EXCHANGE_URL") else None


def _choose_simulator_port() -> int:
    is_possible = api_port() != _SIMULATOR_PORT and is_free(_SIMULATOR_PORT)
    return _SIMULATOR_PORT if is_possible else free_port()


def refuse_wrong_values() -> None:
    """End the process with a sentence for each variable whose value has a wrong form or does not fit to the others.

    The programs would refuse them too, each by itself and minutes later.
    """
    passwords = {f"{server}_PASSWORD": secrets.token_urlsafe() for server in ("POSTGRES", "REDIS")}
    of_urls = resolve_environment(os.environ)
    prepared = {**passwords, **simulator_variables(port=_SIMULATOR_PORT)}
    from_the_stack = {name: value for name, value in prepared.items() if os.environ.get(name) or not of_urls.get(name)}
    given = {name: value for name, value in os.environ.items() if value or name not in from_the_stack}
    Configuration.read_or_exit({**from_the_stack, **given})


def postgres_variables(server: Server, *, port: int | None = None) -> dict[str, str]:
    """Return variables that point web or worker at a Postgres: directly, or through a proxy on `port`."""
    return {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(port or server.port),
        "POSTGRES_USER": POSTGRES_USER,
        "POSTGRES_PASSWORD": server.application_password,
    }


def owner_variables(server: Server) -> dict[str, str]:
    """Return the variables with the owner of a Postgres, for commands that create its database and its tables."""
    return {"POSTGRES_OWNER_USER": POSTGRES_OWNER, "POSTGRES_OWNER_PASSWORD": server.password}


def split_owner(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables of an environment without those of the owner, and those of the owner."""
    owner = {name: value for name, value in environment.items() if name.startswith("POSTGRES_OWNER_")}
    return {name: value for name, value in environment.items() if name not in owner}, owner


def redis_variables(server: Server, *, port: int | None = None) -> dict[str, str]:
    """Return variables that point a process at a Redis: directly, or through a proxy on `port`."""
    return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port or server.port), "REDIS_PASSWORD": server.password}


def simulator_variables(*, port: int | str) -> dict[str, str]:
    """Return variables that point a process at an exchange simulator, with its credentials."""
    return {"EXCHANGE_URL": local_url(port), **simulator_credentials()}


def simulator_credentials() -> dict[str, str]:
    """Return the variables with the API key that every exchange simulator accepts."""
    return {"EXCHANGE_API_KEY": DEFAULT_API_KEY, "EXCHANGE_API_SECRET": DEFAULT_API_SECRET}
