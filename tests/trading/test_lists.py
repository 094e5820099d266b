import re
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.conftest import make_coin
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order

pytestmark = pytest.mark.django_db


def place(shopper, now, crypto="ABAN"):
    order_request = OrderRequest(coin_name=crypto, amount=None, total=Decimal("1.00"))
    return place_order(buyer=shopper.principal, order_request=order_request, now=now).order


@pytest.fixture
def orders(shopper, coin, now):
    """The ids of seven orders, newest first. Pairs of them were placed at the same moment."""
    times = [now + timedelta(seconds=number // 2) for number in range(7)]
    return [place(shopper, time).pk for time in times][::-1]


def next_link(response):
    found = re.fullmatch(r'<http://testserver/api/v1/(.*)>; rel="next"', response.get("Link", ""))
    return found and found[1]


@pytest.mark.parametrize("path", ["orders/", "transactions/"])
def test_pages_show_each_row_once_while_rows_are_added(api, shopper, orders, now, path):
    seen, url = [], f"{path}?limit=2"
    while url:
        page = api("GET", url, by=shopper)
        seen += [row.get("order_id") or row["id"] for row in page.json()]
        url = next_link(page)
        place(shopper, now + timedelta(minutes=1))
    assert seen[: len(orders)] == orders


def test_filters_narrow_the_list(api, shopper, orders, now):
    make_coin("ETH", "100")
    other = place(shopper, now, "ETH").pk
    assert [row["id"] for row in api("GET", "orders/?crypto=ETH", by=shopper).json()] == [other]
    assert api("GET", "orders/?state=completed", by=shopper).json() == []
    edge = (now + timedelta(seconds=2)).isoformat().replace("+00:00", "Z")
    assert len(api("GET", f"orders/?created_after={edge}", by=shopper).json()) == 1
    assert len(api("GET", f"orders/?created_before={edge}&limit=200", by=shopper).json()) == 5
    assert len(api("GET", "transactions/?type=deposit", by=shopper).json()) == 1
    assert len(api("GET", f"transactions/?order_id={other}", by=shopper).json()) == 1
    assert len(api("GET", f"transactions/?created_after={edge}", by=shopper).json()) == 1
    assert len(api("GET", f"transactions/?created_before={edge}&type=withdrawal", by=shopper).json()) == 5


def test_a_cursor_is_valid_only_for_its_own_list(api, shopper, make_shopper, orders):
    link = next_link(api("GET", "orders/?limit=2", by=shopper))
    for url, by in [
        (link + "&state=aggregated", shopper),
        (link, make_shopper()),
        ("orders/?cursor=AAAA", shopper),
    ]:
        answer = api("GET", url, by=by)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1e1",
        "colour=red",
        "state=lost",
        "crypto=a",
        "created_after=yesterday",
        "created_after=2026-01-01T00:00:00",
    ],
)
def test_invalid_parameters_are_refused(api, shopper, query):
    answer = api("GET", f"orders/?{query}", by=shopper)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


@pytest.mark.parametrize("cursor", ["%00", "é", "[]", "A" * 500, "WyJ4Il0", "bnVsbA", "WzEsMiwzXQ"])
def test_malformed_cursors_are_refused(api, shopper, cursor):
    assert api("GET", f"orders/?cursor={cursor}", by=shopper).json()["code"] == "invalid_cursor"


def test_an_order_in_a_pool_shows_the_pool(api, shopper, orders):
    with_pool = api("GET", f"orders/{orders[0]}/", by=shopper).json()["pool"]
    assert (with_pool["total"], with_pool["threshold"]) == ("7.00", "10.00")


def test_the_pool_is_shown_without_redis(api, shopper, orders, without_redis):
    assert api("GET", f"orders/{orders[0]}/", by=shopper).json()["pool"]["total"] == "7.00"


def test_transactions_show_direction_and_kind(api, shopper, orders):
    newest, *_, oldest = api("GET", "transactions/", by=shopper).json()
    assert newest.items() >= {"type": "withdrawal", "kind": "purchase", "amount": "1.00", "order_id": orders[0]}.items()
    assert oldest.items() >= {"type": "deposit", "kind": "deposit", "balance_after": "100.00", "order_id": None}.items()
    assert api("GET", f"transactions/{newest['id']}/", by=shopper).json() == newest
