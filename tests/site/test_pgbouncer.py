"""API and worker behind PgBouncer in transaction mode, with the configuration in deploy/pgbouncer."""

import os
import shutil
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

import httpx
import psycopg
import pytest
from django.db import connection, transaction

from exchange_site.stack.processes import PROJECT, free_port, start
from settlement.verification import verify_everything
from tests.conftest import make_coin
from tests.owner import owner_parameters
from tests.processes import at_once, insist, somebody_waits_for_a_lock, stopped, wait_for
from trading.models import Order
from wallets.models import Wallet

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("pgbouncer"), reason="PgBouncer is not installed (apt-get install pgbouncer)"),
]

CONFIGURATION = PROJECT / "deploy" / "pgbouncer" / "pgbouncer.ini.template"


@contextmanager
def running_pgbouncer():
    """Start PgBouncer in front of the test's database, and yield the variables of processes behind it."""
    database, port = connection.settings_dict, free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PgBouncer refuses to run as root, so another user has to read it
        users, configuration = folder / "userlist.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{database["USER"]}" "{database["PASSWORD"]}"\n')
        values = {
            "POSTGRES_HOST": database["HOST"],
            "POSTGRES_PORT": database["PORT"],
            "POSTGRES_DB": database["NAME"],
            "LISTEN_ADDRESS": "127.0.0.1",
            "LISTEN_PORT": port,
            "AUTH_FILE": users,
        }
        configuration.write_text(Template(CONFIGURATION.read_text()).substitute(values))
        command = (shutil.which("pgbouncer"), str(configuration))
        with stopped(start(command, user="nobody" if os.geteuid() == 0 else None)):
            parameters = {"host": "127.0.0.1", "port": port, "dbname": database["NAME"], "user": database["USER"]}
            wait_for(
                lambda: psycopg.connect(**parameters, password=database["PASSWORD"]).close() or True,
                ignoring=psycopg.OperationalError,
            )
            yield {
                "POSTGRES_HOST": "127.0.0.1",
                "POSTGRES_PORT": str(port),
                "POSTGRES_PREPARE": "False",
                "POSTGRES_POOL_SIZE": "0",
            }


@pytest.fixture
def behind():
    with running_pgbouncer() as variables:
        yield variables
    connection.close()


def buy(api, shopper):
    body = {"crypto": "ABAN", "total": "12.00"}
    return httpx.post(f"{api}orders/", json=body, headers=shopper.headers, timeout=30)


def lock_timeouts(behind, *, sessions):
    """Return the lock timeouts of so many sessions of PgBouncer's, each in a database transaction of its own."""
    database = connection.settings_dict
    with ExitStack() as stack:
        lines = [
            stack.enter_context(
                psycopg.connect(
                    host=behind["POSTGRES_HOST"],
                    port=behind["POSTGRES_PORT"],
                    dbname=database["NAME"],
                    user=database["USER"],
                    password=database["PASSWORD"],
                )
            )
            for _ in range(sessions)
        ]
        found = [line.execute("SELECT pg_backend_pid(), current_setting('lock_timeout')").fetchone() for line in lines]
    assert len({process for process, _ in found}) == sessions
    return {timeout for _, timeout in found}


@contextmanager
def administrator():
    """Yield a connection to Postgres itself, beside the test's database."""
    with psycopg.connect(**owner_parameters() | {"dbname": "postgres"}, autocommit=True) as line:
        yield line


def end_all_sessions(line):
    line.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
        [connection.settings_dict["NAME"]],
    )


def test_orders_are_placed_and_settled_behind_it(make_api_process, make_worker, make_shopper, simulator, behind):
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    shopper = make_shopper("1000.00")
    apis = [make_api_process(**behind) for _ in range(2)]
    make_worker(EXCHANGE_URL=simulator.url, **behind)
    answers = at_once(24, lambda number: insist(lambda: buy(apis[number % 2], shopper)))
    assert {answer.status_code for answer in answers} == {201}
    assert httpx.get(f"{apis[0]}orders/", headers=shopper.headers).status_code == 200
    assert httpx.get(apis[0].replace("/api/v1/", "/health/ready/")).json()["postgres"] == "ok"
    wait_for(lambda: Order.objects.filter(state="completed").count() == 24, seconds=40)
    assert shopper.holding("ABAN") == 72
    assert verify_everything() == []


def test_orders_are_placed_together_behind_it(make_api_process, make_shopper, coin, behind):
    """Also past a wallet that is held. What a group sets for its transaction is gone from the session after it."""
    api, busy, others = make_api_process(**behind), make_shopper("1000.00"), [make_shopper("1000.00") for _ in range(6)]
    is_held, answers = threading.Event(), []

    def call(number):
        if number == 36:
            with transaction.atomic():
                list(Wallet.objects.select_for_update(no_key=True).filter(owner=busy.user))
                is_held.set()
                wait_for(lambda: answers.count(201) >= 10 and somebody_waits_for_a_lock(), seconds=30)
                assert not Order.objects.filter(customer=busy.user).exists()
        else:
            assert is_held.wait(30)
            answers.append(buy(api, others[number % 6] if number < 30 else busy).status_code)

    at_once(37, call)
    assert answers == [201] * 36
    assert len({order.created_at for order in Order.objects.all()}) < 36, "orders of a group are of one moment"
    assert busy.wallet.balance == 1000 - 6 * 12
    assert lock_timeouts(behind, sessions=6) == {"2s"}
    assert verify_everything() == []


def test_sessions_that_postgres_ended_are_replaced(make_api_process, shopper, coin, behind):
    api = make_api_process(**behind)
    assert buy(api, shopper).status_code == 201
    with administrator() as line:
        end_all_sessions(line)
    connection.close()
    assert wait_for(lambda: buy(api, shopper).status_code == 201)
    assert verify_everything() == []


def test_sessions_that_were_opened_while_the_server_was_read_only_do_not_last(make_api_process, shopper, coin, behind):
    api, name = make_api_process(**behind), connection.settings_dict["NAME"]
    assert buy(api, shopper).status_code == 201
    with administrator() as line:
        line.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        end_all_sessions(line)
        refused = at_once(4, lambda _: buy(api, shopper))
        line.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "unavailable")}
    assert wait_for(lambda: buy(api, shopper).status_code == 201, seconds=20)
    connection.close()
    assert Order.objects.count() == 2
    assert verify_everything() == []


def test_an_outage_behind_it_is_a_503_and_no_storm_of_connections(make_api_process, shopper, coin, behind):
    """PgBouncer goes on accepting clients, and says only to their first statement that Postgres is away."""
    name = connection.settings_dict["NAME"]
    api = make_api_process(**behind, WEB_THREADS="2")
    assert buy(api, shopper).status_code == 201
    with administrator() as line:
        line.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            end_all_sessions(line)
            refused = at_once(4, lambda _: buy(api, shopper))
            assert {answer.status_code for answer in refused} == {503}
            assert httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30).status_code == 503
        finally:
            line.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    connection.close()
    assert wait_for(lambda: buy(api, shopper).status_code == 201, seconds=30)
    assert verify_everything() == []
