"""A pytest plugin: a real PostgreSQL and a real Redis for the tests, unless the environment names some.

Loaded with `-p`, so that it runs before pytest-django reads the settings.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from exchange_site.stack.environment import postgres_variables, redis_variables
from exchange_site.stack.servers import prepare_postgres, prepare_redis, stop_server

_OWN_REDIS = "TESTS_OWN_REDIS"
_children = []


def pytest_xdist_auto_num_workers(config):
    """Two, unless they would have to share somebody's Redis. Much of the tests waits for processes."""
    return 2 if _OWN_REDIS in os.environ else 1


def _start_servers():
    folder = Path(tempfile.mkdtemp(prefix="crypto-exchange-tests-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if not os.environ.get("POSTGRES_HOST"):
        postgres = prepare_postgres(folder, durable=False)
        _children.append(postgres.start())
        os.environ.update(postgres_variables(postgres))
    # The processes of pytest-xdist share Postgres, with a database each; a Redis each they need to have.
    if not os.environ.get("REDIS_HOST") or _OWN_REDIS in os.environ:
        redis = prepare_redis(folder, durable=False)
        _children.append(redis.start())
        os.environ.update({**redis_variables(redis), _OWN_REDIS: "yes"})
    # Threads of a test keep connections; a pool would keep them beyond the test's database.
    os.environ["POSTGRES_POOL_SIZE"] = "0"
    # The tests of the limits set their own; the others are one busy customer.
    for name in ("USER", "ANON", "LOGIN", "REGISTER", "ORDERS", "WALLET"):
        os.environ[f"RATE_LIMIT_{name}"] = "1000000/h"
    os.environ["EXCHANGE_URL"] = "http://127.0.0.1:9"  # nothing listens: a test starts a simulator of its own


def _stop_servers():
    while _children:
        stop_server(_children.pop())


atexit.register(_stop_servers)
_start_servers()
