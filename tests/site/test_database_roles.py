"""The application's role in Postgres: its grants, the command that makes it, and the start check that refuses other roles."""

import secrets
import subprocess
import uuid
from contextlib import closing, suppress
from io import StringIO

import httpx
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, connections

from exchange_site.database.grants import TABLES, list_privileges
from exchange_site.database.owner import as_owner
from exchange_site.database.role_check import find_fault
from exchange_site.database.roles import RoleRefused, set_up_application_role
from exchange_site.stack.processes import API, PROJECT, WORKER, free_port, manage, start
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.processes import at_once, stopped, wait_for
from tests.proxy import Proxy
from wallets.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, ANOTHER = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
PRODUCTION = {
    "DEBUG": "False",
    "HOUSE_LOSS_PER_DAY": "500.00",
    "SECRET_KEY": secrets.token_urlsafe(40),
    "JWT_SECRET_KEY": secrets.token_urlsafe(40),
    "ENCRYPTION_KEYS": secrets.token_urlsafe(40),
    "ALLOWED_HOSTS": "127.0.0.1",
}
CATALOGUE = """
    WITH list AS (
        SELECT 'table' AS kind, oid::text AS name, relacl::text[] AS parts
          FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'column', attrelid || '.' || attnum, attacl::text[] FROM pg_attribute WHERE attacl IS NOT NULL
        UNION ALL SELECT 'routine', oid::text, coalesce(proacl, acldefault('f', proowner))::text[]
          FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'schema', nspname, nspacl::text[] FROM pg_namespace
        UNION ALL SELECT 'database', datname, datacl::text[] FROM pg_database WHERE datname = current_database()
        UNION ALL SELECT 'timeouts', setrole::text, setconfig
          FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
        UNION ALL SELECT 'password', rolname, ARRAY[rolpassword] FROM pg_authid WHERE rolname = '{}'
    )
    SELECT kind, name, ARRAY(SELECT part FROM unnest(parts) part ORDER BY part) FROM list
"""


def set_up(role, password=PASSWORD):
    with as_owner():
        return set_up_application_role(name=role, password=password)


def catalogue(role):
    return sorted(run_as_owner(CATALOGUE.format(role)), key=str)


@pytest.fixture
def role(db):
    """A second application's role of the tests' database, which a test may change."""
    name = f"application_{uuid.uuid4().hex}"
    set_up(name)
    yield name
    with suppress(psycopg.Error, ProgrammingError):
        run_as_owner(f"REVOKE SET ON PARAMETER session_replication_role FROM {name}")
    run_as_owner(f"DROP OWNED BY {name}")
    run_as_owner(f"DROP ROLE {name}")


@pytest.fixture
def fault_of(role, settings):
    """Return a function that says what is wrong with the role."""

    def ask(*, debug=False):
        settings.DEBUG, known = debug, settings.POSTGRES.owner_password
        configure(settings, "POSTGRES", owner_password="")
        try:
            with closing(connections.create_connection("default")) as line:
                line.settings_dict = {**line.settings_dict, "USER": role, "PASSWORD": PASSWORD}
                return find_fault(line)
        finally:
            configure(settings, "POSTGRES", owner_password=known)

    return ask


