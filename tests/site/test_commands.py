import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from exchange_site.configuration import VARIABLES
from exchange_site.seeding.coins import SEED_COINS
from exchange_site.seeding.magic import MAGIC_COINS, TITLE
from exchange_site.stack.processes import free_port
from tests.configure import configure
from trading.models import Coin, SalesLimit
from wallets.models import Transaction, User

pytestmark = pytest.mark.django_db

PROJECT = Path(__file__).resolve().parents[2]


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


class TestSeeder:
    @pytest.fixture(autouse=True)
    def in_development(self, settings):
        settings.DEBUG = True

    def test_writes_an_admin_with_a_wallet_and_coins_with_prices(self):
        run("seeder")
        admin = User.objects.get(username="admin")
        assert admin.check_password("new_password")
        assert admin.is_superuser
        assert admin.wallets.get(asset="USD").balance == 1000
        assert Coin.objects.get(name="ABAN").current_price.value == 20
        assert Coin.objects.count() == len(SEED_COINS)

    def test_is_safe_to_run_again(self):
        run("seeder", "--user", "2", "--crypto", "2")
        counts = (User.objects.count(), Coin.objects.count(), Transaction.objects.count())
        run("seeder")
        assert counts == (3, len(SEED_COINS) + 2, 3)
        assert (User.objects.count(), Coin.objects.count(), Transaction.objects.count()) == counts

    @pytest.mark.parametrize("option", ["--user", "--crypto"])
    def test_refuses_to_add_less_than_none(self, option):
        with pytest.raises(CommandError, match="less than none cannot be added"):
            run("seeder", option, "-5")

    def test_adds_more_users_with_each_run(self):
        run("seeder", "--user", "2")
        run("seeder", "--user", "1")
        assert User.objects.count() == 4

    def test_leaves_a_database_alone_that_is_not_empty(self):
        run("seeder")
        User.objects.all().update(email="x@example.com")
        assert run("seeder", "--if-empty") == ""

    def test_refuses_production_unless_forced(self, settings):
        settings.DEBUG = False
        with pytest.raises(CommandError, match="production"):
            run("seeder")
        assert not User.objects.exists()
        assert not Coin.objects.exists()

    def test_opens_no_account_with_a_public_password_in_production(self, settings):
        settings.DEBUG = False
        run("seeder", "--force", "--user", "1")
        assert Coin.objects.count() == len(SEED_COINS)
        assert not User.objects.filter(is_staff=True).exists()
        assert not User.objects.get().has_usable_password()


class TestMagicCoins:
    """The coins of a sandbox. The simulator is named, and need not run."""

    @pytest.fixture(autouse=True)
    def in_sandbox(self, settings):
        settings.DEBUG = True
        configure(settings, "VENUE", url="http://127.0.0.1:9100")

    def test_are_seeded_only_on_request_and_once(self):
        run("seeder")
        assert Coin.objects.count() == len(SEED_COINS)
        for _ in range(2):
            run("seeder", "--magic")
            assert Coin.objects.count() == len(SEED_COINS) + len(MAGIC_COINS)
            assert SalesLimit.objects.get().coin.name == "SOLDOUT"
        assert set(Coin.objects.filter(title__startswith=TITLE).values_list("fixed_price", flat=True)) == {20}

    def test_are_added_with_the_other_data_only_to_an_empty_database(self):
        run("seeder", "--if-empty", "--magic")
        assert Coin.objects.count() == len(SEED_COINS) + len(MAGIC_COINS)
        Coin.objects.filter(name="SLOW").update(title="Slow")
        assert run("seeder", "--if-empty", "--magic") == ""

    def test_are_refused_in_production_by_force_too(self, settings):
        settings.DEBUG = False
        for more in ([], ["--force"]):
            with pytest.raises(CommandError, match="DEBUG is off"):
                run("seeder", "--magic", *more)
        assert not Coin.objects.exists()

    def test_are_refused_without_the_simulator(self, settings):
        configure(settings, "VENUE", url="")
        with pytest.raises(CommandError, match="EXCHANGE_URL"):
            run("seeder", "--magic")
        assert not Coin.objects.exists()

    def test_fail_the_check_in_production_while_they_are_on_sale(self, settings):
        run("seeder", "--magic")
        run("check", "--database", "default")
        settings.DEBUG = False
        with pytest.raises(SystemCheckError, match="HOLD, LOST, MOVED"):
            run("check", "--database", "default")
        Coin.objects.filter(title__startswith=TITLE).update(is_sold=False)
        Coin.objects.create(name="REAL", title="A real coin")
        run("check", "--database", "default")

    def test_are_told_from_real_coins_of_the_same_name(self, settings):
        settings.DEBUG = False
        Coin.objects.create(name="HOLD", title="Hold Finance")
        run("check", "--database", "default")


class TestWithoutItsDatabase:
    def manage(self, *arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env={**kept, "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(free_port()), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def test_a_command_says_so_and_names_the_command_for_the_data_of_task_dev(self):
        done = self.manage("verify_ledger", DEBUG="True")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "PostgreSQL, which POSTGRES_HOST or DATABASE_URL names, cannot be used: " in done.stderr
        assert "refused" in done.stderr
        assert done.stderr.endswith("python -m exchange_site.stack manage verify_ledger\n")

    def test_a_command_gives_its_traceback_on_request(self):
        assert "Traceback" in self.manage("verify_ledger", "--traceback", DEBUG="True").stderr


def test_show_urls_lists_every_path():
    listed = run("show_urls").splitlines()
    assert {"/api/v1/orders/", "/api/v1/accounts/wallet/", "/health/", "/admin/"} <= set(listed)
    assert len(run("show_urls", "--all").splitlines()) > len(listed)


def test_the_example_configuration_lists_every_variable():
    listed = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", (PROJECT / "config.example.env").read_text(), re.MULTILINE))
    assert listed == set(VARIABLES)


class TestAdmin:
    @pytest.mark.parametrize("model", ["user", "wallet", "transaction"])
    def test_lists_users_wallets_and_movements(self, admin_client, shopper, model):
        assert admin_client.get(f"/admin/wallets/{model}/").status_code == 200

    @pytest.mark.parametrize("model", ["coin", "order"])
    def test_lists_coins_and_orders(self, admin_client, coin, model):
        assert admin_client.get(f"/admin/trading/{model}/").status_code == 200

    @pytest.mark.parametrize("model", ["batch", "attempt"])
    def test_lists_batches_and_attempts(self, admin_client, coin, model):
        assert admin_client.get(f"/admin/settlement/{model}/").status_code == 200

    def test_a_coin_can_be_put_on_sale(self, admin_client, coin):
        fields = {"name": "NEW", "title": "New", "is_sold": "on", "minimum": "1", "maximum": "10", "step": "1"}
        answer = admin_client.post(
            "/admin/trading/coin/add/", {**fields, "fixed_price": "5", "pool_policy": "buy", "reason": "new"}
        )
        assert answer.status_code == 302
        assert Coin.objects.get(name="NEW").fixed_price == 5

    def test_records_of_money_cannot_be_edited(self, admin_client, shopper):
        for path in (f"wallet/{shopper.wallet.pk}/change/", "transaction/add/", f"wallet/{shopper.wallet.pk}/delete/"):
            assert admin_client.post(f"/admin/wallets/{path}", {"balance": "1"}).status_code == 403
        assert shopper.wallet.balance == 100
