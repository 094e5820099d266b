"""Somebody writes to Redis: forged, old and senseless values. What customers pay and see stays true."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.signing import Signer

from tests.configure import configure
from tests.conftest import make_coin
from trading.models import Coin, CoinPrice, Order
from trading.offer_list import _write_list, list_offers
from trading.offers import LIST_KEY, load_offer
from trading.services.coins import open_or_close_shop, save_coin, sell_again, stop_selling
from trading.services.prices import record_price
from wallets.models import Transaction
from wallets.runtime import clock
from wallets.runtime.redis_store import breaker, with_redis

pytestmark = pytest.mark.django_db(transaction=True)

FORGED = {
    "coin_id": 1,
    "name": "ETH",
    "title": "Ether",
    "minimum": "0.00000001",
    "maximum": "1000000",
    "step": "0.00000001",
    "market_price": "0.01",
    "price_source": "fixed",
    "price_at": None,
    "suspended": False,
    "closed": False,
    "stopped_until": None,
    "terms": {"rule_id": None, "spread_rate": "0", "fee_rate": "0", "fee_minimum": "0", "fee_maximum": None},
}


@pytest.fixture
def eth(db):
    return make_coin("ETH", "30.00")


def put(key, value):
    with_redis(lambda client: client.set(key, value))


def keys(pattern="*"):
    return with_redis(lambda client: client.keys(pattern))


def buy(api, shopper, **body):
    return api("POST", "orders/", {"crypto": "ETH", "amount": "1", **body}, by=shopper)


def listed(api):
    return {each["name"]: each["price"] for each in api("GET", "exchanges/crypto-currencies/").json()}


def nothing_was_bought(shopper):
    return (
        shopper.wallet.balance == Decimal("100.00")
        and not Order.objects.exists()
        and not Transaction.objects.filter(kind="purchase").exists()
    )


def forge_everything(offer):
    """Write the offer wherever this or an earlier version of the code might look for one."""
    for version in range(1, 5):
        put(f"offer:{version}:ETH", json.dumps(offer))
        put(f"offers:{version}", json.dumps([offer]))
    put("offer:ETH", json.dumps(offer))


class TestForgedOffer:
    def test_does_not_set_the_price_of_an_order(self, api, shopper, eth):
        forge_everything({**FORGED, "coin_id": eth.pk})
        bought = buy(api, shopper)
        assert (bought.status_code, bought.json()["price"], bought.json()["total_price"]) == (
            201,
            "30.00000000",
            "30.00",
        )
        assert shopper.wallet.balance == Decimal("70.00")

    @pytest.mark.parametrize(
        ("limits", "code"),
        [({"minimum": Decimal(2)}, "below_minimum"), ({"maximum": Decimal("0.5")}, "above_maximum")],
    )
    def test_does_not_set_the_limits_of_an_order(self, api, shopper, limits, code):
        eth = make_coin("ETH", "30.00", **limits)
        forge_everything({**FORGED, "coin_id": eth.pk, "price": "30.00"})
        refused = buy(api, shopper)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert nothing_was_bought(shopper)

    def test_does_not_sell_a_coin_that_does_not_exist(self, api, shopper, eth):
        for name in ("FAKE", "ETH2"):
            put(f"offer:2:{name}", json.dumps({**FORGED, "coin_id": eth.pk, "name": name}))
            assert buy(api, shopper, crypto=name).status_code == 404
        assert nothing_was_bought(shopper)

    def test_does_not_unsuspend_a_coin(self, api, shopper, eth):
        eth.fixed_price = None
        save_coin(coin=eth)
        record_price(coin=eth, value=Decimal(300), source="test", now=clock.now())
        assert load_offer(coin_name="ETH").suspended
        forge_everything({**FORGED, "coin_id": eth.pk})
        assert (buy(api, shopper).status_code, nothing_was_bought(shopper)) == (503, True)

    def test_does_not_change_the_list(self, api, shopper, eth):
        forge_everything({**FORGED, "coin_id": eth.pk})
        signed_by_another = Signer(key="x" * 50, salt=f"trading.offers {LIST_KEY}")
        dated = json.dumps({"until": clock.now().isoformat(), "offers": [{**FORGED, "coin_id": eth.pk}]})
        for forged in (dated, f"{dated}:", f"{dated}:{'A' * 43}", signed_by_another.sign(dated)):
            put(LIST_KEY, forged)
            assert listed(api) == {"ETH": "30.00000000"}
            assert with_redis(lambda client: client.get(LIST_KEY)) != forged, "the list is rewritten"

    def test_of_another_version_does_not_pass_for_a_list(self, api, eth):
        put(LIST_KEY, Signer(salt="trading.offers offers:2").sign(json.dumps({"until": clock.now().isoformat()})))
        assert listed(api) == {"ETH": "30.00000000"}


class TestReplayedOffer:
    """Genuine values of an earlier moment are written back to Redis."""

    @pytest.fixture
    def replay(self, api, eth, shopper):
        """Use the shop while the coin costs 20.00, and return a function that brings all values of Redis back."""
        eth.fixed_price = Decimal("20.00")
        save_coin(coin=eth)
        assert (buy(api, shopper).status_code, listed(api)) == (201, {"ETH": "20.00000000"})
        kept = {key: with_redis(lambda client, key=key: client.get(key)) for key in keys()}
        assert LIST_KEY in kept

        def bring_back():
            for key, value in kept.items():
                put(key, value)

        return bring_back

    def test_does_not_bring_an_old_price_back(self, api, shopper, eth, replay):
        eth.fixed_price = Decimal("30.00")
        save_coin(coin=eth)
        replay()
        assert buy(api, shopper).json()["price"] == "30.00000000"

    def test_does_not_sell_a_coin_that_was_taken_off_sale(self, api, shopper, eth, replay):
        stop_selling(coin=eth)
        replay()
        refused = buy(api, shopper)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_crypto")
        assert (shopper.wallet.balance, Order.objects.count()) == (80, 1)
        sell_again(coin=eth)
        assert buy(api, shopper).status_code == 201

    def test_does_not_open_a_closed_shop(self, api, shopper, eth, replay):
        open_or_close_shop(is_open=False)
        replay()
        refused = buy(api, shopper)
        assert (refused.status_code, refused.json()["code"]) == (503, "price_unavailable")
        assert (shopper.wallet.balance, Order.objects.count()) == (80, 1)

    def test_is_shown_no_longer_than_the_list_is_cached(self, api, eth, replay, settings, monkeypatch):
        Coin.objects.update(fixed_price=Decimal("30.00"))
        replay()
        later = clock.now() + timedelta(seconds=settings.PRICES.cache_seconds + 1)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert listed(api) == {"ETH": "30.00000000"}

    def test_from_the_future_is_not_shown(self, api, eth, settings, monkeypatch):
        with monkeypatch.context() as patched:
            a_day_later = clock.now() + timedelta(days=1)
            patched.setattr(clock, "now", lambda: a_day_later)
            put(LIST_KEY, _write_list(list_offers()))
        Coin.objects.update(fixed_price=Decimal("31.00"))
        assert listed(api) == {"ETH": "31.00000000"}

    def test_does_not_change_the_value_of_holdings(self, api, shopper, eth):
        shopper.user.wallets.create(asset="ETH", role="customer", balance=2)
        forge_everything({**FORGED, "coin_id": eth.pk, "price": "9999.00"})
        [held] = api("GET", "accounts/holdings/", by=shopper).json()
        assert (held["price"], held["value"]) == ("30.00000000", "60.00")

    def test_does_not_release_a_held_order(self, api, shopper, eth, replay, settings, admin_user):
        from trading.services.reviewing import release_within_transaction

        configure(settings, "RISK", max_orders=1)
        held = Order.objects.get(pk=buy(api, shopper).json()["id"])
        assert held.state == "held"
        eth.fixed_price = Decimal("60.00")
        save_coin(coin=eth)
        replay()
        order = release_within_transaction(order_id=held.pk, decided_by=admin_user, note="known", now=clock.now())
        assert (order.state, order.reason) == ("refunded", "price_moved")


def _a_list(client, key):
    client.delete(key)
    client.rpush(key, "1", "2")


def _a_hash(client, key):
    client.delete(key)
    client.hset(key, "price", "0.01")


SENSELESS = {
    "a list": _a_list,
    "a hash": _a_hash,
    "bytes": lambda client, key: client.set(key, b"\xff\xfe\x00\x80:\xc3"),
    "five megabytes": lambda client, key: client.set(key, b"9" * 5_000_000),
    **{
        text[:30]: lambda client, key, text=text: client.set(key, text)
        for text in (
            "",
            "text",
            "NaN",
            "-5",
            "1e999",
            "9223372036854775807",
            "9" * 5000,
            "null",
            "[]",
            "{}",
            '[{"name": "ETH"}]',
            json.dumps(FORGED),
            "{}:signature",
        )
    },
}


class TestSenselessValue:
    @pytest.fixture(params=SENSELESS.values(), ids=SENSELESS.keys())
    def spoil(self, request):
        """A function that writes the value to the keys."""

        def spoil_keys(*names):
            for name in names:
                with_redis(lambda client, name=name: request.param(client, name))

        return spoil_keys

    def test_in_place_of_the_list_is_rewritten(self, api, shopper, eth, spoil, django_assert_num_queries):
        spoil(LIST_KEY)
        assert listed(api) == {"ETH": "30.00000000"}
        spoil(LIST_KEY)
        assert api("GET", "accounts/holdings/", by=shopper).status_code == 200
        assert listed(api) == {"ETH": "30.00000000"}
        with django_assert_num_queries(0):
            listed(api)
        assert not breaker.is_open(), "Redis is not away"

    def test_in_place_of_a_pool_s_counter_changes_nothing(self, api, shopper, eth, spoil):
        spoil("pool:ETH")
        for _ in range(2):
            bought = buy(api, shopper, amount="0.2")
            assert (bought.status_code, bought.json()["total_price"]) == (201, "6.00")
            spoil("pool:ETH")
            [order, *_] = api("GET", "orders/", by=shopper).json()
            assert 0 <= Decimal(order["pool"]["total"]) < 10**15
        cancelled = api("POST", f"orders/{order['id']}/cancel/", {}, by=shopper)
        assert cancelled.status_code == 200
        assert shopper.wallet.balance == Decimal("94.00")
        assert not breaker.is_open(), "Redis is not away"

    def test_in_place_of_limits_is_no_error(self, api, shopper, eth, spoil):
        buy(api, shopper)
        counters = keys("rl:*")
        assert counters
        spoil(*counters)
        answer = api("GET", "accounts/wallet/", by=shopper)
        assert answer.status_code in {200, 429}
        assert not breaker.is_open(), "Redis is not away"


@pytest.mark.parametrize("value", ["-1000000", "text", "-9223372036854775808"])
def test_a_forged_counter_of_calls_gives_no_free_calls(api, shopper, settings, value):
    configure(settings, "LIMITS", user="2/d")
    assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
    [counter] = keys("rl:*")
    put(counter, value)
    answers = [api("GET", "accounts/wallet/", by=shopper).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert with_redis(lambda client: client.ttl(counter)) > 0


def test_a_price_in_redis_does_not_keep_an_old_price_young(api, shopper, eth):
    eth.fixed_price = None
    save_coin(coin=eth)
    CoinPrice.objects.update(read_at=clock.now() - timedelta(hours=1))
    forge_everything({**FORGED, "coin_id": eth.pk, "price": "30.00", "price_at": clock.now().isoformat()})
    refused = buy(api, shopper)
    assert (refused.status_code, refused.json()["code"]) == (503, "price_unavailable")
    assert nothing_was_bought(shopper)