class TestTheGrants:
    def test_name_every_table(self):
        tables = run_as_owner(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        assert {name for (name,) in tables} == TABLES.keys()

    def test_are_those_of_the_role_in_the_database(self):
        """A column of a privilege on the whole table is listed too, and left out here."""
        role = connection.settings_dict["USER"]
        whole = {
            (table, privilege, None)
            for table, privilege in run_as_owner(
                f"SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = '{role}'"
            )
        }
        single = run_as_owner(
            "SELECT table_name, privilege_type, column_name FROM information_schema.role_column_grants"
            f" WHERE grantee = '{role}'"
        )
        held = whole | {each for each in single if (*each[:2], None) not in whole}
        assert held == {
            (table, privilege, column) for table, text in TABLES.items() for privilege, column in list_privileges(text)
        }

    def test_name_nobody_else(self):
        listed = run_as_owner(
            "SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_schema = 'public'"
        )
        assert listed == []

    def test_reach_no_function_with_rights_of_its_own(self):
        """The one there is runs as a trigger alone, and takes empty wallets of those who become staff."""
        role = connection.settings_dict["USER"]
        listed = run_as_owner(
            f"SELECT proname, has_function_privilege('{role}', oid, 'EXECUTE') FROM pg_proc"
            " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        )
        assert listed == [("wallets_take_wallet_of_staff", False)]


class TestTheApplicationsRole:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE wallets_transaction SET amount = amount",
            "DELETE FROM wallets_transaction",
            "TRUNCATE wallets_transaction",
            "TRUNCATE procrastinate_jobs",
            "DROP TABLE wallets_transaction",
            "ALTER TABLE wallets_transaction DISABLE TRIGGER ALL",
            "DROP TRIGGER transactions_are_append_only ON wallets_transaction",
            "CREATE TRIGGER mine BEFORE INSERT ON wallets_transaction EXECUTE FUNCTION wallets_refuse_change()",
            "SET session_replication_role = replica",
            "CREATE OR REPLACE FUNCTION wallets_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TABLE mine ()",
            "CREATE TEMPORARY TABLE mine ()",
            "CREATE SCHEMA mine",
            "UPDATE wallets_wallet SET owner_id = 1",
            "UPDATE trading_order SET total_price = 0.01",
            "UPDATE settlement_attempt SET client_order_id = 'another'",
            "DELETE FROM wallets_wallet",
            "DELETE FROM wallets_user",
            "DELETE FROM django_admin_log",
            "INSERT INTO django_migrations (app, name, applied) VALUES ('wallets', '9999', now())",
            "SELECT setval('wallets_transaction_id_seq', 1)",
            "COPY wallets_user TO PROGRAM 'true'",
            "COPY wallets_user FROM '/etc/passwd'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT * FROM pg_authid",
            "CREATE ROLE mine SUPERUSER",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "SET ROLE {owner}",
            "GRANT {owner} TO CURRENT_USER",
            "ALTER SYSTEM SET fsync = off",
        ],
    )
    def test_may_not(self, shopper, statement):
        [(owner,)] = run_as_owner("SELECT current_user")
        before = Transaction.objects.values_list().get()
        with pytest.raises(ProgrammingError) as refused, connection.cursor() as cursor:
            cursor.execute(statement.replace("{owner}", owner))
        assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege)
        assert Transaction.objects.values_list().get() == before

    def test_has_its_timeouts_on_every_connection(self, settings):
        with connection.cursor() as cursor:
            shown = {}
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SHOW {name}")
                [shown[name]] = cursor.fetchone()
        assert shown == {
            "statement_timeout": "5s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "10s",
        }
        assert "options" not in settings.DATABASES["default"]["OPTIONS"]

    def test_leaves_the_owner_without_a_limit_for_migrations(self):
        assert run_as_owner("SHOW statement_timeout") == [("0",)]


