"""Statements of a month: they add up, say whether the month has ended, and value coins at the prices of its end."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.configure import configure
from tests.owner import run_as_owner
from tests.statements import add_movements
from trading.schemas.statements import StatementAnswer
from trading.services.prices import record_price
from wallets.services.cash import deposit, withdraw

pytestmark = pytest.mark.django_db(transaction=True)

THIS = f"{datetime.now(UTC):%Y-%m}"


def beginning_of_month(months_ago=0):
    now = datetime.now(UTC)
    months = now.year * 12 + now.month - 1 - months_ago
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


LAST = f"{beginning_of_month(1):%Y-%m}"
MIDDLE_OF_LAST = beginning_of_month(1) + timedelta(days=14)


def statement(api, shopper, month=LAST):
    answer = api("GET", f"accounts/statements/{month}/", by=shopper)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    body = json.loads(answer.getvalue())
    assert StatementAnswer.model_validate(body).model_dump(mode="json").keys() == body.keys()
    return body


def lines(api, shopper, month=LAST):
    answer = api("GET", f"accounts/statements/{month}/", by=shopper, Accept="text/csv")
    assert answer["Content-Disposition"] == f'attachment; filename="statement-{month}.csv"'
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def adds_up(body):
    figures = {name: Decimal(body[name]) for name in ("opening", "incoming", "outgoing", "closing")}
    signed = [Decimal(row["amount"]) * (1 if row["type"] == "deposit" else -1) for row in body["movements"]]
    assert sum(amount for amount in signed if amount > 0) == figures["incoming"]
    assert -sum(amount for amount in signed if amount < 0) == figures["outgoing"]
    balance = figures["opening"]
    for row, amount in zip(body["movements"], signed, strict=True):
        balance += amount
        assert Decimal(row["balance_after"]) == balance
    return balance == figures["closing"]


def move_back_to_last_month():
    """Let everything that was booked until now have happened in the middle of last month."""
    back = timezone.now() - MIDDLE_OF_LAST
    columns = {
        "wallets_transaction": ("created_at",),
        "trading_order": ("created_at", "settling_at", "completed_at"),
        "trading_pricereading": ("read_at",),
    }
    for table, names in columns.items():
        changes = ", ".join(f"{name} = {name} - interval '{back.total_seconds()} seconds'" for name in names)
        run_as_owner(f"UPDATE {table} SET {changes}")


class TestAMonth:
    def test_that_has_ended_adds_up_from_the_balance_before_to_the_one_after(self, api, make_shopper):
        shopper = make_shopper(balance=None)
        for months, act, amount in [(2, deposit, "50"), (1, deposit, "7.25"), (1, withdraw, "3.10"), (0, deposit, "1")]:
            moment = beginning_of_month(months) + timedelta(hours=1)
            act(principal=shopper.principal, amount=Decimal(amount), key=None, now=moment)
        body = statement(api, shopper)
        assert adds_up(body)
        assert (body["opening"], body["closing"], body["is_final"]) == ("50.00", "54.15", True)
        assert body["as_of"] == body["ends_at"] == f"{beginning_of_month():%Y-%m-%dT%H:%M:%SZ}"
        assert [row["kind"] for row in body["movements"]] == ["deposit", "withdrawal"]

    def test_that_has_not_ended_says_so(self, api, shopper):
        body = statement(api, shopper, THIS)
        assert adds_up(body)
        assert (body["closing"], body["is_final"]) == ("100.00", False)
        assert body["as_of"] < body["ends_at"]
        assert [row["record"] for row in lines(api, shopper, THIS)] == ["opening", "movement", "interim", "total"]

    def test_begins_and_ends_at_midnight_of_utc(self, api, make_shopper):
        shopper = make_shopper(balance=None)
        for moment in (beginning_of_month(1), beginning_of_month() - timedelta(microseconds=1), beginning_of_month()):
            deposit(principal=shopper.principal, amount=Decimal(1), key=None, now=moment)
        body = statement(api, shopper)
        assert (body["opening"], body["incoming"], len(body["movements"])) == ("0.00", "2.00", 2)

    def test_without_movements_is_empty(self, api, shopper):
        body = statement(api, shopper)
        assert (body["opening"], body["closing"], body["movements"], body["holdings"]) == ("0.00", "0.00", [], [])
        assert (body["holdings_cost"], body["holdings_value"]) == ("0.00", "0.00")

    def test_with_many_movements_has_them_all(self, api, shopper):
        add_movements(shopper, count=2500)
        move_back_to_last_month()
        body = statement(api, shopper)
        assert adds_up(body)
        assert len(body["movements"]) == 2501
        assert len([row for row in lines(api, shopper) if row["record"] == "movement"]) == 2501

    @pytest.mark.parametrize(
        ("month", "status", "code"),
        [("2099-01", 404, "not_found"), ("2026-13", 422, "validation_error"), ("26-1", 422, "validation_error")],
    )
    def test_that_is_none_is_refused(self, api, shopper, month, status, code):
        answer = api("GET", f"accounts/statements/{month}/", by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_is_limited_and_needs_a_token_and_is_offered_in_two_forms(self, api, shopper, settings):
        path = f"accounts/statements/{LAST}/"
        assert api("GET", path).status_code == 401
        assert api("GET", path, by=shopper, Accept="text/html").status_code == 406
        configure(settings, "LIMITS", statements="2/h")
        assert [api("GET", path, by=shopper).status_code for _ in range(3)] == [200, 200, 429]

    def test_is_of_the_caller_alone(self, api, shopper, make_shopper):
        other = make_shopper("7.00")
        assert statement(api, other, THIS)["closing"] == "7.00"


class TestHoldings:
    def test_are_those_of_the_end_at_cost_and_at_the_last_price_before(self, api, shopper, place, settle, coin):
        place("24.00")
        settle()
        move_back_to_last_month()
        record_price(coin=coin, value=Decimal("9.00"), source="later", now=timezone.now())
        place("40.00")
        settle()
        body = statement(api, shopper)
        assert adds_up(body)
        [held] = body["holdings"]
        assert (held["crypto"], held["amount"], held["cost"]) == ("ABAN", "6.00000000", "24.00")
        assert (held["price"], held["price_source"], held["value"]) == ("4.00000000", "test", "24.00")
        assert held["price_at"] < body["ends_at"]
        assert (body["holdings_cost"], body["holdings_value"]) == ("24.00", "24.00")
        assert Decimal(statement(api, shopper, THIS)["holdings"][0]["amount"]) > 6

    def test_have_no_value_where_no_price_of_then_is_kept(self, api, shopper, place, settle, coin):
        place("24.00")
        settle()
        move_back_to_last_month()
        run_as_owner("DELETE FROM trading_pricereading")
        body = statement(api, shopper)
        assert {body["holdings"][0][name] for name in ("price", "price_at", "price_source", "value")} == {None}
        assert (body["holdings_cost"], body["holdings_value"]) == ("24.00", None)
        by_record = {row["record"]: row for row in lines(api, shopper)}
        assert (by_record["holding"]["value"], by_record["total"]["cost"]) == ("", "24.00")

    def test_are_in_csv_too(self, api, shopper, place, settle):
        place("24.00")
        settle()
        move_back_to_last_month()
        rows = lines(api, shopper)
        assert [row["record"] for row in rows] == ["opening", "movement", "movement", "closing", "holding", "total"]
        assert (rows[0]["balance_after"], rows[3]["balance_after"]) == ("0.00", "76.00")
        assert {name: rows[4][name] for name in ("crypto", "amount", "cost", "price", "value")} == {
            "crypto": "ABAN", "amount": "6.00000000", "cost": "24.00", "price": "4", "value": "24.00",
        }  # fmt: skip
