import json
import re

import pytest
from django.db import connection

from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.site.test_openapi import IDS
from trading.models import Order
from wallets.models import Transaction, User, Wallet
from wallets.payment_references import payment_reference

pytestmark = pytest.mark.django_db

EVERY_GET = [
    "accounts/me", "accounts/sessions", "accounts/wallet", "accounts/holdings", "exchanges/crypto-currencies", "exchanges/crypto-currencies/ABAN",
    "accounts/deposits", "accounts/payees", "accounts/payouts", "accounts/statements/2026-01", "orders", "orders/{order}", "transactions", "transactions/{transaction}",
    "openapi.json", "swagger", "redoc",
]  # fmt: skip


@pytest.fixture
def order(api, shopper, coin):
    return api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()


def problem(response):
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert {"type", "title", "detail", "code"} <= body.keys()
    assert body["request_id"] == response["X-Request-ID"]
    return response.status_code, body["code"]


class TestPaths:
    @pytest.mark.parametrize("path", EVERY_GET)
    def test_get_the_same_answer_with_and_without_slash(self, api, shopper, order, path):
        movement = Transaction.objects.get(kind="purchase").pk
        path = path.format(order=order["id"], transaction=movement)
        with_slash, without = (api("GET", f"{path}{slash}", by=shopper) for slash in ("/", ""))
        assert (with_slash.status_code, without.status_code) == (200, 200)
        if path != "exchanges/crypto-currencies":
            assert with_slash.getvalue() == without.getvalue()

    @pytest.mark.parametrize("slash", ["/", ""])
    def test_take_a_body_without_slash(self, api, shopper, coin, slash):
        assert api("PATCH", f"accounts/wallet/deposit{slash}", {"amount": "1"}, by=shopper).status_code == 200
        assert api("PATCH", f"accounts/wallet/withdraw{slash}", {"amount": "1"}, by=shopper).status_code == 200
        placed = api("POST", f"orders{slash}", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert placed.status_code == 201
        assert api("POST", f"orders/{placed.json()['id']}/cancel{slash}", by=shopper).status_code == 200
        for name in ("login", "register", "refresh", "logout", "password", "password/forgot", "password/reset"):
            assert api("POST", f"accounts/auth/{name}{slash}", {}, by=shopper).status_code == 422
        for name in ("email", "email/verify"):
            assert api("POST", f"accounts/{name}{slash}", {}, by=shopper).status_code == 422

    def test_of_health_answer_the_state(self, client):
        assert client.get("/health").json() == {"status": "ok"}
        states = {"status": "ok", "postgres": "ok", "redis": "ok", "clock": "ok"}
        assert client.get("/health/ready/").json() == states

    @pytest.mark.parametrize("path", ["/health/", "/health/ready", "/metrics/"])
    def test_of_health_and_metrics_answer_by_address_and_without_tls(self, client, settings, path):
        """Orchestrators and Prometheus call containers by address, in plain HTTP."""
        settings.SECURE_SSL_REDIRECT = True
        settings.ALLOWED_HOSTS = ["exchange.example"]
        assert client.get(path, headers={"Host": "172.30.250.3:8000"}).status_code == 200

    def test_of_the_api_refuse_an_unknown_host(self, api, settings):
        settings.ALLOWED_HOSTS = ["exchange.example"]
        assert problem(api("GET", "exchanges/crypto-currencies/", Host="172.30.250.3")) == (400, "malformed_request")

    def test_of_health_name_a_server_that_does_not_answer(self, client, without_redis):
        answer = client.get("/health/ready/")
        assert (answer.status_code, answer.json()["redis"]) == (200, "unavailable")


class TestAnswers:
    def test_lead_from_sign_up_to_sign_out(self, api):
        credentials = {"username": "alice", "password": "password123"}
        registered = api("POST", "accounts/auth/register/", {**credentials, "email": "a@example.com"})
        assert (registered.status_code, registered.json().keys()) == (201, {"access", "refresh"})
        signed_in = api("POST", "accounts/auth/login/", credentials).json()
        headers = {"Authorization": f"Bearer {signed_in['access']}"}
        wallet = api("GET", "accounts/wallet/", **headers).json()
        reference = payment_reference(subject=User.objects.get(username="alice").subject)
        nothing = dict.fromkeys(("balance", "available", "on_hold", "in_orders", "in_payouts"), "0.00")
        assert wallet == {"currency": "USD", "reference": reference, **nothing}
        fresh = api("POST", "accounts/auth/refresh/", {"refresh": signed_in["refresh"]}).json()
        left = api("POST", "accounts/auth/logout/", {"refresh": fresh["refresh"]}, **headers)
        assert (left.status_code, left.content) == (204, b"")
        assert api("POST", "accounts/auth/refresh/", {"refresh": fresh["refresh"]}).status_code == 401

    def test_for_an_order_have_all_members(self, order):
        assert order.pop("created_at").endswith("Z")
        assert order.pop("id")
        assert order == {
            "crypto": "ABAN", "amount": "3.00000000", "price": "4.00000000", "total_price": "12.00",
            "market_price": "4.00000000", "subtotal": "12.00", "fee": "0.00", "rebate": "0.00",
            "state": "pending", "is_aggregated": False, "pool": None, "reason": None,
            "settling_at": None, "completed_at": None, "refunded_at": None, "cancelled_at": None,
        }  # fmt: skip

    def test_have_tiny_amounts_in_plain_notation(self, api, shopper):
        make_coin("BTC", "65000")
        answer = api("POST", "orders/", {"crypto": "BTC", "amount": "1e-8"}, by=shopper).json()
        assert (answer["amount"], answer["total_price"]) == ("0.00000001", "0.01")

    def test_to_amounts_sent_as_numbers_are_exact(self, api, shopper, coin):
        exact = api("POST", "orders/", '{"crypto": "ABAN", "amount": 0.12345678}', by=shopper)
        assert exact.json()["amount"] == "0.12345678"

    def test_to_repeated_requests_say_that_they_are_replays(self, api, shopper, coin):
        body = {"crypto": "ABAN", "amount": "3"}
        first = api("POST", "orders/", body, by=shopper, Idempotency_Key='"k-1"')
        again = api("POST", "orders/", body, by=shopper, Idempotency_Key="k-1")
        assert (first.status_code, again.status_code) == (201, 201)
        assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
        assert first.json() == again.json()
        for path in ("deposit", "withdraw"):
            for replayed in (None, "true"):
                moved = api("PATCH", f"accounts/wallet/{path}/", {"amount": "1"}, by=shopper, Idempotency_Key="k")
                assert moved.get("Idempotent-Replayed") == replayed

    def test_for_holdings_have_cost_and_value(self, api, shopper, coin):
        Wallet.objects.create(owner=shopper.user, asset="ABAN", role="customer", balance="1.50000000")
        [held] = api("GET", "accounts/holdings/", by=shopper).json()
        assert held == {
            "crypto": "ABAN",
            "amount": "1.50000000",
            "cost": "0.00",
            "price": "4.00000000",
            "value": "6.00",
        }

    def test_of_openapi_describe_every_operation(self, api):
        document = api("GET", "openapi.json").json()
        operations = [operation for path in document["paths"].values() for operation in path.values()]
        assert {operation["operationId"] for operation in operations} == IDS
        assert all("429" in operation["responses"] for operation in operations)


class TestHead:
    """RFC 9110, section 9.1: what answers GET answers HEAD."""

    COUNTED = {"X-Request-ID", "RateLimit"}

    @pytest.mark.parametrize(
        "path", [*EVERY_GET, "orders/0", "nowhere", "orders?limit=0", "exchanges/crypto-currencies/NONE"]
    )
    @pytest.mark.parametrize("accepted", ["*/*", "text/csv"])
    def test_gets_the_status_and_headers_of_get_and_no_body(self, api, client, shopper, order, path, accepted):
        path = path.format(order=order["id"], transaction=Transaction.objects.get(kind="purchase").pk)
        get = api("GET", path, by=shopper, Accept=accepted)
        head = client.head(f"/api/v1/{path}", headers={**shopper.headers, "Accept": accepted})
        assert (head.status_code, head.getvalue()) == (get.status_code, b"")
        seen, wanted = ({n: v for n, v in each.items() if n not in self.COUNTED} for each in (head, get))
        assert seen == wanted

    def test_counts_as_a_call_and_is_logged_as_what_it_is(self, client, shopper, caplog):
        caplog.set_level("INFO", logger="exchange_site.access")
        left = [
            int(re.search(r'"user";r=(\d+)', client.head("/api/v1/orders/", headers=shopper.headers)["RateLimit"])[1])
            for _ in range(2)
        ]
        assert left[0] - left[1] == 1
        assert [record.getMessage() for record in caplog.records] == ["HEAD /api/v1/orders/ 200"] * 2

    def test_is_refused_where_there_is_no_get(self, client, shopper):
        answer = client.head("/api/v1/quotes/", headers=shopper.headers)
        assert (answer.status_code, answer["Allow"]) == (405, "POST")

    @pytest.mark.parametrize("path", ["/health/", "/health/ready", "/metrics/", "/api/v1/openapi.json", "/"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FIND"])
    def test_and_get_are_all_that_pages_and_health_have(self, client, path, method):
        answer = client.generic(method, path)
        assert problem(answer) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD"
        assert client.head(path).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "FIND"])
    def test_is_not_promised_by_the_base_of_the_paths(self, client, method):
        assert problem(client.generic(method, "/api/v1/")) == (404, "not_found")


class TestErrors:
    def test_for_an_unknown_path_or_method(self, api, shopper):
        assert problem(api("GET", "nowhere/", by=shopper)) == (404, "not_found")
        answer = api("DELETE", "orders/", by=shopper)
        assert problem(answer) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD, POST"

    @pytest.mark.parametrize("header", [None, "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer é"])
    def test_without_a_valid_token(self, api, header):
        headers = {"Authorization": header} if header else {}
        for method, path in [
            ("GET", "accounts/wallet/"),
            ("POST", "orders/"),
            ("PATCH", "accounts/wallet/deposit/"),
        ]:
            answer = api(method, path, {"amount": "1"}, **headers)
            assert problem(answer) == (401, "token_invalid")
            assert answer["WWW-Authenticate"] == "Bearer"

    def test_without_a_valid_token_write_no_credential_to_the_log(self, api, shopper, settings, caplog):
        """Ninja would, if DEBUG is on."""
        settings.DEBUG = True
        token = shopper.headers["Authorization"].removeprefix("Bearer ")
        for header in (token, f"Token {token}", f"Bearer\t{token}", f"Bearer  {token}"):
            assert api("GET", "accounts/wallet/", Authorization=header).status_code == 401
        assert token not in caplog.text

    def test_for_a_disabled_account_on_every_operation(self, api, shopper, coin):
        User.objects.filter(pk=shopper.user.pk).update(is_active=False)
        for method, path, body in [
            ("GET", "accounts/wallet/", None),
            ("GET", "orders/", None),
            ("POST", "orders/", {"crypto": "ABAN", "amount": "1"}),
            ("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}),
        ]:
            assert problem(api(method, path, body, by=shopper)) == (401, "token_invalid")

    def test_for_a_frozen_account_only_when_it_moves_money(self, api, shopper, coin):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        for method, path, body in [
            ("POST", "orders/", {"crypto": "ABAN", "amount": "1"}),
            ("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}),
            ("PATCH", "accounts/wallet/deposit/", {"amount": "1"}),
            ("POST", "orders/1/cancel/", None),
        ]:
            assert problem(api(method, path, body, by=shopper)) == (403, "account_frozen")

    @pytest.mark.django_db(transaction=True)
    def test_for_short_funds_an_unknown_coin_and_a_missing_price(self, api, shopper, coin):
        assert problem(api("POST", "orders/", {"crypto": "ABAN", "amount": "26"}, by=shopper)) == (
            400,
            "insufficient_funds",
        )
        assert problem(api("POST", "orders/", {"crypto": "NONE", "amount": "2"}, by=shopper)) == (
            404,
            "unknown_crypto",
        )
        assert problem(api("GET", "exchanges/crypto-currencies/NONE/")) == (404, "unknown_crypto")
        coin.fixed_price = None
        coin.save()
        with by_owner():
            coin.current_price.delete()
        from wallets.runtime.redis_store import with_redis

        with_redis(lambda redis: redis.flushall())
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "2"}, by=shopper)
        assert problem(answer) == (503, "price_unavailable")
        assert int(answer["Retry-After"]) > 0

    def test_for_deposits_that_are_closed(self, api, shopper, settings):
        configure(settings, "DEPOSITS", self_service=False)
        assert problem(api("PATCH", "accounts/wallet/deposit/", {"amount": "1"}, by=shopper)) == (
            403,
            "not_allowed",
        )

    def test_for_a_weak_password_name_the_field(self, api, settings):
        settings.AUTH_PASSWORD_VALIDATORS = [
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}
        ]
        answer = api("POST", "accounts/auth/register/", {"username": "bob", "password": "password123"})
        assert problem(answer) == (422, "validation_error")
        assert answer.json()["errors"][0]["field"] == "password"

    def test_after_a_crash_show_no_detail(self, api, shopper, monkeypatch, client, settings):
        def explode(**_):
            raise RuntimeError("secret detail")

        monkeypatch.setattr("wallets.api.wallet.get_dollar_wallet", explode)
        for debug in (True, False):
            settings.DEBUG = debug
            answer = api("GET", "accounts/wallet/", by=shopper)
            assert problem(answer) == (500, "internal_error")
            assert b"secret" not in answer.content

    def test_without_a_database_are_a_503(self, api, shopper, monkeypatch):
        def away(**_):
            from django.db import OperationalError

            raise OperationalError("connection refused to secret-host")

        monkeypatch.setattr("wallets.api.wallet.get_dollar_wallet", away)
        answer = api("GET", "accounts/wallet/", by=shopper)
        assert problem(answer) == (503, "unavailable")
        assert answer["Retry-After"]
        assert b"secret" not in answer.content


