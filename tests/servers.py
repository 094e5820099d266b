"""A pytest plugin: real Postgres and Redis for the tests, started when the environment names none.

It is loaded by `-p tests.servers` and acts before pytest-django reads the settings. The rest of the site's
configuration is taken out of the environment, so that the tests run on the defaults and never meet a
developer's running stack, nor an exchange where real money is.
"""

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

_running = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    _forget_configuration()
    _start_servers()


def pytest_unconfigure() -> None:
    _running.close()


def _forget_configuration() -> None:
    # Imported late: the coverage plugin begins to measure in the same hook, before this one.
    from exchange_site.configuration import Configuration

    for name in Configuration.model_fields:
        if not name.startswith(("POSTGRES_", "REDIS_")):
            os.environ.pop(name, None)
    os.environ["POSTGRES_POOL_SIZE"] = "0"


def _start_servers() -> None:
    from exchange_site.development import embedded, places

    atexit.register(_running.close)
    folder = Path(tempfile.mkdtemp(prefix="crypto-exchange-tests-"))
    folder.chmod(0o711)  # root's servers run as nobody and pass through
    _running.callback(places.erase_data_dir, folder)
    os.environ["DATA_DIR"] = str(folder)
    makers = {"POSTGRES_HOST": embedded.postgres_server, "REDIS_HOST": embedded.redis_server}
    for host, make in makers.items():
        if not os.environ.get(host):
            server = make(data_dir=folder, durable=False)
            _running.enter_context(embedded.running(server, log=folder / f"{server.name}.log"))
            os.environ.update(server.address)
