"""Connections to Postgres that were lost: closed at once, and tried once more where nothing can have happened."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from decimal import Decimal

import psycopg
import pytest
import redis
from django.db import DatabaseError, OperationalError, connection, transaction

from exchange_site import health
from settlement.verification import verify_everything
from tests.owner import owner_parameters, run_as_owner
from tests.proxy import Proxy
from wallets.models import Transaction, User
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import idempotency_key
from wallets.runtime.lost_connections import CommitUnknown, is_lost, was_refused
from wallets.runtime.postgres.base import DatabaseWrapper
from wallets.runtime.postgres.connections import KeptConnection, report_loss
from wallets.services import deposits
from wallets.services.cash import deposit

pytestmark = pytest.mark.django_db(transaction=True)


def ask(question, *values):
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        return cursor.fetchone()[0]


def backend():
    return ask("SELECT pg_backend_pid()")


def elsewhere(statement, *values):
    """Run a statement over another connection."""
    with psycopg.connect(**owner_parameters() | {"dbname": "postgres"}, autocommit=True) as line:
        line.execute(statement, values)


def end_session(pid):
    elsewhere("SELECT pg_terminate_backend(%s, 5000)", pid)


@contextmanager
def read_only_database():
    """Let new sessions of the database only read, as those of a server that was fenced.

    Our own may be opened all the same, as sessions are that were opened before, or by a pooler.
    """
    name, options = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"]
    elsewhere(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connection.close()
    options["target_session_attrs"], wanted = "any", options["target_session_attrs"]
    try:
        yield
    finally:
        options["target_session_attrs"] = wanted
        elsewhere(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@pytest.fixture
def through_proxy():
    """Connect this thread to Postgres through a proxy."""
    port = connection.settings_dict["PORT"]
    proxy = Proxy(int(port))
    connection.close()
    connection.settings_dict["PORT"] = str(proxy.port)
    yield proxy
    connection.close()
    connection.settings_dict["PORT"] = port
    proxy.close()


@pytest.fixture
def altered_table():
    """A table whose column gets another type between two runs of a prepared statement."""
    run_as_owner("CREATE TABLE altered (id int, name int)")
    run_as_owner("INSERT INTO altered VALUES (1, 7)")
    run_as_owner(f"GRANT SELECT, INSERT, UPDATE ON altered TO {connection.settings_dict['USER']}")
    yield
    connection.close()
    run_as_owner("DROP TABLE altered")


QUERY = "SELECT name FROM altered WHERE id = %s"
CHANGE = "ALTER TABLE altered ALTER COLUMN name TYPE text"


def prepare_and_change():
    for _ in range(8):
        ask(QUERY, 1)
    with psycopg.connect(**owner_parameters(), autocommit=True) as line:
        line.execute(CHANGE)


class TestARead:
    def test_is_repeated_after_its_session_was_ended(self):
        first = backend()
        end_session(first)
        assert backend() != first

    def test_is_repeated_when_its_prepared_plan_is_stale(self, altered_table):
        prepare_and_change()
        assert ask(QUERY, 1) == "7"

    def test_is_repeated_when_its_prepared_statement_is_gone(self):
        for _ in range(8):
            ask("SELECT %s::int", 1)
        first = backend()
        connection.connection.pgconn.exec_(b"DEALLOCATE ALL")  # as a pooler does
        assert ask("SELECT %s::int", 1) == 1
        assert backend() != first

    def test_is_repeated_over_one_new_connection_only(self, through_proxy):
        assert ask("SELECT 1") == 1
        with through_proxy.held(then_cut=True):
            pass
        through_proxy.close_door()
        with pytest.raises(OperationalError):
            ask("SELECT 1")
        assert connection.connection is None

    def test_is_given_up_when_the_line_stays_silent(self, through_proxy, monkeypatch):
        assert ask("SELECT 1") == 1
        monkeypatch.setattr(KeptConnection, "answer_within_seconds", 0.3)
        with through_proxy.held(then_cut=True), pytest.raises(OperationalError, match=r"no answer within 0\.3 s"):
            ask("SELECT 1")
        assert connection.connection is None
        monkeypatch.undo()
        assert ask("SELECT 1") == 1

    def test_that_answers_in_time_is_not_given_up(self, monkeypatch):
        monkeypatch.setattr(KeptConnection, "answer_within_seconds", 5)
        assert ask("SELECT 1 FROM pg_sleep(0.5)") == 1


class TestReadiness:
    def test_that_waits_in_vain_leaves_the_other_connections_alone(self, monkeypatch):
        first = backend()
        monkeypatch.setattr(health, "_LIMIT_SECONDS", 0.3)
        monkeypatch.setattr(health, "_MAY_WRITE", "SELECT true FROM pg_sleep(3)")
        assert health._ask_postgres(connection.get_connection_params()) == health.UNAVAILABLE
        assert connection.connection.is_fit()
        assert backend() == first

    def test_that_finds_a_database_that_is_read_only_replaces_the_other_connections(self, monkeypatch):
        first = backend()
        monkeypatch.setattr(health, "_MAY_WRITE", "SELECT false")
        assert health._ask_postgres(connection.get_connection_params()) == health.READ_ONLY
        assert not connection.connection.is_fit()
        connection.close_if_unusable_or_obsolete()
        assert backend() != first


class TestAWriteOutsideATransaction:
    def test_is_repeated_if_the_server_refused_it(self):
        user = User.objects.create_user("alice")
        with read_only_database():
            assert ask("SHOW transaction_read_only") == "on"
        User.objects.filter(pk=user.pk).update(email="a@example.com")
        user.refresh_from_db()
        assert user.email == "a@example.com"

    def test_is_not_repeated_if_it_may_have_run(self, through_proxy):
        user = User.objects.create_user("alice")
        give_up = threading.Timer(0.3, through_proxy.cut)
        with through_proxy.held(then_cut=True):
            give_up.start()
            with pytest.raises(OperationalError):
                User.objects.filter(pk=user.pk).update(email="a@example.com")
        give_up.join()
        user.refresh_from_db()
        assert user.email == ""


class TestADatabaseTransaction:
    @pytest.fixture
    def runs(self):
        return []

    @pytest.fixture
    def transact(self, runs):
        @retried_on_conflict
        @transaction.atomic(durable=True)
        def transact(*, before_the_end=lambda: None):
            runs.append(backend())
            if len(runs) == 1:
                before_the_end()
            User.objects.create_user("alice")

        return transact

    def test_runs_again_if_its_connection_was_lost_before_the_commit(self, transact, runs):
        transact(before_the_end=lambda: end_session(runs[0]))
        assert len(set(runs)) == 2
        assert User.objects.count() == 1

    def test_does_not_end_well_if_the_code_inside_caught_the_error(self):
        def transact():
            with transaction.atomic(durable=True):
                User.objects.create_user("alice")
                end_session(backend())
                with suppress(DatabaseError):
                    ask("SELECT 1")

        with pytest.raises(DatabaseError) as caught:
            transact()
        assert is_lost(caught.value)
        assert not User.objects.exists()

    def test_within_another_runs_again_with_it(self, runs):
        @retried_on_conflict
        @transaction.atomic(durable=True)
        def transact():
            runs.append(backend())
            with transaction.atomic():
                if len(runs) == 1:
                    end_session(runs[0])
                User.objects.create_user("alice")

        transact()
        assert len(set(runs)) == 2
        assert User.objects.count() == 1

    def test_runs_again_after_the_database_was_read_only(self, transact, runs):
        with read_only_database():
            ask("SELECT 1")
        transact()
        assert len(set(runs)) == 2
        assert User.objects.count() == 1

    def test_fails_while_the_database_is_read_only(self, transact, runs):
        with read_only_database(), pytest.raises(DatabaseError) as caught:
            transact()
        assert is_lost(caught.value)
        assert connection.connection is None
        assert len(runs) == 2
        assert not User.objects.exists()

    def test_runs_again_when_its_prepared_plan_is_stale(self, altered_table, runs):
        @retried_on_conflict
        @transaction.atomic(durable=True)
        def read():
            runs.append(1)
            return ask(QUERY, 1)

        prepare_and_change()
        assert read() == "7"
        assert len(runs) == 2


class TestALostAnswerToCommit:
    @pytest.fixture
    def lose_the_answer(self, through_proxy, monkeypatch):
        """Let the answer to the first COMMIT be lost, and the connection reset a moment later."""
        credit, losses = deposits.credit, []

        def lose():
            with through_proxy.muted():
                losses[0].set()
                threading.Event().wait(0.5)

        def credit_and_lose(**arguments):
            credit(**arguments)
            if not losses:
                losses.append(threading.Event())
                threading.Thread(target=lose).start()
                losses[0].wait(5)

        monkeypatch.setattr(deposits, "credit", credit_and_lose)
        return losses

    def test_is_not_taken_for_a_failure(self, shopper, lose_the_answer, now):
        with pytest.raises(CommitUnknown) as caught:
            deposit(principal=shopper.principal, amount=Decimal(5), key=None, now=now)
        assert is_lost(caught.value)
        assert shopper.wallet.balance == 105
        assert verify_everything() == []

    def test_is_asked_for_again_under_the_same_key(self, shopper, lose_the_answer, now):
        key = idempotency_key(key="k", request={"amount": Decimal(5)})
        moved = deposit(principal=shopper.principal, amount=Decimal(5), key=key, now=now)
        assert (moved.balance, moved.replayed) == (105, True)
        assert Transaction.objects.filter(kind="deposit", idempotency_key="k").count() == 1
        assert verify_everything() == []


class TestAnIdleConnection:
    def test_shows_that_the_server_ended_it(self):
        first = backend()
        assert not connection.connection.has_been_ended()
        end_session(first)
        assert connection.connection.has_been_ended()

    def test_begins_no_database_transaction_after_another_thread_has_lost_its_own(self):
        first = backend()
        report_loss()
        with transaction.atomic():
            second = backend()
            report_loss()
            assert backend() == second
        assert first != second

    def test_is_replaced_after_another_thread_lost_its_own(self):
        first = backend()

        def lose():
            with read_only_database(), pytest.raises(DatabaseError):
                User.objects.create_user("alice")
            connection.close()

        thread = threading.Thread(target=lose)
        thread.start()
        thread.join()
        assert not connection.connection.is_fit()
        connection.settings_dict["CONN_MAX_AGE"], age = None, connection.settings_dict["CONN_MAX_AGE"]
        connection.close_if_unusable_or_obsolete()
        connection.settings_dict["CONN_MAX_AGE"] = age
        assert backend() != first


class TestSeveralHosts:
    @pytest.fixture
    def silent_host_first(self, monkeypatch):
        """An address that takes connections and never answers, before the database's own, which was not reached yet."""
        monkeypatch.setattr("wallets.runtime.postgres.connections._Hosts.last", None)
        settings = connection.settings_dict
        before = {name: settings[name] for name in ("HOST", "PORT")}
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            connection.close()
            settings.update(HOST=f"127.0.0.1,{before['HOST']}", PORT=f"{port},{before['PORT']}")
            yield
            connection.close()
            settings.update(before)

    def test_are_tried_in_turn_and_the_one_that_was_reached_is_first_from_then_on(self, silent_host_first):
        seconds = []
        for _ in range(3):
            begun = time.monotonic()
            assert ask("SELECT 1") == 1
            seconds.append(time.monotonic() - begun)
            connection.close()
        assert seconds[0] > 2  # as long as a host may take
        assert max(seconds[1:]) < 2