BAD_AMOUNTS = [
    "NaN", "Infinity", "-Infinity", "-1", "0", "1e999", "1_000", "１", "0.000000001", "1" * 40, " 1", "", "one", "0x10",
    True, None, [], {}, -1, 0, ["1"], 0.000000001,
]  # fmt: skip
BAD_TEXTS = [None, True, 7, [], {}, "", "\x00", "a" * 5000]
ENDPOINTS = [
    (
        "POST",
        "accounts/auth/register/",
        {"username": "bob", "password": "password123", "email": "b@example.com"},
    ),
    ("POST", "accounts/auth/login/", {"username": "bob", "password": "password123"}),
    ("POST", "accounts/auth/refresh/", {"refresh": "token"}),
    ("POST", "accounts/auth/logout/", {"refresh": "token"}),
    ("POST", "accounts/auth/password/", {"current": "password123", "new": "password1234"}),
    ("POST", "accounts/auth/password/forgot/", {"email": "b@example.com"}),
    ("POST", "accounts/auth/password/reset/", {"token": "token", "new": "password1234"}),
    ("POST", "accounts/email/", {"email": "b@example.com", "password": "password123"}),
    ("POST", "accounts/email/verify/", {"token": "token"}),
    ("POST", "accounts/mfa/", {"password": "password123"}),
    ("POST", "accounts/mfa/confirm/", {"otp": "492039"}),
    ("DELETE", "accounts/mfa/", {"otp": "492039"}),
    ("PATCH", "accounts/wallet/deposit/", {"amount": "1.00"}),
    ("PATCH", "accounts/wallet/withdraw/", {"amount": "1.00"}),
    ("POST", "accounts/payees/", {"name": "Alice", "iban": "GB82WEST12345698765432"}),
    ("POST", "accounts/payouts/", {"amount": "1.00"}),
    ("POST", "orders/", {"crypto": "ABAN", "amount": "1.00"}),
    ("POST", "orders/", {"crypto": "ABAN", "total": "4.00"}),
]
FIELDS = [(*endpoint, name) for endpoint in ENDPOINTS for name in endpoint[2]]


