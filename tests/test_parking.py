"""Connections that are closed in the tests' process, and opened again."""

import pytest
from django.db import connection, transaction

from tests.owner import run_as_owner
from tests.parking import close_parked

pytestmark = pytest.mark.django_db(transaction=True)

SESSION = """
    SELECT pg_backend_pid(), current_setting('lock_timeout'), current_setting('TimeZone'), session_user, current_user,
           (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
"""


def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


class TestAClosedConnection:
    def test_is_as_good_as_a_new_one_when_it_is_opened_again(self):
        before = ask(SESSION)
        ask("SET lock_timeout = 7; SET TIME ZONE 'Asia/Tokyo'; SELECT pg_advisory_lock(7)")
        connection.close()
        assert connection.connection is None
        assert ask(SESSION) == before

    def test_is_really_closed_inside_a_database_transaction(self):
        [pid] = ask("SELECT pg_backend_pid()")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            ask("SELECT 1")
            connection.close()
            raise ZeroDivisionError
        connection.close()
        assert ask("SELECT pg_backend_pid()") != (pid,)

    def test_is_another_one_once_its_server_has_ended_it(self):
        [pid] = ask("SELECT pg_backend_pid()")
        run_as_owner(f"SELECT pg_terminate_backend({pid}, 5000)")
        assert ask("SELECT pg_backend_pid()") != (pid,)

    def test_is_another_one_where_a_test_wants_none_to_be_kept(self):
        [pid] = ask("SELECT pg_backend_pid()")
        connection.close()
        close_parked()
        assert ask("SELECT pg_backend_pid()") != (pid,)
