"""The statement of the dollar wallet in CSV: its contents, its form, and who gets which form."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.configure import configure
from tests.statements import add_movements
from wallets.services.cash import deposit, withdraw
from wallets.web.cells import csv_line

pytestmark = pytest.mark.django_db


def read(answer):
    """Return the rows of an answer in CSV, by the names of its columns."""
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8; header=present")
    text = answer.getvalue().decode()
    assert text.count("\n") == text.count("\r\n")
    return list(csv.DictReader(io.StringIO(text)))


def in_csv(api, shopper, query="", accept="text/csv"):
    return api("GET", f"transactions/{query}", by=shopper, Accept=accept)


def as_json(row):
    """Return a line as the list in JSON has it."""
    return {**row, "id": int(row["id"]), "order_id": int(row["order_id"]) if row["order_id"] else None}


class TestAStatement:
    def test_has_the_movements_of_the_list_in_its_order(self, api, shopper, coin):
        api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        withdraw(principal=shopper.principal, amount=Decimal("1.50"), key=None)
        listed = api("GET", "transactions/", by=shopper).json()
        rows = read(in_csv(api, shopper))
        assert [as_json(row) | {"created_at": None} for row in rows] == [row | {"created_at": None} for row in listed]
        assert [row["created_at"][:19] for row in rows] == [row["created_at"][:19] for row in listed]
        assert [row["kind"] for row in rows] == ["withdrawal", "purchase", "deposit"]

    @pytest.mark.parametrize(
        "query", ["?type=deposit", "?type=withdrawal", "?order_id=7", "?created_before={then}", "?created_after={then}"]
    )
    def test_takes_the_filters_of_the_list(self, api, shopper, coin, now, query):
        for days, act in [(3, deposit), (2, withdraw), (1, deposit)]:
            act(principal=shopper.principal, amount=Decimal(1), key=None, now=now - timedelta(days=days))
        query = query.format(then=f"{now - timedelta(days=2):%Y-%m-%dT%H:%M:%S.%fZ}")
        listed = api("GET", f"transactions/{query}", by=shopper).json()
        assert [int(row["id"]) for row in read(in_csv(api, shopper, query))] == [row["id"] for row in listed]
        assert len(listed) < 4

    def test_goes_on_behind_every_page(self, api, shopper, monkeypatch):
        monkeypatch.setattr("wallets.selectors.statement_lines._AT_ONCE", 7)
        add_movements(shopper, count=30)
        rows = read(in_csv(api, shopper))
        assert len(rows) == 31
        assert len({row["id"] for row in rows}) == 31
        assert [Decimal(row["balance_after"]) for row in rows] == [100 + Decimal(n) / 100 for n in range(30, -1, -1)]

    def test_holds_no_movement_of_somebody_else(self, api, shopper, make_shopper):
        make_shopper("7.00")
        assert [row["amount"] for row in read(in_csv(api, shopper))] == ["100.00"]

    def test_of_an_empty_wallet_has_the_names_of_its_columns(self, api, make_shopper):
        answer = in_csv(api, make_shopper(balance=None))
        assert answer.getvalue() == b"id,created_at,type,kind,amount,balance_after,order_id\r\n"

    def test_is_saved_under_a_name_and_kept_apart_by_caches(self, api, shopper):
        answer = in_csv(api, shopper)
        assert answer["Content-Disposition"] == 'attachment; filename="transactions.csv"'
        assert "Accept" in answer["Vary"].split(", ")
        assert "Accept" in api("GET", "transactions/", by=shopper)["Vary"].split(", ")

    @pytest.mark.parametrize("query", ["?limit=5", "?cursor=x"])
    def test_is_whole_and_has_no_pages(self, api, shopper, query):
        answer = in_csv(api, shopper, query)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")

    def test_is_limited(self, api, shopper, settings):
        configure(settings, "LIMITS", statements="2/h")
        assert [in_csv(api, shopper).status_code for _ in range(3)] == [200, 200, 429]
        assert api("GET", "transactions/", by=shopper).status_code == 200

    def test_needs_a_token(self, api, shopper):
        assert api("GET", "transactions/", Accept="text/csv").status_code == 401


class TestTheFormOfTheAnswer:
    @pytest.mark.parametrize(
        "accept",
        [
            *("*/*", "application/json", "application/*", "text/csv;q=0.5, application/json", "text/html, */*;q=0.1"),
            *("application/json; charset=utf-8", 'application/json;charset="UTF-8", text/csv;q=0.5', "", " "),
        ],
    )
    def test_is_json_unless_csv_is_preferred(self, api, shopper, accept):
        assert in_csv(api, shopper, accept=accept)["Content-Type"] == "application/json; charset=utf-8"

    @pytest.mark.parametrize(
        "accept",
        [
            *("text/csv", "text/*", "text/csv, application/json;q=0.9", "text/csv;q=0.1"),
            *("text/csv; charset=utf-8", "text/csv; charset=utf-8; header=present", "text/csv;charset=utf-8;q=0.2"),
        ],
    )
    def test_is_csv_where_that_is_preferred(self, api, shopper, accept):
        assert read(in_csv(api, shopper, accept=accept))

    @pytest.mark.parametrize(
        "accept",
        [
            *("text/html", "application/pdf, image/png", "nonsense", "text/csv;q=0", "text/csv;charset=latin-1"),
            *("text/csv;a*=x'y'z", "text/csv;a*=x;a*0=y"),
        ],
    )
    def test_is_none_where_nothing_that_is_offered_is_accepted(self, api, shopper, accept):
        answer = in_csv(api, shopper, accept=accept)
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        assert answer["Content-Type"] == "application/problem+json"
        assert "Accept" in answer["Vary"].split(", ")


class TestALine:
    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\N{FULLWIDTH EQUALS SIGN}1"]
    )
    def test_makes_no_formula_of_a_text(self, text):
        [[cell]] = csv.reader(io.StringIO(csv_line([text]), newline=""))
        assert cell == f"'{text}"

    def test_keeps_every_text_whole(self):
        texts = ['a "quoted" text', "with, comma", "two\r\nlines", " blanks ", "plain", "", "\N{SNOWMAN}"]
        [cells] = csv.reader(io.StringIO(csv_line(texts), newline=""))
        assert cells == texts

    def test_shows_times_in_utc_and_nothing_for_none(self):
        moment = datetime(2026, 1, 31, 12, 0, 0, 1999, tzinfo=UTC)
        assert csv_line([moment, None, 7]) == "2026-01-31T12:00:00.001Z,,7\r\n"