def row_counts():
    models = [*connection.introspection.django_table_names(only_existing=True)]
    with connection.cursor() as cursor:
        counts = {}
        for table in models:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            counts[table] = cursor.fetchone()[0]
    return counts


class TestBadInput:
    def refused(self, api, method, path, body, by):
        before = row_counts()
        answer = api(method, path, body, by=by)
        status, code = problem(answer)
        assert 400 <= status < 500, (body, status)
        assert row_counts() == before
        return code

    @pytest.mark.parametrize(("method", "path", "body", "name"), FIELDS)
    def test_in_a_field_changes_nothing(self, api, shopper, coin, method, path, body, name):
        for bad in BAD_AMOUNTS if name in {"amount", "total"} else BAD_TEXTS:
            if name == "email" and bad == "":
                continue
            if bad == "\x00":
                assert self.refused(api, method, path, {**body, name: bad}, shopper) == "malformed_json"
            else:
                self.refused(api, method, path, {**body, name: bad}, shopper)

    @pytest.mark.parametrize("digits", ["1" * 5000, "-" + "1" * 5000, "1" * 5000 + ".5"])
    @pytest.mark.parametrize(
        ("path", "name"), [("orders/", "amount"), ("orders/", "total"), ("accounts/payouts/", "payee")]
    )
    def test_in_a_number_of_many_digits_is_named(self, api, shopper, coin, digits, path, name):
        """It is JSON, and more digits than Python makes an integer of."""
        rest = {"orders/": {"crypto": "ABAN"}, "accounts/payouts/": {"amount": "1.00"}}[path]
        body = json.dumps({**rest, name: 0}).replace(": 0}", f": {digits}}}")
        answer = api("POST", path, body, by=shopper)
        assert problem(answer) == (422, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == [name]

    @pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
    def test_as_a_whole_body_changes_nothing(self, api, shopper, coin, method, path, body):
        assert self.refused(api, method, path, {**body, "extra": 1}, shopper) == "validation_error"
        for text in [
            "{",
            "[]",
            "null",
            "7",
            '"x"',
            "NaN",
            "",
            b"\xff",
            '{"a": "\\ud800"}',
            '{"a": 1, "a": 1}',
            "[" * 60_000,
            '{"amount": NaN}',
            '{"amount": 1e99999999999999999999}',
            '{"amount": ' + "9" * 5000 + "}",
        ]:
            assert self.refused(api, method, path, text, shopper) in {"malformed_json", "validation_error"}
        assert (
            self.refused(api, method, path, json.dumps({**body, "extra": "x" * 2_000_000}), shopper) == "body_too_large"
        )

    def test_in_other_media_types_is_refused(self, client, shopper):
        for media in (
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/xml",
        ):
            answer = client.patch(
                "/api/v1/accounts/wallet/deposit/",
                data='{"amount": "1"}',
                content_type=media,
                headers=shopper.headers,
            )
            assert problem(answer) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("key", ["", " ", "a b", "é", "a" * 256, '""', "\t"])
    def test_in_the_idempotency_key_is_refused(self, api, shopper, coin, key):
        body = {"crypto": "ABAN", "amount": "1"}
        answer = api("POST", "orders/", body, by=shopper, Idempotency_Key=key)
        assert problem(answer) == (422, "validation_error")
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
        assert not Order.objects.exists()

    def test_with_neither_or_both_of_amount_and_total_is_refused(self, api, shopper, coin):
        for extra in ({}, {"amount": "1", "total": "1"}, {"amount": "1", "total": None}):
            assert problem(api("POST", "orders/", {"crypto": "ABAN", **extra}, by=shopper)) == (
                422,
                "validation_error",
            )

    @pytest.mark.parametrize(
        "path",
        [
            "orders/0/",
            "orders/99999999999999999999999/",
            "orders/x/",
            "orders/-1/",
            "transactions/0/",
            "transactions/99999999999999999999999/",
            "orders/%00/",
            "orders/1/2/",
        ],
    )
    def test_in_the_path_is_a_404(self, api, shopper, path):
        assert problem(api("GET", path, by=shopper)) == (404, "not_found")

    @pytest.mark.parametrize("name", ["%00", "aban", "A" * 99, "é", "%FF"])
    def test_in_a_coins_name_is_an_unknown_coin(self, api, name):
        assert problem(api("GET", f"exchanges/crypto-currencies/{name}/")) == (404, "unknown_crypto")

    @pytest.mark.parametrize("username", ["a b", "a/b", "<script>", "a" * 151])
    def test_in_a_username_is_refused(self, api, username):
        answer = api("POST", "accounts/auth/register/", {"username": username, "password": "password123"})
        assert problem(answer) == (422, "validation_error")


class TestOwnership:
    def test_hides_records_of_other_customers(self, api, shopper, make_shopper, order):
        other = make_shopper()
        movement = Transaction.objects.get(kind="purchase").pk
        for method, path in [
            ("GET", f"orders/{order['id']}/"),
            ("POST", f"orders/{order['id']}/cancel/"),
            ("GET", f"transactions/{movement}/"),
        ]:
            assert problem(api(method, path, by=other)) == (404, "not_found")
        assert api("GET", "orders/", by=other).json() == []
        assert api("GET", f"transactions/?order_id={order['id']}", by=other).json() == []
        assert [row["kind"] for row in api("GET", "transactions/", by=other).json()] == ["deposit"]
        assert api("GET", "accounts/holdings/", by=other).json() == []
        assert api("GET", "accounts/wallet/", by=other).json()["balance"] == "100.00"
        Order.objects.get(state="pending")

    def test_lets_two_customers_use_the_same_key(self, api, shopper, make_shopper, coin):
        body = {"crypto": "ABAN", "amount": "3"}
        made = {
            api("POST", "orders/", body, by=each, Idempotency_Key="k").json()["id"]
            for each in (shopper, make_shopper())
        }
        assert len(made) == 2

    def test_lists_only_movements_of_the_customers_dollars(self, api, shopper, order):
        """/transactions/ covers only the dollar wallet."""
        kinds = {row["kind"] for row in api("GET", "transactions/", by=shopper).json()}
        assert kinds == {"deposit", "purchase"}
