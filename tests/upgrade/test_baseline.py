"""The baseline: an empty database gets from it exactly what all the migrations would have made."""

import os
import re
import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from django.db.migrations.loader import MigrationLoader

from exchange_site.database.alone import _LOCK
from exchange_site.database.baseline import _is_empty
from exchange_site.stack.binaries import NoServers, postgres_binary
from exchange_site.stack.processes import PROJECT, manage, start
from tests.conftest import process_environment
from tests.owner import owner_parameters
from tests.patience import stretched
from tests.processes import stopped, wait_for
from tests.upgrade.releases import Release, new_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

SOME_NEW_ONES = 20
ROWS = (
    "SELECT app, name FROM django_migrations",
    "SELECT app_label, model FROM django_content_type",
    "SELECT app_label, model, codename, name FROM auth_permission p JOIN django_content_type c ON c.id = content_type_id",
    "SELECT group_id, codename FROM auth_group_permissions h JOIN auth_permission p ON p.id = h.permission_id",
    "SELECT name FROM auth_group",
    "SELECT asset, role FROM wallets_wallet",
    "SELECT spread_rate, fee_rate FROM trading_pricerule",
)


@pytest.fixture(scope="module")
def two_databases(django_db_setup, django_db_blocker, tmp_path_factory):
    """One made by the baseline, the other by all migrations, and what `migrate` said about each."""
    with django_db_blocker.unblock(), new_database() as short, new_database() as long:
        said = [migrate(short, tmp_path_factory), migrate(long, tmp_path_factory, "--without-baseline")]
        yield short, long, said


def migrate(database, folders, *options):
    release = Release(PROJECT, database=database, venue="http://127.0.0.1:9", logs=folders.mktemp("logs"))
    return release.manage("migrate", "--noinput", *options, as_owner=True)


def dump(database):
    """Return the schema as pg_dump writes it, without the key that is another one in each dump."""
    try:
        program = postgres_binary("pg_dump")
    except NoServers:
        pytest.skip("pg_dump comes with the embedded server, which this machine does not have")
    given = owner_parameters()
    address = ["--host", given["host"], "--port", str(given["port"]), "--username", given["user"]]
    command = [program, *address, "--schema-only", database]
    environment = {**os.environ, "PGPASSWORD": given["password"]}
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", subprocess.check_output(command, env=environment, text=True))


def dump_of_copy(database):
    """Return the schema of a copy, because Postgres writes some conditions in another form once they were dumped.

    What the baseline has was dumped; newer migrations were not.
    """
    with new_database() as copy:
        run(copy, dump(database))
        return dump(copy)


def run(database, script):
    with psycopg.connect(**owner_parameters() | {"dbname": database}, autocommit=True) as connection:
        connection.execute(script)


def read(database, statement):
    with psycopg.connect(**owner_parameters() | {"dbname": database}) as connection:
        return sorted(connection.execute(statement).fetchall())


class TestTheBaseline:
    def test_makes_the_schema_of_all_migrations(self, two_databases):
        short, long, _ = two_databases
        assert dump_of_copy(short).splitlines() == dump_of_copy(long).splitlines()

    @pytest.mark.parametrize("statement", ROWS)
    def test_leaves_the_same_rows(self, two_databases, statement):
        short, long, _ = two_databases
        rows = read(short, statement)
        assert rows
        assert rows == read(long, statement)

    def test_saves_nearly_all_migrations(self, two_databases):
        _, _, (quick, slow) = two_databases
        known = len(MigrationLoader(None).disk_migrations)
        assert quick.count("Applying") <= SOME_NEW_ONES, "write it anew: task baseline"
        assert "at once, from the baseline" in quick
        assert slow.count("Applying") == known

    @pytest.mark.parametrize(
        ("script", "is_used"),
        [
            ("SELECT 1", True),
            ("DROP SCHEMA public", False),
            ("CREATE SCHEMA mine; SET search_path = mine, public", False),
            ("CREATE SCHEMA mine; CREATE TABLE mine.django_migrations (); SET search_path = public, mine", False),
            ("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'", False),
        ],
    )
    def test_is_used_in_an_empty_schema_that_is_postgres_own_default(self, script, is_used):
        with new_database() as database, psycopg.connect(**owner_parameters() | {"dbname": database}) as connection:
            cursor = connection.execute(script)
            assert _is_empty(cursor) is is_used

    def test_is_not_used_where_there_is_a_table(self, tmp_path_factory):
        with new_database() as database:
            run(database, "CREATE TABLE somebody_elses (id int)")
            assert "wallets.0001_initial" in migrate(database, tmp_path_factory, "--plan")
            assert "baseline" not in migrate(database, tmp_path_factory, "contenttypes")
            assert read(database, "SELECT count(*) FROM django_migrations") == [(2,)]


@contextmanager
def migrating(database, tmp_path, number):
    """Start `migrate` in a process of its own."""
    owner = owner_parameters()
    environment = process_environment(
        POSTGRES_DB=database, POSTGRES_OWNER_USER=owner["user"], POSTGRES_OWNER_PASSWORD=owner["password"]
    )
    log = tmp_path / f"migrate-{number}"
    with stopped(start(manage("migrate", "--noinput"), environment=environment, output=log)) as process:
        yield process, log


class TestTwoAtOnce:
    def test_run_one_after_the_other(self, tmp_path):
        with new_database() as database:
            with migrating(database, tmp_path, 1) as (one, first), migrating(database, tmp_path, 2) as (two, second):
                assert [process.wait(stretched(200)) for process in (one, two)] == [0, 0], (
                    first.read_text() + second.read_text()
                )
            said = first.read_text() + second.read_text()
            assert said.count("at once, from the baseline") == 1
            applied = read(database, "SELECT app, name FROM django_migrations")
            assert len(applied) == len(set(applied)) == len(MigrationLoader(None).disk_migrations)

    def test_wait_for_the_one_that_has_begun_until_its_session_ends(self, tmp_path):
        with new_database() as database:
            holder = psycopg.connect(**owner_parameters() | {"dbname": database}, autocommit=True)
            holder.execute(f"SELECT pg_advisory_lock({_LOCK})")
            with migrating(database, tmp_path, 1) as (process, log):
                wait_for(lambda: "Another migrate runs" in log.read_text(), seconds=60)
                assert read(database, "SELECT to_regclass('django_migrations')::text") == [(None,)]
                holder.close()
                assert process.wait(stretched(200)) == 0, log.read_text()
