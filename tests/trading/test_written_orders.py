"""The list of orders says the same as the answers about single orders, byte for byte, in every state."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.conftest import make_coin
from trading.models import Order, OrderState
from trading.selectors.orders import VENUE_UNCLEAR
from trading.services.unclear import mark_unclear

pytestmark = pytest.mark.django_db

LARGE, SMALL = {"amount": Decimal(3), "price": Decimal(4), "charge": Decimal(12)}, {
    "amount": Decimal("0.00000001"), "price": Decimal("0.000000001234500000"), "charge": Decimal("0.01"),
}  # fmt: skip


@pytest.fixture
def orders(shopper, coin, now):
    """The ids of orders in all states, newest first: large and small, in two coins, with all that an order may have."""
    coins = (coin, make_coin("ETH", "100"))
    return [_make(shopper, coins[n % 2], n, now).pk for n in range(4 * len(OrderState))][::-1]


def _make(shopper, coin, number, now):
    state, is_small = OrderState.values[number % len(OrderState)], number // len(OrderState) % 2 == 1
    is_small = (is_small or state == "aggregated") and state != "pending"
    # Pairs are of one moment; one in three moments has no fraction of a second, and one less than a millisecond.
    pair = number // 2
    at = (now + timedelta(minutes=pair)).replace(microsecond=(0, 999, 310_456)[pair % 3])
    values = {
        **(SMALL if is_small else LARGE),
        "coin": coin,
        "customer": shopper.user,
        "state": state,
        "price_source": "test",
        "price_at": at,
        "is_pooled": is_small,
        "settle_by": at + timedelta(hours=1) if is_small else None,
        "created_at": at,
        **_priced(number),
        **_reached(state, at),
    }
    return Order.objects.create(**values)


def _priced(number):
    return {"market_price": Decimal("3.98003980398"), "spread_rate": Decimal("0.005")} if number % 4 else {}


def _reached(state, at):
    claimed = {"settling_at": at + timedelta(milliseconds=80), "batch_id": 1}
    ended = at + timedelta(milliseconds=310)
    return {
        "held": {"held_at": at, "reason": "under_review"},
        "settling": claimed,
        "completed": {**claimed, "completed_at": ended},
        "refunded": {**claimed, "refunded_at": ended, "reason": "price_moved"},
        "cancelled": {"cancelled_at": ended, "reason": 'a "reason" with ümlaut\n'},
    }.get(state, {})


def single(api, shopper, order_id):
    answer = api("GET", f"orders/{order_id}/", by=shopper)
    assert answer.status_code == 200
    return answer.content.decode()


class TestTheListOfOrders:
    def test_equals_the_answers_about_single_orders(self, api, shopper, orders):
        answer = api("GET", "orders/?limit=200", by=shopper)
        assert answer.headers["Content-Type"] == api("GET", f"orders/{orders[0]}/", by=shopper).headers["Content-Type"]
        assert answer.content.decode() == f"[{', '.join(single(api, shopper, each) for each in orders)}]"
        assert {order["state"] for order in answer.json()} == set(OrderState.values)

    def test_equals_them_while_the_outcome_of_a_purchase_is_unknown(self, api, shopper, coin, orders, now):
        mark_unclear(coin_id=coin.pk, now=now)
        listed = api("GET", "orders/?limit=200", by=shopper)
        assert listed.content.decode() == f"[{', '.join(single(api, shopper, each) for each in orders)}]"
        unclear = {(order["crypto"], order["state"]) for order in listed.json() if order["reason"] == VENUE_UNCLEAR}
        assert unclear == {("ABAN", "pending"), ("ABAN", "aggregated"), ("ABAN", "settling")}

    def test_equals_them_without_redis(self, api, shopper, orders, without_redis):
        listed = api("GET", "orders/?limit=200", by=shopper)
        assert listed.content.decode() == f"[{', '.join(single(api, shopper, each) for each in orders)}]"
        assert {order["pool"]["total"] for order in listed.json() if order["pool"]} == {"0.02"}

    def test_equals_the_answers_that_place_and_cancel_an_order(self, api, shopper, coin):
        placed = api("POST", "orders/", {"crypto": "ABAN", "total": "1.00"}, by=shopper)
        assert api("GET", "orders/", by=shopper).content == b"[%b]" % placed.content
        cancelled = api("POST", f"orders/{placed.json()['id']}/cancel/", by=shopper)
        assert api("GET", "orders/", by=shopper).content == b"[%b]" % cancelled.content

    def test_is_cut_into_pages_that_hold_each_order_once(self, api, shopper, orders):
        whole = api("GET", "orders/?limit=200", by=shopper).json()
        seen, path = [], "orders/?limit=3&envelope=true"
        while path:
            page = api("GET", path, by=shopper).json()
            seen += page["items"]
            path = page["next"] and page["next"].partition("/api/v1/")[2]
        assert seen == whole
        assert [order["id"] for order in seen] == orders

    @pytest.mark.parametrize("state", OrderState.values)
    def test_is_narrowed_by_state_and_coin_on_every_page(self, api, shopper, orders, state):
        whole = api("GET", "orders/?limit=200", by=shopper).json()
        seen, path = [], f"orders/?limit=1&envelope=true&state={state}&crypto=ETH"
        while path:
            page = api("GET", path, by=shopper).json()
            seen += page["items"]
            path = page["next"] and page["next"].partition("/api/v1/")[2]
        assert seen == [order for order in whole if (order["state"], order["crypto"]) == (state, "ETH")]

    def test_of_another_customer_is_empty(self, api, make_shopper, orders):
        assert api("GET", "orders/", by=make_shopper()).content == b"[]"
        empty = api("GET", "orders/?envelope=true", by=make_shopper())
        assert empty.content == b'{"items": [], "next": null}'

    def test_is_read_in_one_statement(self, api, shopper, orders, django_assert_num_queries):
        api("GET", "orders/", by=shopper)
        with django_assert_num_queries(2):  # one says whether the account is active
            assert len(api("GET", "orders/?state=completed", by=shopper).json()) == 4