class TestAPool:
    @pytest.fixture
    def pooled(self):
        options = {**connection.settings_dict["OPTIONS"], "pool": {"min_size": 0, "max_size": 2, "timeout": 5}}
        wrapper = DatabaseWrapper({**connection.settings_dict, "OPTIONS": options}, alias="pooled")
        yield wrapper
        wrapper.close()
        wrapper.close_pool()

    def ask_for_backend(self, pooled):
        with pooled.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            found = cursor.fetchone()[0]
        pooled.close()
        return found

    def test_gives_a_connection_again_while_it_is_good(self, pooled):
        assert self.ask_for_backend(pooled) == self.ask_for_backend(pooled)

    def test_gives_no_connection_that_the_server_ended(self, pooled):
        first = self.ask_for_backend(pooled)
        end_session(first)
        with transaction_of(pooled), pooled.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            assert cursor.fetchone()[0] != first

    def test_gives_no_connection_that_is_older_than_a_loss(self, pooled):
        first = self.ask_for_backend(pooled)
        report_loss()
        assert self.ask_for_backend(pooled) != first


@contextmanager
def transaction_of(wrapper):
    """Run a database transaction, in which nothing is repeated."""
    wrapper.set_autocommit(False)
    try:
        yield
    finally:
        wrapper.rollback()
        wrapper.set_autocommit(True)