class TestTheCommand:
    def test_changes_nothing_when_it_is_run_again(self, role):
        before = catalogue(role)
        assert set_up(role) == []
        assert catalogue(role) == before

    def test_makes_one_role_when_two_run_at_once(self, role):
        run_as_owner(f"DROP OWNED BY {role}")
        run_as_owner(f"DROP ROLE {role}")
        changes = at_once(2, lambda _: set_up(role))
        assert sorted(map(bool, changes)) == [False, True]
        assert set_up(role) == []

    def test_is_part_of_every_migration(self):
        out = StringIO()
        run_as_owner(f"REVOKE INSERT ON trading_order FROM {connection.settings_dict['USER']}")
        call_command("migrate", stdout=out)
        assert "is up to date: 1 changes" in out.getvalue()
        call_command("database_roles", stdout=out)
        assert "is up to date: 0 changes" in out.getvalue()

    @pytest.mark.parametrize(
        "change",
        [
            "GRANT TRUNCATE ON wallets_transaction TO {role}",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
            "REVOKE SELECT ON trading_coin FROM {role}",
            "REVOKE UPDATE (balance) ON wallets_wallet FROM {role}",
            "GRANT UPDATE (amount) ON wallets_transaction TO {role}",
            "GRANT UPDATE ON SEQUENCE wallets_transaction_id_seq TO {role}",
            "GRANT EXECUTE ON FUNCTION wallets_refuse_change TO {role}",
            "GRANT CREATE ON SCHEMA public TO {role}",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "GRANT UPDATE ON wallets_wallet TO PUBLIC",
            "GRANT SET ON PARAMETER session_replication_role TO {role}",
            "ALTER ROLE {role} IN DATABASE {database} SET lock_timeout = 0",
            "ALTER ROLE {role} IN DATABASE {database} RESET statement_timeout",
        ],
    )
    def test_mends(self, role, change):
        before = catalogue(role)
        database = connection.settings_dict["NAME"]
        run_as_owner(change.replace("{role}", role).replace("{database}", database))
        assert set_up(role)
        assert catalogue(role) == before

    @pytest.mark.parametrize("power", ["CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS", "NOLOGIN"])
    def test_takes_the_power(self, role, power):
        run_as_owner(f"ALTER ROLE {role} {power}")
        assert set_up(role) == [f'ALTER ROLE "{role}" {"LOGIN" if power == "NOLOGIN" else f"NO{power}"}'] or power == (
            "NOLOGIN"  # nobody can log in with the password, so it is set again
        )
        assert set_up(role) == []

    @pytest.mark.parametrize("group", ["pg_write_all_data", "pg_execute_server_program", "{owner}"])
    def test_takes_the_membership(self, role, group):
        [(owner,)] = run_as_owner("SELECT current_user")
        run_as_owner(f"GRANT {group.replace('{owner}', owner)} TO {role}")
        assert len(set_up(role)) == 1
        assert run_as_owner(f"SELECT FROM pg_auth_members WHERE member = '{role}'::regrole") == []

    def test_changes_the_password_and_shows_it_nowhere(self, role):
        changes = set_up(role, password=ANOTHER)
        assert changes == [f"ALTER ROLE {role} PASSWORD"]
        [(kept,)] = run_as_owner(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
        assert kept.startswith("SCRAM-SHA-256$")
        parameters = connection.get_connection_params() | {"user": role, "cursor_factory": psycopg.Cursor}
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**parameters | {"password": PASSWORD})
        psycopg.connect(**parameters | {"password": ANOTHER}).close()

    def test_refuses_to_limit_a_superuser_or_an_owner(self, role):
        run_as_owner(f"ALTER ROLE {role} SUPERUSER")
        with pytest.raises(RoleRefused, match="is a superuser"):
            set_up(role)
        run_as_owner(f"ALTER ROLE {role} NOSUPERUSER")
        run_as_owner(f"ALTER TABLE django_session OWNER TO {role}")
        try:
            with pytest.raises(RoleRefused, match="owns tables"):
                set_up(role)
        finally:
            [(owner,)] = run_as_owner("SELECT current_user")
            run_as_owner(f"ALTER TABLE django_session OWNER TO {owner}")
        set_up(role)

    def test_says_in_a_sentence_that_the_owner_has_no_right_to_make_roles(self, role, settings):
        configure(settings, "POSTGRES", owner_user=role, owner_password=PASSWORD)
        settings.DATABASES["default"]["USER"], before = "not_made", settings.DATABASES["default"]["USER"]
        try:
            with pytest.raises(CommandError, match="permission denied to create role"):
                call_command("database_roles")
        finally:
            settings.DATABASES["default"]["USER"] = before
        assert run_as_owner("SELECT FROM pg_roles WHERE rolname = 'not_made'") == []

    def test_only_sets_timeouts_where_there_is_one_role(self, role, settings):
        configure(settings, "POSTGRES", owner_user="", statement_timeout_ms=4000)
        before = connection.settings_dict
        connection.close()
        connection.settings_dict = {**before, "USER": role, "PASSWORD": PASSWORD}
        settings.DATABASES["default"]["USER"], user = role, before["USER"]
        out = StringIO()
        try:
            call_command("database_roles", verbosity=2, stdout=out)
        finally:
            settings.DATABASES["default"]["USER"] = user
            connection.close()
            connection.settings_dict = before
        assert "1 changes" in out.getvalue()
        assert "statement_timeout" in out.getvalue()

    def test_serves_an_owner_who_is_no_superuser(self, role):
        """As on a managed server: the owner may make roles, and owns the database."""
        owner, database = f"owner_{uuid.uuid4().hex}", f"owned_{uuid.uuid4().hex}"
        application = f"application_{uuid.uuid4().hex}"
        run_as_owner(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        run_as_owner(f"CREATE DATABASE {database} OWNER {owner}")
        environment = process_environment(
            **PRODUCTION, POSTGRES_DB=database, POSTGRES_USER=application, POSTGRES_PASSWORD=ANOTHER
        )
        as_the_owner = {**environment, "POSTGRES_OWNER_USER": owner, "POSTGRES_OWNER_PASSWORD": PASSWORD}
        try:
            for _ in range(2):
                said = run(manage("migrate"), as_the_owner).stdout
            assert f"The role {application} is up to date: 0 changes." in said
            assert run(manage("seeder", "--force"), environment).returncode == 0
            port = free_port()
            with stopped(start(API, environment={**environment, "PORT": str(port), "WEB_WORKERS": "1"})):
                wait_for(lambda: is_ready(port), seconds=40, ignoring=httpx.HTTPError)
        finally:
            run_as_owner(f"DROP DATABASE {database} WITH (FORCE)")
            run_as_owner(f"DROP ROLE {application}")
            run_as_owner(f"DROP ROLE {owner}")


def run(command, environment):
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=90
    )


def is_ready(port):
    return httpx.get(f"http://127.0.0.1:{port}/health/ready/", timeout=20).status_code == 200


