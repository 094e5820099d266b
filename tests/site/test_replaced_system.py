"""The system that this one replaces: every request in its documentation is accepted unchanged."""

import json

import pytest

from tests.conftest import make_coin

pytestmark = pytest.mark.django_db

CREDENTIALS = '{"username": "user1", "password": "password123"}'


@pytest.fixture
def call(client):
    """Return a function that sends a request of the documentation with the newest token."""
    headers = {}

    def call(method, path, body=""):
        sent = {"data": body, "content_type": "application/json"} if body else {}
        answer = getattr(client, method.lower())(f"/api/v1/{path}", headers=headers, **sent)
        if "access" in (found := json.loads(answer.content)):
            headers["Authorization"] = f"Bearer {found['access']}"
        return answer.status_code, found

    return call


def test_every_request_example_is_accepted_as_written(call):
    make_coin("ABAN", "4.00")
    make_coin("BTC", "50000.00")
    status, tokens = call("POST", "accounts/auth/register/", CREDENTIALS)
    assert (status, tokens.keys()) == (201, {"access", "refresh"})
    status, tokens = call("POST", "accounts/auth/login/", CREDENTIALS)
    assert (status, tokens.keys()) == (200, {"access", "refresh"})

    status, wallet = call("PATCH", "accounts/wallet/deposit", '{"amount": 100.00}')
    assert (status, float(wallet["balance"])) == (200, 100.00)
    status, wallet = call("GET", "accounts/wallet/")
    assert (status, float(wallet["balance"])) == (200, 100.00)

    status, coins = call("GET", "exchanges/crypto-currencies/")
    assert status == 200
    assert [(coin["name"], float(coin["price"])) for coin in coins] == [("ABAN", 4.00), ("BTC", 50000.00)]

    status, order = call("POST", "orders/", '{"crypto": "ABAN", "amount": 3}')
    assert status == 201
    status, order = call("GET", f"orders/{order['id']}/")
    assert status == 200
    assert (order["crypto"], float(order["amount"]), float(order["total_price"])) == ("ABAN", 3, 12.00)

    status, transactions = call("GET", "transactions/")
    assert (status, [row["type"] for row in transactions]) == (200, ["withdrawal", "deposit"])
    status, transaction = call("GET", f"transactions/{transactions[0]['id']}")
    assert status == 200
    assert (transaction["type"], float(transaction["amount"]), transaction["order_id"]) == (
        "withdrawal",
        12.00,
        order["id"],
    )


@pytest.mark.parametrize("path", ["/api/v1/swagger/", "/api/v1/redoc/"])
def test_its_pages_keep_their_addresses(client, path):
    assert client.get(path).status_code == 200


def test_its_environment_variables_are_accepted():
    """The values of the old example file are valid."""
    from exchange_site.configuration import VARIABLES, Configuration

    configuration = Configuration.read(
        {"DEBUG": "True", "LOGLEVEL": "info", "ALLOWED_HOSTS": "0.0.0.0,127.0.0.1,localhost", "POSTGRES_PORT": "5432"}
    )
    assert configuration.django.debug is True
    assert {
        "SECRET_KEY", "DEBUG", "LOGLEVEL", "ALLOWED_HOSTS", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD",
        "POSTGRES_HOST", "POSTGRES_PORT", "REDIS_HOST", "REDIS_PORT", "JWT_SECRET_KEY",
    } <= VARIABLES.keys()  # fmt: skip
