"""A query parameter that an operation does not have, or that has two values, is refused everywhere, and nothing happens."""

from urllib.parse import urlencode

import pytest

from tests.site.test_openapi import DOCUMENT
from trading.models import Order
from wallets.models import Payee, Payout, TokenFamily, Transaction, User

pytestmark = pytest.mark.django_db

IN_PATHS = {"month": "2026-01", "name": "ABAN", "session_id": "0c9b1c1e-6f0a-4c57-9a0e-2f6d1a6f1f2b"}
OPERATIONS = {
    operation["operationId"]: (method.upper(), path.removeprefix("/api/v1/"), operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


@pytest.fixture
def call(api, shopper, coin):
    """Call an operation with the first example of its document, and a query."""

    def send(name, query):
        method, path, operation = OPERATIONS[name]
        given = {each["name"]: "1" for each in operation["parameters"] if each.get("in") == "path"} | IN_PATHS
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        body = next((each["value"] for each in media.get("examples", {}).values()), None)
        return api(method, f"{path.format(**given)}?{query}", body, by=shopper if operation["security"] else None)

    return send


def count_rows():
    return [model.objects.count() for model in (User, TokenFamily, Transaction, Order, Payee, Payout)]


@pytest.mark.parametrize("name", OPERATIONS)
class TestEveryOperation:
    def test_refuses_a_parameter_that_it_does_not_have(self, call, name):
        before = count_rows()
        answer = call(name, "colour=red&wiat=20")
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["colour", "wiat"]
        assert count_rows() == before

    def test_knows_the_parameters_of_its_document(self, call, name):
        """With values that it takes: a wrong value is refused before the names are looked at."""
        for each in OPERATIONS[name][2]["parameters"]:
            if each.get("in") == "query":
                answer = call(name, urlencode({each["name"]: value_of(each["schema"])}))
                said = answer.json()
                assert not isinstance(said, dict) or said.get("code") != "validation_error", (each["name"], said)


def value_of(schema):
    """Return a value that a parameter takes. A cursor is made up, so its operation refuses it with a code of its own."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    known = [*schema.get("enum", ()), *schema.get("examples", ())]
    known += [schema[name] for name in ("default", "minimum") if name in schema]
    value = known[0] if known else "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "a"
    return str(value).lower() if isinstance(value, bool) else value


@pytest.mark.parametrize("name", ["getWallet", "listOrders"])
def test_more_parameters_than_are_read_are_refused(call, name):
    answer = call(name, "&".join(["a"] * 1001))
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["errors"] == [{"field": "query", "message": "has too many parameters"}]


class TestAParameterThatIsGivenTwice:
    def test_with_different_values_is_refused(self, api, shopper):
        answer = api("GET", "orders/?state=held&limit=1&state=pending", by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert answer.json()["errors"] == [{"field": "state", "message": "is given twice, with different values"}]

    def test_with_one_value_is_clear(self, api, shopper):
        """Clients add their own parameters to the address of the next page, which has them already."""
        assert api("GET", "orders/?limit=2&limit=2", by=shopper).status_code == 200


class TestAnInteger:
    @pytest.mark.parametrize("value", ["1_0", "10.0", "%2B10", "%2010", "1e1", "", "\N{ARABIC-INDIC DIGIT ONE}"])
    @pytest.mark.parametrize(
        ("path", "name"), [("orders/", "limit"), ("transactions/", "order_id"), ("orders/{id}/", "wait")]
    )
    def test_in_another_notation_is_refused(self, api, shopper, coin, path, name, value):
        order = api("POST", "orders/", {"crypto": "ABAN", "amount": "1"}, by=shopper).json()
        answer = api("GET", f"{path.format(**order)}?{name}={value}", by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert answer.json()["errors"] == [{"field": name, "message": "must be an integer, such as 10"}]

    def test_in_plain_notation_is_read(self, api, shopper):
        assert api("GET", "orders/?limit=010", by=shopper).status_code == 200
        assert "greater than" in api("GET", "orders/?limit=-1", by=shopper).json()["errors"][0]["message"]
