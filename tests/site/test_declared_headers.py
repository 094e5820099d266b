"""Headers of real answers: the OpenAPI document declares each of them that tells a client something."""

import pytest
from django.conf import settings

from exchange_site.api import api as ninja
from tests.configure import configure
from tests.site.test_openapi import resolved
from wallets.web.problems import PROBLEM_JSON

DOCUMENT = ninja.get_openapi_schema()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}
HEADERS = DOCUMENT["components"]["headers"]
OF_HTTP = {
    "Content-Type", "Content-Length", "Connection", "Vary", "X-Content-Type-Options", "X-Frame-Options",
    "Referrer-Policy", "Cross-Origin-Opener-Policy",
}  # fmt: skip
COUNTED = {"X-Request-ID", "RateLimit", "RateLimit-Policy"}
BUY = {"crypto": "ABAN", "amount": "3"}

pytestmark = pytest.mark.django_db


def declared(answer, operation_id):
    """Return the names of the answer's headers, and expect that the operation declares them for its status."""
    response = resolved(OPERATIONS[operation_id]["responses"][str(answer.status_code)])
    names = set(response["headers"])
    told = set(answer.headers) - OF_HTTP
    assert told <= names
    assert {name for name in names if HEADERS[name].get("required")} <= told
    return told


class TestDeclaredHeaders:
    def test_show_limits_on_answers(self, api, shopper, coin):
        placed = api("POST", "orders/", BUY, by=shopper)
        assert declared(placed, "placeOrder") == COUNTED
        assert declared(api("GET", f"orders/{placed.json()['id']}/", by=shopper), "getOrder") == COUNTED
        assert declared(api("GET", "exchanges/crypto-currencies/"), "listCoins") == COUNTED

    def test_link_to_the_next_page(self, api, shopper, coin):
        for _ in range(2):
            api("POST", "orders/", BUY, by=shopper)
        page = api("GET", "orders/?limit=1", by=shopper)
        assert declared(page, "listOrders") == {*COUNTED, "Link"}

    @pytest.mark.parametrize(
        ("method", "path", "body", "operation_id"),
        [("POST", "orders/", BUY, "placeOrder"), ("PATCH", "accounts/wallet/deposit/", {"amount": "1.00"}, "deposit")],
    )
    def test_say_that_a_request_was_repeated(self, api, shopper, coin, method, path, body, operation_id):
        first, again = (api(method, path, body, by=shopper, Idempotency_Key="mine") for _ in range(2))
        assert declared(first, operation_id) == COUNTED
        assert declared(again, operation_id) == {*COUNTED, "Idempotent-Replayed"}

    def test_name_the_file_of_a_statement(self, api, shopper):
        told = declared(api("GET", "transactions/", by=shopper, Accept="text/csv"), "listTransactions")
        assert told >= {*COUNTED, "Content-Disposition"}

    @pytest.mark.parametrize(
        ("status", "path", "body", "operation_id", "more"),
        [
            (400, "orders/", "{", "placeOrder", set()),
            (400, "orders/", {"crypto": "ABAN", "amount": "3000"}, "placeOrder", set()),
            (404, "orders/", {"crypto": "NONE", "amount": "3"}, "placeOrder", set()),
            (404, "orders/77/cancel/", None, "cancelOrder", set()),
            (422, "orders/", {"quote": "ABAN:x"}, "placeOrder", set()),
            (422, "quotes/", {}, "makeQuote", set()),
        ],
    )
    def test_are_on_problems_too(self, api, shopper, coin, status, path, body, operation_id, more):
        answer = api("POST", path, body, by=shopper)
        assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM_JSON)
        assert declared(answer, operation_id) == COUNTED | more

    def test_name_the_scheme_of_the_token_that_is_missing(self, api):
        assert declared(api("GET", "orders/"), "listOrders") == {*COUNTED, "WWW-Authenticate"}

    def test_say_how_long_to_wait(self, api, shopper, settings):
        configure(settings, "LIMITS", user="1/h")
        answers = [api("GET", "accounts/wallet/", by=shopper) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert declared(answers[1], "getWallet") == {*COUNTED, "Retry-After"}

    def test_show_no_limits_when_nothing_was_counted(self, api, shopper):
        assert declared(api("POST", "orders/", "x" * 70_000, by=shopper), "placeOrder") == {"X-Request-ID"}
        assert declared(api("GET", f"orders/?cursor={'x' * 5000}", by=shopper), "listOrders") == {"X-Request-ID"}

    def test_are_on_the_answer_after_a_crash(self, api, shopper, monkeypatch):
        def explode(**_):
            raise RuntimeError

        monkeypatch.setattr("wallets.api.wallet.get_dollar_wallet", explode)
        assert declared(api("GET", "accounts/wallet/", by=shopper), "getWallet") == COUNTED

    def test_repeat_the_callers_own_request_id(self, api, shopper):
        assert "X-Request-ID" in {each["name"] for each in DOCUMENT["components"]["parameters"].values()}
        assert api("GET", "accounts/wallet/", by=shopper, X_Request_ID="mine.1")["X-Request-ID"] == "mine.1"


def test_every_operation_takes_a_request_id():
    for operation in OPERATIONS.values():
        assert operation["parameters"][-1] == {"$ref": "#/components/parameters/RequestId"}


def test_pages_of_other_origins_may_read_all_headers_but_the_scheme_of_a_token():
    assert {name.lower() for name in DOCUMENT["components"]["headers"]} - {"www-authenticate"} == set(
        settings.CORS_EXPOSE_HEADERS
    )
