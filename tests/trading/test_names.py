"""Names of coins: the venue's, and the ledger's for ever."""

import pytest
from django.db import DatabaseError

from tests.conftest import make_coin
from trading.models import Coin
from trading.services.coins import stop_selling

pytestmark = pytest.mark.django_db(transaction=True)


class TestACoinThatTheVenueRenames:
    """MATIC became POL: the ledger knows coins by name, so POL is a new coin, and MATIC keeps what happened to it."""

    def test_is_sold_under_its_new_name_and_keeps_its_history_under_the_old_one(self, now, api, shopper):
        matic = make_coin("MATIC", "0.50")
        placed = api("POST", "orders/", {"crypto": "MATIC", "amount": "4"}, by=shopper).json()
        stop_selling(coin=matic)
        make_coin("POL", "0.50")
        assert api("POST", "orders/", {"crypto": "POL", "amount": "4"}, by=shopper).status_code == 201
        assert [coin["name"] for coin in api("GET", "exchanges/crypto-currencies/").json()] == ["POL"]
        assert api("GET", f"orders/{placed['id']}/", by=shopper).json()["crypto"] == "MATIC"
        [old] = api("GET", "orders/?crypto=MATIC", by=shopper).json()
        assert old["id"] == placed["id"]
        refused = api("POST", "orders/", {"crypto": "MATIC", "amount": "1"}, by=shopper)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_crypto")
        assert matic.price_changes.count() == 1

    def test_is_never_renamed(self, coin, admin_client):
        page = f"/admin/trading/coin/{coin.pk}/change/"
        assert (
            "put a coin that the venue has renamed on sale under the new name"
            in admin_client.get(page).content.decode()
        )
        fields = {"name": "POL", "title": "x", "is_sold": "on", "minimum": "1", "step": "1", "pool_policy": "buy"}
        assert admin_client.post(page, {**fields, "fixed_price": "4", "reason": "because"}).status_code == 302
        assert (Coin.objects.get().name, Coin.objects.get().title) == ("ABAN", "x")
        with pytest.raises(DatabaseError):
            Coin.objects.update(name="POL")
        assert Coin.objects.get().name == "ABAN"
