"""Fixtures: customers, coins, a simulator for the test, real processes."""

import json
import os
import signal
import tempfile
import uuid
from contextlib import ExitStack, suppress
from decimal import Decimal
from functools import cache
from pathlib import Path

import httpx
import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from exchange_site.database.owner import as_owner
from exchange_site.stack.environment import redis_variables, simulator_credentials, split_owner
from exchange_site.stack.processes import API, WORKER, free_port, local_url, start, stop, wait_for_answer
from exchange_site.stack.servers import prepare_redis
from tests.configure import configure
from tests.dialects import DIALECTS
from tests.emptying import empty_tables
from tests.parking import parking
from tests.patience import stretched
from tests.simulators import running_simulator
from tests.staff import let_do_everything
from trading.services.coins import put_on_sale, save_coin
from trading.services.prices import record_price
from wallets.models import User
from wallets.runtime import redis_store
from wallets.runtime.hashing import Argon2Hasher
from wallets.selectors.accounts import Principal
from wallets.services.accounts import open_dollar_wallet
from wallets.services.cash import book_opening_deposit
from wallets.services.tokens import read_access_token, start_token_family

DATABASE_SECONDS = 120

# Slowness is no finding: the machine may be busy.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

_begun = []  # the first test of this process


def pytest_addoption(parser):
    parser.addoption("--dialect", choices=sorted(DIALECTS), default="binance", help="in which settlement talks")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    """Let the owner create and migrate the tests' databases."""
    with ExitStack() as entered:
        entered.enter_context(as_owner())
        yield entered


@pytest.fixture(scope="session")
def django_db_setup(django_db_modify_db_settings, django_db_setup, django_db_blocker):
    """Let the application's role use the databases, until the owner drops them.

    In the owner's sessions no trigger fires: the flush between two tests has to empty tables that refuse it.
    """
    with django_db_blocker.unblock():
        database = connection.settings_dict["NAME"]
        with connection.cursor() as cursor:
            cursor.execute(
                SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET session_replication_role = replica").format(
                    Identifier(database)
                )
            )
        django_db_modify_db_settings.close()
        assert connection.settings_dict["NAME"] == database
    with parking(connection.settings_dict):
        yield
        with django_db_blocker.unblock():
            connection.close()
    with django_db_blocker.unblock():
        django_db_modify_db_settings.enter_context(as_owner())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Stretch the time limit of a test on a busy machine. The first test of a process also makes the database."""
    own = item.get_closest_marker("timeout")
    seconds = own.args[0] if own else float(item.config.getoption("timeout") or item.config.getini("timeout"))
    if not _begun:
        _begun.append(item.nodeid)
        seconds += DATABASE_SECONDS
    item.add_marker(pytest.mark.timeout(stretched(seconds)), append=False)
    return (yield)


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once():
    """Without this, httpx reads those of all authorities for each client, which takes longer than a call."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


COSTS_OF_A_HASH = {"memory_cost": Argon2Hasher.memory_cost, "time_cost": Argon2Hasher.time_cost}


@pytest.fixture(scope="session", autouse=True)
def _hashes_cost_little():
    """A hash of a password is slow on purpose. In this process alone: those that tests start are as in production."""
    with pytest.MonkeyPatch.context() as patched:
        for name, least in {"memory_cost": 8, "time_cost": 1}.items():
            patched.setattr(Argon2Hasher, name, least)
        yield


@pytest.fixture
def costly_hashes(monkeypatch):
    """Let hashes cost as much as in production."""
    for name, cost in COSTS_OF_A_HASH.items():
        monkeypatch.setattr(Argon2Hasher, name, cost)


@pytest.fixture(autouse=True)
def clean_slate(request):
    """Empty Redis, and the job tables if the test uses the database."""
    redis_store.breaker.reset()
    vars(redis_store._own).clear()
    redis_store.with_redis(lambda client: client.flushall())
    if (
        "db" in request.fixturenames
        or "transactional_db" in request.fixturenames
        or request.node.get_closest_marker("django_db")
    ):
        request.getfixturevalue("_no_jobs")


@pytest.fixture
def _no_jobs(db):
    tables = ("periodic_defers", "events", "jobs", "workers")
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"DELETE FROM procrastinate_{table}" for table in tables))


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def coin(db, now):
    """The coin ABAN with a fixed price of 4.00."""
    return make_coin("ABAN", "4.00")


def make_coin(name, price, **fields):
    """Make a coin with a fixed price, which never becomes too old."""
    coin = put_on_sale(name=name, **fields)
    coin.fixed_price = Decimal(price)
    save_coin(coin=coin)
    record_price(coin=coin, value=Decimal(price), source="test", now=timezone.now())
    return coin