class TestTheCheck:
    def test_finds_no_fault_in_the_role_of_the_command(self, fault_of):
        assert fault_of() is None

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ("ALTER ROLE {role} SUPERUSER", "is a superuser"),
            ("ALTER ROLE {role} CREATEROLE", "may create roles"),
            ("ALTER ROLE {role} CREATEDB", "may create databases"),
            ("ALTER ROLE {role} REPLICATION", "may replicate"),
            ("ALTER ROLE {role} BYPASSRLS", "bypasses row security"),
            ("GRANT {owner} TO {role} WITH INHERIT FALSE", "is a superuser"),
            ("GRANT pg_write_all_data TO {role}", "is a member of pg_write_all_data"),
            ("GRANT pg_execute_server_program TO {role}", "is a member of pg_execute_server_program"),
            ("GRANT pg_read_server_files TO {role}", "is a member of pg_read_server_files"),
            ("ALTER TABLE django_session OWNER TO {role}", "owns tables"),
            ("GRANT TRUNCATE ON wallets_user TO {role}", "may empty tables"),
            ("GRANT TRIGGER ON wallets_user TO PUBLIC", "may empty tables or add triggers"),
            ("GRANT UPDATE (amount) ON wallets_transaction TO {role}", "may change append-only tables"),
            ("GRANT DELETE ON wallets_transaction TO PUBLIC", "may change append-only tables"),
            ("GRANT CREATE ON SCHEMA public TO {role}", "may create tables"),
            ("GRANT SET ON PARAMETER session_replication_role TO {role}", "may switch triggers off"),
            (
                "ALTER ROLE {role} IN DATABASE {database} SET session_replication_role = replica",
                "triggers switched off",
            ),
        ],
    )
    def test_names_a_power_in_production(self, role, fault_of, change, fault):
        [(owner, database)] = run_as_owner("SELECT current_user, current_database()")
        names = {"{role}": role, "{owner}": owner, "{database}": database}
        for name, value in names.items():
            change = change.replace(name, value)
        run_as_owner(change)
        try:
            said = fault_of()
            assert fault in said
            assert role in said
            assert "manage.py database_roles" in said
            assert fault_of(debug=True) is None
        finally:
            run_as_owner(f"REASSIGN OWNED BY {role} TO {owner}")
            run_as_owner("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")

    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize("name", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
    @pytest.mark.parametrize("change", ["SET {name} = 0", "SET {name} = 3600000", "RESET {name}"])
    def test_names_a_timeout_that_is_not_as_configured(self, role, fault_of, change, name, debug):
        run_as_owner(
            f"ALTER ROLE {role} IN DATABASE {connection.settings_dict['NAME']} {change.replace('{name}', name)}"
        )
        said = fault_of(debug=debug)
        assert f"{name} = " in said
        assert "run `manage.py database_roles` as the owner" in said
        set_up(role)
        assert fault_of(debug=debug) is None

    def test_accepts_the_right_to_watch(self, role, fault_of):
        run_as_owner(f"GRANT pg_monitor TO {role}")
        assert fault_of() is None

    def test_refuses_to_know_the_owners_password_in_production(self, role, settings):
        settings.DEBUG = False
        assert "POSTGRES_OWNER_PASSWORD" in find_fault(connection)


class TestAProcess:
    @pytest.mark.parametrize("command", [API, WORKER], ids=["api", "worker"])
    def test_does_not_start_as_a_superuser_in_production(self, command, settings):
        owner = settings.POSTGRES
        as_owner_too = {"POSTGRES_USER": owner.owner_user, "POSTGRES_PASSWORD": owner.owner_password}
        done = run(command, process_environment(**PRODUCTION, **as_owner_too, PORT=str(free_port())))
        assert done.returncode == 1
        assert f"The role {owner.owner_user} is a superuser" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("command", [API, WORKER], ids=["api", "worker"])
    def test_does_not_start_without_a_timeout(self, command, role):
        run_as_owner(f"ALTER ROLE {role} IN DATABASE {connection.settings_dict['NAME']} SET statement_timeout = 0")
        environment = process_environment(POSTGRES_USER=role, POSTGRES_PASSWORD=PASSWORD, PORT=str(free_port()))
        done = run(command, environment)
        assert done.returncode == 1
        assert "has statement_timeout = 0 ms" in done.stderr
        assert "run `manage.py database_roles` as the owner" in done.stderr

    def test_that_started_without_postgres_refuses_an_unfit_role_until_it_is_mended(self, role, make_api_process):
        run_as_owner(f"ALTER ROLE {role} IN DATABASE {connection.settings_dict['NAME']} SET lock_timeout = 0")
        with closing(Proxy(int(connection.settings_dict["PORT"]))) as proxy:
            with proxy.held(then_cut=True):
                api = make_api_process(POSTGRES_PORT=str(proxy.port), POSTGRES_USER=role, POSTGRES_PASSWORD=PASSWORD)
            port = int(api.split(":")[2].split("/")[0])
            for _ in range(3):
                assert not is_ready(port)
                answer = httpx.get(f"{api}exchanges/crypto-currencies/", timeout=20)
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            set_up(role)
            wait_for(lambda: is_ready(port), seconds=20)