class TestTheList:
    @pytest.mark.parametrize(
        "code", ["25006", "57P01", "57P02", "57P03", "08006", "08P01", "26000", "42P05", "53300", "25P03"]
    )
    def test_has_each_error_that_makes_a_connection_useless(self, code):
        assert is_lost(psycopg.errors.lookup(code)("gone") if code != "08P01" else psycopg.errors.ProtocolViolation())

    @pytest.mark.parametrize("code", ["23505", "40001", "40P01", "55P03", "57014", "42703", "22003", "0A000"])
    def test_has_no_error_of_a_statement(self, code):
        assert not is_lost(psycopg.errors.lookup(code)("no"))

    @pytest.mark.parametrize(
        "error",
        [
            redis.ReadOnlyError("You can't write against a read only replica.", status_code="READONLY"),
            redis.ResponseError("Error running script (call to f_0): @user_script:5: -READONLY You can't write"),
            redis.BusyLoadingError("Redis is loading the dataset in memory"),
            redis.exceptions.MasterDownError("Link with MASTER is down", status_code="MASTERDOWN"),
            redis.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"),
            redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
        ],
        ids=str,
    )
    def test_has_the_errors_of_redis_too(self, error):
        assert is_lost(error)

    def test_knows_a_command_that_redis_did_not_run(self):
        assert was_refused(redis.ReadOnlyError("You can't write against a read only replica.", status_code="READONLY"))
        assert not was_refused(redis.TimeoutError("Timeout reading from socket"))
        assert not is_lost(redis.ResponseError("value is not an integer or out of range"))