class Shopper:
    """A customer, with the principal for services and the headers for HTTP calls."""

    def __init__(self, balance):
        self.user = User.objects.create_user(f"user{uuid.uuid4().hex[:12]}")
        open_dollar_wallet(owner=self.user)
        if balance:
            book_opening_deposit(owner_id=self.user.pk, amount=Decimal(balance), now=timezone.now())
        self.principal = Principal(user_id=self.user.pk, token_version=0)
        self.tokens = start_token_family(user=self.user, now=timezone.now())
        self.headers = {"Authorization": f"Bearer {self.tokens.access}"}

    @property
    def family_id(self):
        """The sign-in that `tokens` comes from."""
        return read_access_token(self.tokens.access).family_id

    @property
    def wallet(self):
        return self.user.wallets.get(asset="USD")

    def holding(self, coin):
        wallet = self.user.wallets.filter(asset=coin).first()
        return wallet.balance if wallet else Decimal(0)


@pytest.fixture
def admin_user(admin_user):
    """Return a superuser who has every permission of the roles too. `admin_client` is signed in as this person."""
    return let_do_everything(admin_user)


@pytest.fixture
def make_shopper(db):
    return lambda balance="100.00": Shopper(balance)


@pytest.fixture
def shopper(make_shopper):
    """A customer with 100.00 dollars."""
    return make_shopper()


class Api:
    """Calls the API in this process, through Django's test client."""

    def __init__(self, client):
        self._client = client

    def __call__(self, method, path, body=None, *, by=None, **headers):
        data = body if isinstance(body, str | bytes) else ("" if body is None else json.dumps(body))
        sent = {
            **(by.headers if by else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = {} if method == "GET" else {"data": data, "content_type": "application/json"}
        return getattr(self._client, method.lower())(f"/api/v1/{path}", headers=sent, **content)


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def spread():
    """How far the simulator's bid and ask are from the set price: not, so that tests can write out its answers."""
    return "0"


@pytest.fixture(scope="session")
def chosen_dialect(request):
    """The dialect that the command line names."""
    return DIALECTS[request.config.getoption("--dialect")]


@pytest.fixture
def dialect(chosen_dialect):
    """The dialect of the test, which a module may override."""
    return chosen_dialect


@pytest.fixture
def simulator(tmp_path, settings, spread, dialect):
    """An exchange simulator for this test; the adapters of this process connect to it."""
    with running_simulator(tmp_path, "--spread", spread) as venue:
        configure(settings, "VENUE", url=venue.url, **dialect.settings())
        yield venue


def process_environment(**extra):
    """Return the environment for a process of the project that uses the tests' database."""
    database = settings.DATABASES["default"]
    return {
        **split_owner(os.environ)[0],
        "POSTGRES_DB": connection.settings_dict["NAME"],
        "POSTGRES_USER": database["USER"],
        "POSTGRES_POOL_SIZE": "0",
        "LOGLEVEL": "WARNING",
        **simulator_credentials(),
        **extra,
    }


@pytest.fixture
def make_api_process(transactional_db):
    """Start API servers, each with one worker process of eight threads. `output` is a file for what they print."""
    running = []

    def begin(*, output=None, **environment):
        port = free_port()
        environment = {"PORT": str(port), "WEB_WORKERS": "1", "WEB_THREADS": "8", **environment}
        process = start(API, environment=process_environment(**environment), output=output)
        running.append(process)
        wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(20), by=process)
        return f"{local_url(port)}/api/v1/"

    yield begin
    for process in running:
        stop(process)


@pytest.fixture
def two_apis(make_api_process):
    return [make_api_process(), make_api_process()]


@pytest.fixture
def own_redis():
    """A Redis for this test, which the test may stop or freeze."""
    with tempfile.TemporaryDirectory(prefix="redis-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # else the user who runs the servers could not enter it
        server = prepare_redis(folder, durable=False)
        with server.running() as child:
            yield child, redis_variables(server)
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGCONT)


@pytest.fixture
def make_worker(transactional_db):
    """Start workers, as `manage.py procrastinate worker` does."""
    running = []

    def begin(*options, **environment):
        quick = {"SWEEP_CRON": "* * * * * *", "SWEEP_AFTER_SECONDS": "1"}
        process = start([*WORKER, *options], environment=process_environment(**{**quick, **environment}))
        running.append(process)
        return process

    yield begin
    for process in running:
        stop(process)


@pytest.fixture
def without_redis(settings):
    """Point this process to a port without a Redis."""
    configure(settings, "REDIS", port=free_port())
    vars(redis_store._own).clear()
    yield
    vars(redis_store._own).clear()
