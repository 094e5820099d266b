"""Commands that could destroy money refuse, everywhere but in a process of tests with the database of tests."""

import secrets
import subprocess
import uuid

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from exchange_site.database import money
from exchange_site.database.grants import TABLES
from exchange_site.database.money import WITHOUT_MONEY, find_money
from exchange_site.stack.processes import PROJECT, manage
from tests.conftest import make_coin, process_environment
from tests.owner import owner_parameters, run_as_owner
from tests.trading.test_orders import order_request_of
from tests.upgrade.releases import Release, new_database
from trading.models import PriceRule
from trading.services.placing import place_order
from wallets.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

DESTROYERS = [
    ["migrate", "wallets", "zero"],
    ["migrate", "wallets", "0003"],
    ["migrate", "wallets", "0001", "--fake"],
    ["migrate", "trading", "0006"],
    ["migrate", "settlement", "zero", "--skip-checks"],
    ["migrate", "procrastinate", "zero"],
    ["migrate", "contenttypes", "zero"],
    ["migrate", "sessions", "zero"],
    ["flush", "--noinput"],
    ["sqlflush"],
    ["sqlmigrate", "wallets", "0001", "--backwards"],
    ["loaddata", "nothing.json"],
]
HARMLESS = {
    *["changepassword", "check", "clearsessions", "collectstatic", "compilemessages", "createcachetable"],
    *["createsuperuser", "dbshell", "diffsettings", "dumpdata", "findstatic", "inspectdb", "makemessages"],
    *["makemigrations", "optimizemigration", "procrastinate", "runserver", "sendtestemail", "shell", "showmigrations"],
    *["sqlsequencereset", "squashmigrations", "startapp", "startproject", "ogrinspect"],
    "remove_stale_contenttypes",  # deletes rows of Django's own only
    "healthchecks",  # Procrastinate's
    *["test", "testserver"],  # make databases of their own
    *["export_openapi_schema", "ensure_csrf_token"],  # Ninja's
}
"""Commands of others that destroy no rows of ours."""


def run(*arguments, **environment):
    """Run a command in a process of its own, as the owner if the command asks for it."""
    owner = owner_parameters()
    return subprocess.run(
        manage(*arguments),
        cwd=PROJECT,
        env=process_environment(
            POSTGRES_OWNER_USER=owner["user"], POSTGRES_OWNER_PASSWORD=owner["password"], **environment
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def everything():
    """Return how many rows each table has, and which migrations are applied."""
    with connection.cursor() as cursor:
        counted = {}
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table}")
            [counted[table]] = cursor.fetchone()
    return counted, set(MigrationRecorder(connection).applied_migrations())


@pytest.fixture
def guarded(monkeypatch):
    """Let this process treat the database of the tests as any other."""
    monkeypatch.setattr(money, "TEST_DATABASE_PREFIX", "no database begins like this")


class TestACommandThatDestroys:
    @pytest.mark.parametrize("command", DESTROYERS, ids=" ".join)
    def test_refuses_while_there_is_money(self, guarded, shopper, command):
        before = everything()
        with pytest.raises(CommandError, match="holds money") as refused:
            call_command(*command)
        said = str(refused.value)
        assert "wallets_transaction" in said
        assert "instead" in said
        assert said.endswith(".")
        assert ". " not in said
        assert everything() == before

    @pytest.mark.parametrize(
        ("command", "debug"),
        [(["flush", "--noinput"], "False"), (["migrate", "wallets", "zero"], "True"), (["sqlflush"], "True")],
    )
    def test_ends_with_one_sentence_whatever_the_environment_says(self, shopper, command, debug):
        before = everything()
        done = run(
            *command,
            DEBUG=debug,
            PYTEST_CURRENT_TEST="a test (call)",
            DJANGO_TEST="1",
            CI="true",
            SECRET_KEY=secrets.token_urlsafe(40),
            JWT_SECRET_KEY=secrets.token_urlsafe(40),
            ENCRYPTION_KEYS=secrets.token_urlsafe(40),
            ALLOWED_HOSTS="127.0.0.1",
            HOUSE_LOSS_PER_DAY="500",
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"CommandError: The database {connection.settings_dict['NAME']} holds money (")
        assert done.stderr.count("\n") == 1
        assert "TRUNCATE" not in done.stdout
        assert everything() == before

    def test_is_allowed_under_test(self, shopper):
        call_command("flush", "--noinput", verbosity=0)
        assert not Transaction.objects.exists()

    def test_may_show_its_plan_and_go_forward(self, guarded, shopper, capsys):
        call_command("migrate", "wallets", "zero", "--plan")
        assert "Undo" in capsys.readouterr().out
        call_command("sqlmigrate", "wallets", "0007")
        call_command("migrate", verbosity=0)

    def test_may_undo_everything_where_there_is_no_money(self, tmp_path):
        with new_database() as database:
            installation = Release(PROJECT, database=database, venue="http://127.0.0.1:9", logs=tmp_path)
            installation.manage("migrate", "--noinput", as_owner=True)
            done = installation.manage("migrate", "wallets", "zero", as_owner=True)
        assert "Unapplying wallets.0001_initial... OK" in done

    def test_is_known(self):
        """A package may bring a command such as reset_db: it is guarded, or named here as harmless."""
        ours = {"exchange_site", "wallets", "trading", "settlement"}
        of_others = {name for name, app in get_commands().items() if app not in ours}
        assert of_others - HARMLESS == set()


class TestMoney:
    def test_is_not_in_a_new_installation(self, make_shopper, monkeypatch, now):
        """House wallets, staff and coins are there before the first dollar."""
        call_command("flush", "--noinput", verbosity=0)
        monkeypatch.setattr(money, "TEST_DATABASE_PREFIX", "no database begins like this")
        make_shopper(balance=None)
        make_coin("ABAN", "4.00")
        assert find_money() == []
        money.refuse_to_destroy_money(deed="nothing", instead="nothing")

    def test_is_an_order(self, shopper, coin, now):
        place_order(buyer=shopper.principal, order_request=order_request_of(amount=3), now=now)
        assert find_money() == ["trading_order", "wallets_deposit", "wallets_transaction", "wallets_wallet"]

    def test_is_a_price_rule_that_somebody_made(self, coin, admin_user):
        PriceRule.objects.create(coin=coin, spread_rate=1, reason="to keep", created_by=admin_user)
        assert find_money() == ["trading_pricerule"]

    def test_is_a_balance_without_its_movements(self, shopper):
        run_as_owner("DELETE FROM wallets_deposit; DELETE FROM wallets_transaction")
        assert find_money() == ["wallets_wallet"]

    @pytest.mark.parametrize("prefix", ["wallets", "trading", "settlement"])
    def test_is_a_row_of_a_table_that_nobody_has_named(self, prefix):
        table = f"{prefix}_{uuid.uuid4().hex}"
        run_as_owner(f"CREATE TABLE {table} AS SELECT 1")
        run_as_owner(f"GRANT SELECT ON {table} TO {connection.settings_dict['USER']}")
        try:
            assert find_money() == [table]
        finally:
            run_as_owner(f"DROP TABLE {table}")

    def test_is_not_looked_for_in_tables_that_do_not_exist(self):
        assert set(TABLES) >= WITHOUT_MONEY
