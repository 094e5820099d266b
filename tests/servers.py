"""A pytest plugin that starts PostgreSQL and Redis for the tests, unless the environment names servers.

Loaded with `-p`, so that it runs before pytest-django reads the settings.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from psycopg import sql

from exchange_site.configuration import resolve_environment
from exchange_site.stack.environment import owner_variables, postgres_variables, redis_variables
from exchange_site.stack.servers import connect, prepare_postgres, prepare_redis, stop_server

_OWN_REDIS = "TESTS_OWN_REDIS"
_children = []


def pytest_xdist_auto_num_workers(config):
    """Use two processes, because tests often wait; but one if the environment names a Redis, which two cannot share."""
    return 2 if _OWN_REDIS in os.environ else 1


def _start_servers():
    folder = Path(tempfile.mkdtemp(prefix="crypto-exchange-tests-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    given = resolve_environment(os.environ)
    if not given.get("POSTGRES_HOST"):
        postgres = prepare_postgres(folder, durable=False)
        _children.append(postgres.start())
        os.environ.update({**postgres_variables(postgres), **owner_variables(postgres)})
        _let_roles_log_in_quickly()
    elif not given.get("POSTGRES_OWNER_USER"):
        # The given role makes the tests' databases, and another one uses them.
        single = {name: value for name, value in given.items() if name.startswith("POSTGRES_")}
        os.environ.pop("DATABASE_URL", None)
        os.environ.update(single)
        os.environ["POSTGRES_OWNER_USER"] = given.get("POSTGRES_USER", "postgres")
        os.environ["POSTGRES_OWNER_PASSWORD"] = given.get("POSTGRES_PASSWORD", "")
        os.environ.update(POSTGRES_USER="crypto_exchange_tests", POSTGRES_PASSWORD=secrets.token_urlsafe(24))
    # The processes of pytest-xdist share Postgres, each with its own database. Each needs its own Redis.
    if not given.get("REDIS_HOST") or _OWN_REDIS in os.environ:
        redis = prepare_redis(folder, durable=False)
        _children.append(redis.start())
        os.environ.update({**redis_variables(redis), _OWN_REDIS: "yes"})
    # No pool: it would keep connections longer than the test's database exists.
    os.environ["POSTGRES_POOL_SIZE"] = "0"
    # Tests of rate limits set their own rates. All other tests call from one address and must not be limited.
    for name in (
        "USER",
        "ANON",
        "LOGIN",
        "LOGIN_ACCOUNT",
        "REFRESH",
        "REGISTER",
        "ORDERS",
        "QUOTES",
        "WALLET",
        "STATEMENTS",
        "MAIL",
        "MAILBOX",
    ):
        os.environ[f"RATE_LIMIT_{name}"] = "1000000/h"
    os.environ["EXCHANGE_URL"] = "http://127.0.0.1:9"  # nothing listens there: tests start their own simulators


def _let_roles_log_in_quickly():
    """Store passwords that are set from now on with one round of SCRAM: tests and what they start log in very often."""
    with connect(os.environ, database="postgres") as connection:
        connection.execute("ALTER SYSTEM SET scram_iterations = 1")
        connection.execute("SELECT pg_reload_conf()")
        password = sql.Literal(os.environ["POSTGRES_OWNER_PASSWORD"])
        connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(password))


def _stop_servers():
    while _children:
        stop_server(_children.pop())


atexit.register(_stop_servers)
_start_servers()
