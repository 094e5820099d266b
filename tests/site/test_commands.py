import io
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from exchange_site.configuration import VARIABLES
from exchange_site.seeding.coins import SEED_COINS
from trading.models import Coin
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
