"""Every list as a page: `envelope=true`."""

import base64
import json
import re

import pytest

from tests.site.test_openapi import DOCUMENT, OPERATIONS
from trading.models import Order
from trading.selectors.orders import OrderFilters, list_orders
from wallets.selectors.deposits import DepositFilters, list_deposits
from wallets.selectors.ledger import TransactionFilters, list_transactions
from wallets.selectors.payouts import PayoutFilters, list_payouts

pytestmark = pytest.mark.django_db

LISTS = {
    operation["operationId"]: path.removeprefix("/api/v1/")
    for path, operations in DOCUMENT["paths"].items()
    for operation in operations.values()
    if operation["operationId"].startswith("list")
}
PAGED = {"listOrders", "listTransactions", "listDeposits", "listPayouts"}


@pytest.fixture
def orders(api, shopper, coin):
    """The ids of three orders, newest first."""
    placed = [api("POST", "orders/", {"crypto": "ABAN", "amount": "1"}, by=shopper).json()["id"] for _ in range(3)]
    return placed[::-1]


@pytest.mark.parametrize("name", LISTS)
class TestEveryList:
    def test_is_an_array_unless_a_page_is_asked_for(self, api, shopper, orders, name):
        plain = api("GET", LISTS[name], by=shopper).json()
        assert isinstance(plain, list)
        assert api("GET", f"{LISTS[name]}?envelope=false", by=shopper).json() == plain

    def test_is_a_page_with_the_same_records(self, api, shopper, orders, name):
        plain = api("GET", LISTS[name], by=shopper).json()
        for slash in ("/", ""):
            page = api("GET", f"{LISTS[name].rstrip('/')}{slash}?envelope=true", by=shopper)
            assert page.status_code == 200
            assert list(page.json()) == ["items", "next"]
            assert without_prices(page.json()["items"]) == without_prices(plain)
            assert page.json()["next"] is None

    @pytest.mark.parametrize("value", ["yes", "1", "True", "", "null", "truefalse"])
    def test_refuses_other_values(self, api, shopper, name, value):
        answer = api("GET", f"{LISTS[name]}?envelope={value}", by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["envelope"]

    def test_is_described_in_both_forms(self, name):
        operation = OPERATIONS[name]
        array, page = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
        described = DOCUMENT["components"]["schemas"][page["$ref"].rsplit("/", 1)[-1]]
        assert array["type"] == "array"
        assert described["properties"]["items"]["items"] == array["items"]
        assert described["required"] == ["items", "next"]
        assert "422" in operation["responses"]


def without_prices(rows):
    """Return rows without the times that differ at each call."""
    return [{name: value for name, value in row.items() if name not in {"price_at", "last_used_at"}} for row in rows]


def test_next_leads_through_all_pages_and_stays_a_page(api, shopper, orders):
    seen, path = [], "orders/?envelope=true&limit=1&state=aggregated"
    while path:
        answer = api("GET", path, by=shopper)
        page = answer.json()
        seen += [order["id"] for order in page["items"]]
        assert (answer.get("Link") is None) == (page["next"] is None)
        if page["next"]:
            assert answer["Link"] == f'<{page["next"]}>; rel="next"'
        path = page["next"] and re.sub(".*/api/v1/", "", page["next"])
    assert seen == orders == list(Order.objects.order_by("-id").values_list("id", flat=True))


def test_a_statement_in_csv_has_no_envelope(api, shopper):
    answer = api("GET", "transactions/?envelope=true", by=shopper, Accept="text/csv")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "envelope")


@pytest.mark.parametrize("name", sorted(PAGED))
def test_pages_take_the_parameter_beside_the_others(api, shopper, name):
    assert (
        api("GET", f"{LISTS[name]}?envelope=true&limit=1", by=shopper).json()["items"]
        == api("GET", f"{LISTS[name]}?limit=1", by=shopper).json()
    )


@pytest.mark.parametrize("query", ["", "&created_after=2026-01-01T00:00:00Z", "&created_before=2100-01-01T00:00:00Z"])
def test_a_cursor_is_refused_by_every_other_list(api, shopper, orders, query):
    for _ in range(2):
        assert api("PATCH", "accounts/wallet/deposit/", {"amount": "1"}, by=shopper).status_code == 200
    lists = {name: LISTS[name] for name in PAGED}
    cursors = {name: cursor_of(api("GET", f"{path}?limit=1{query}", by=shopper)) for name, path in lists.items()}
    assert [name for name, cursor in cursors.items() if cursor is None] == ["listPayouts"]
    for made_by, cursor in cursors.items():
        for name, path in lists.items():
            answer = api("GET", f"{path}?cursor={cursor or 'none'}{query}", by=shopper)
            if made_by == name and cursor:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def cursor_of(page):
    """Return the cursor of the page that follows; None on the last one."""
    found = re.search("cursor=([^&>]+)", page.get("Link", ""))
    return found and found[1]


@pytest.mark.parametrize("digest", [[], {}, None, 1, True])
def test_a_cursor_whose_digest_is_no_text_is_refused(api, shopper, digest):
    place = json.dumps(["2026-01-31T12:00:00+00:00", 7, digest])
    cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    for name in PAGED:
        assert api("GET", f"{LISTS[name]}?cursor={cursor}", by=shopper).json()["code"] == "invalid_cursor"


# The digests of the customer 4711 and these filters, as clients have them in cursors.
@pytest.mark.parametrize(
    ("read", "filters", "digest"),
    [
        (list_orders, OrderFilters(crypto="ABAN", state="pending"), "d3933c48a3a7643a"),
        (list_transactions, TransactionFilters(direction="deposit", order_id=7), "e6ab7bd55dd10249"),
        (list_deposits, DepositFilters(), "15ccef4d26d6ad6b"),
        (list_payouts, PayoutFilters(), "cad6821610f67a04"),
    ],
)
def test_cursors_that_clients_already_have_stay_valid(read, filters, digest):
    place = json.dumps(["2026-01-31T12:00:00+00:00", 7, digest])
    cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    assert read(customer_id=4711, filters=filters, limit=5, cursor=cursor).rows == []
