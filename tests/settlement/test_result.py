"""The house's result: its figures, and that they add up to the ledger to the unit."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from settlement.models import Attempt
from settlement.result_days import choose_days, read_day
from settlement.result_texts import COLUMNS, guarded, in_words
from settlement.results import Figures, sum_up
from settlement.selectors.results import read_result
from settlement.services.adopting import UnknownOrder, adopt
from settlement.services.outcomes import book_late_fill, presume_not_placed
from settlement.services.stepping import take_next_step
from settlement.verification import verify_everything
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.settlement.ledger_by_coin import as_ledger, read_ledger
from tests.settlement.paper_venue import PaperVenue, executed
from tests.trading.test_price_rules import add_rule
from trading.loss_rules import day_of
from trading.models import Order, PriceChange
from trading.services.cancelling import cancel_order
from trading.services.coins import save_coin, stop_selling
from wallets.models import Wallet
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = date(2020, 1, 1)


def today():
    return day_of(clock.database_now())


@pytest.fixture
def days():
    """Move every row of the database so many days into the past."""

    def move(days):
        for table, columns in _TIMES.items():
            moved = ", ".join(f"{name} = {name} - interval '{days} days'" for name in columns)
            run_as_owner(f"UPDATE {table} SET {moved}")
        run_as_owner(f"UPDATE trading_dayloss SET day = day - {days}")

    return move


_TIMES = {
    "wallets_transaction": ["created_at"],
    "trading_order": ["created_at", "completed_at", "settling_at", "refunded_at", "cancelled_at", "price_at"],
    "settlement_attempt": ["ended_at", "created_at"],
    "settlement_excess": ["booked_at"],
    "trading_pricereading": ["read_at"],
}


def of_today():
    return read_result(first=today(), last=today())


def of_all():
    """Read the days since 2020, and assert that they are what the ledger moved, to the unit, by day and coin."""
    result = read_result(first=today() - timedelta(days=40), last=today())
    assert result.differences == ()
    assert as_ledger(result) == read_ledger()
    assert verify_everything() == []
    return result


def inventory():
    wallet = Wallet.objects.get(role="inventory", asset="ABAN")
    return wallet.balance, wallet.cost or 0


@pytest.fixture
def priced(coin):
    """A rule for ABAN: a spread of 5 % and a fee of 2.00 an order."""
    add_rule(coin=coin, spread="0.05", fee_minimum=Decimal("2.00"))


def run(*arguments):
    """Run the command; return its exit code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("result", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


class TestTheResult:
    def test_of_no_data_is_nothing(self, db):
        assert of_all().rows == ()
        assert of_all().total == Figures()
        assert run()[0] == 0

    def test_is_spread_and_fees_and_rounding_less_slippage(self, priced, place, settle, simulator):
        simulator.set_account(commission_rate="0.001")
        simulator.set_prices(ABAN="4.04")
        place("46.99", at=clock.database_now())
        settle()
        [row] = of_all().rows
        told = row.figures
        order, attempt = Order.objects.get(), Attempt.objects.get()
        assert (order.price, order.market_price) == (Decimal("4.20"), Decimal(4))
        assert (told.orders, told.subtotals, told.fees) == (1, order.subtotal, 2)
        assert (told.placed, told.refunded, told.sold) == (order.charge, 0, order.amount)
        assert told.market == order.amount * 4
        assert (told.purchases, told.cost, told.bought) == (1, attempt.cost, attempt.executed - attempt.commission)
        assert told.commission_coins == attempt.commission > 0
        assert 0 < told.commission < attempt.cost / 500
        assert told.slippage > order.amount * Decimal("0.04"), "the venue is dearer, and takes commission"
        assert 0 <= told.rounding < Decimal("0.01")
        assert told.spread + told.rounding == told.subtotals - told.market
        assert told.result == told.spread + told.rounding + told.fees - told.rebates - told.slippage
        assert (row.stock.coins, row.stock.cost) == inventory()
        assert told.result == told.subtotals + told.fees - (told.cost - row.stock.cost)
        assert row.stock.worth == row.stock.coins * 4

    def test_is_negative_when_the_purchase_was_too_dear(self, place, settle, simulator):
        simulator.set_prices(ABAN="4.02")
        place("40.00")
        settle()
        told = of_all().total
        assert (told.spread, told.fees) == (0, 0)
        assert told.slippage > 0
        assert told.result == -told.slippage + told.rounding < 0

    def test_is_less_by_rebates(self, coin, place, settle, simulator):
        coin.fixed_price = None
        save_coin(coin=coin)
        add_rule(coin=coin, spread="0.005")
        simulator.set_prices(ABAN="3.80")
        place("60.00", at=clock.database_now())
        settle()
        told, order = of_all().total, Order.objects.get()
        assert told.rebates == order.rebate > 1
        assert told.slippage < -2
        assert told.result == told.spread + told.rounding - told.rebates - told.slippage > 0

    def test_is_none_of_refunds_and_cancels(self, priced, place, settle, simulator, shopper):
        simulator.fail({"on": "place", "action": "reject"})
        place("46.00", at=clock.database_now())
        settle()
        waiting = place("42.00", at=clock.database_now())
        cancel_order(customer=shopper.principal, order_id=waiting.pk)
        [row] = of_all().rows
        assert row.figures.placed == row.figures.refunded == sum(Order.objects.values_list("charge", flat=True))
        assert (row.figures.result, row.figures.orders) == (0, 0)

    def test_counts_an_order_on_the_day_of_its_booking(self, place, claim, settle, days):
        place("60.00")
        days(1)
        settle()
        [yesterday, now] = of_all().rows
        assert (yesterday.figures.placed, yesterday.figures.orders) == (60, 0)
        assert (now.figures.placed, now.figures.orders, now.figures.subtotals) == (0, 1, 60)

    def test_of_a_purchase_before_its_orders_are_completed_is_a_cost_and_no_loss(
        self, place, settle, days, simulator, venue
    ):
        simulator.fail({"on": "place", "action": "partial", "fraction": "0.5", "times": 1})
        place("60.00")
        batch = settle()
        days(1)
        simulator.fail()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [yesterday, now] = of_all().rows
        assert (yesterday.figures.orders, yesterday.figures.purchases, yesterday.figures.result) == (0, 1, 0)
        assert yesterday.figures.cost > 0
        assert yesterday.stock.cost == yesterday.figures.cost, "all that was bought was left over"
        assert (now.figures.orders, now.figures.subtotals) == (1, 60)
        assert (now.stock.coins, now.stock.cost) == inventory()

    def test_takes_coins_of_inventory_at_what_they_cost_on_the_day_before(self, place, settle, days, venue):
        adopted(cost="30", quantity="15.02")
        days(1)
        place("60.00")
        settle()
        [yesterday, now] = of_all().rows
        assert (yesterday.figures.cost, yesterday.figures.result, yesterday.stock.cost) == (30, 0, 30)
        assert (now.figures.purchases, now.figures.cost, now.figures.orders) == (0, 0, 1)
        assert now.figures.used == Decimal("29.96005326")
        assert now.figures.slippage == now.figures.used - 60 < 0, "cheaper than the market"

    def test_has_adopted_purchases(self, coin):
        adopted(cost="20", quantity="5")
        [row] = of_all().rows
        assert (row.figures.purchases, row.figures.cost, row.figures.bought, row.figures.result) == (1, 20, 5, 0)
        assert (row.stock.coins, row.stock.cost, row.stock.worth) == (5, 20, 20)

    def test_has_a_late_fill_as_inventory(self, place, claim, coin):
        place("60.00")
        claim()
        attempt = Attempt.objects.get()
        sent = {"signed_at": "2026-01-01T00:00Z", "valid_until": "2026-01-01T00:01Z", "clock_offset": timedelta(0)}
        Attempt.objects.update(state="sent", quantity=16, limit_price="4.2", budget=100, **sent)
        attempt.refresh_from_db()
        presume_not_placed(attempt=attempt, reason="never seen")
        attempt.refresh_from_db()
        late = executed("7", quantity="16", cost="64", limit_price=Decimal("4.2"))
        assert book_late_fill(attempt=attempt, execution=late)
        [row] = of_all().rows
        assert (row.figures.cost, row.figures.bought, row.figures.orders) == (64, 16, 1)
        assert (row.stock.coins, row.stock.cost) == (1, 4)

    def test_takes_the_price_for_the_market_price_in_orders_from_before_price_rules(self, place, settle):
        place("60.00")
        settle()
        run_as_owner("UPDATE trading_order SET market_price = NULL, spread_rate = NULL, price_rule_id = NULL")
        told = of_all().total
        assert (told.market, told.spread, told.fees) == (60, 0, 0)

    def test_of_coins_off_sale_stays(self, place, settle, coin):
        place("60.00")
        settle()
        stop_selling(coin=coin)
        assert [row.coin for row in of_all().rows] == ["ABAN"]

    def test_is_apart_for_each_coin(self, place, settle, make_shopper):
        make_coin("BTC", "30.00")
        place("60.00")
        place("60.00", crypto="BTC", of=make_shopper("100.00"))
        settle()
        rows = of_all().rows
        assert [(row.coin, row.figures.orders, row.figures.placed) for row in rows] == [("ABAN", 1, 60), ("BTC", 0, 60)]
        assert of_all().total == sum_up(row.figures for row in rows)

    def test_is_not_known_where_costs_were_not_counted(self, place, settle, days):
        place("60.00")
        settle()
        run_as_owner("DELETE FROM trading_dayloss")
        days(2)
        result = read_result(first=today() - timedelta(days=3), last=today())
        old = result.rows[0]
        assert (old.figures.orders, old.figures.used, old.figures.result, old.stock.cost) == (1, None, None, None)
        assert result.total.result is None
        assert result.differences == ()
        assert "unknown" in run("--from", str(old.day))[1]

    def test_of_a_running_day_says_so(self, coin):
        assert of_today().running
        assert not read_result(first=LONG_AGO, last=LONG_AGO).running
        assert "goes on" in run()[1]

    def test_says_when_it_does_not_add_up(self, place, settle):
        place("60.00")
        settle()
        run_as_owner("UPDATE wallets_transaction SET amount = amount + 0.00000001 WHERE kind = 'fill_cost'")
        found = [(each.role, each.asset, each.booked - each.reported) for each in of_today().differences]
        unit = Decimal("0.00000001")
        assert found == [("trading_result", "USD", -unit), ("venue", "USD", unit)]
        code, _, complaints = run()
        assert code == 1
        assert complaints.count("does not add up") == 2
        assert json.loads(run("--format", "json")[1])["agrees_with_ledger"] is False

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM wallets_transaction WHERE kind = 'revenue'",
            "DELETE FROM wallets_transaction WHERE kind = 'fee'",
            "DELETE FROM wallets_transaction WHERE kind = 'fill'",
            "DELETE FROM wallets_transaction WHERE kind = 'delivery'",
            "UPDATE trading_order SET fee = fee + 1, booked_fee = booked_fee + 1, total_price = total_price + 1",
            "UPDATE settlement_attempt SET executed = executed - 0.00000001",
            "UPDATE settlement_attempt SET cost = cost - 0.00000001",
        ],
    )
    def test_names_each_record_changed_by_hand(self, priced, place, settle, statement):
        place("62.00", at=clock.database_now())
        settle()
        assert of_today().differences == ()
        run_as_owner(statement)
        assert of_today().differences

    def test_is_read_from_one_snapshot(self, coin):
        with pytest.raises(RuntimeError):
            _read_inside_another_transaction()


def _read_inside_another_transaction():
    with transaction.atomic():
        of_today()


def adopted(*, cost, quantity):
    answer = executed("9", quantity=quantity, cost=cost, asked=Decimal(quantity))
    order = UnknownOrder(
        venue="binance",
        coin_name="ABAN",
        client_order_id="ce" + "0" * 32,
        venue_order_id="9",
        quantity=Decimal(quantity),
        cost=None,
    )
    adopt(order=order, venue=PaperVenue(answers={"9": answer}), note="x")


class TestInventoryAtMarket:
    def test_goes_by_the_price_at_the_days_end(self, coin, days):
        adopted(cost="20", quantity="5")
        days(3)
        coin.fixed_price = None
        save_coin(coin=coin)
        end = datetime.combine(today() - timedelta(days=2), datetime.min.time(), UTC)
        PriceChange.objects.create(coin=coin, value="4.5", source="t", read_at=end - timedelta(seconds=1))
        PriceChange.objects.create(coin=coin, value="9", source="t", read_at=end)
        [then, now] = of_all().rows
        assert (then.stock.worth, now.stock.worth) == (Decimal("22.5"), 45)

    def test_is_not_known_without_a_price(self, coin, days):
        adopted(cost="20", quantity="5")
        coin.fixed_price = None
        save_coin(coin=coin)
        PriceChange.objects.all().delete()
        run_as_owner("DELETE FROM trading_coinprice")
        assert of_all().rows[0].stock.worth is None
        assert "unknown" in run()[1]


class TestTheCommand:
    def test_writes_csv_without_exponents_and_formulas(self, place, settle, simulator):
        simulator.set_prices(ABAN="4.02")
        place("40.00")
        settle()
        [row] = csv.DictReader(io.StringIO(run("--format", "csv")[1]))
        assert list(row) == ["day", "coin", *(column.name for column in COLUMNS)]
        assert row["subtotals_usd"] == "40.00"
        assert row["result_usd"].startswith("-0.")
        assert "E" not in "".join(value for name, value in row.items() if name != "coin")

    def test_writes_the_same_figures_as_json(self, place, settle):
        place("40.00")
        settle()
        told = json.loads(run("--format", "json")[1])
        [row] = told["rows"]
        [line] = csv.DictReader(io.StringIO(run("--format", "csv")[1]))
        assert {name: str(value) for name, value in row.items()} == line
        assert (told["agrees_with_ledger"], told["running"], told["differences"]) == (True, True, [])
        assert told["total"]["subtotals_usd"] == "40.00"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--day", "yesterday"],
            ["--day", ""],
            ["--day", "2026-02-30"],
            ["--day", "20260101"],
            ["--day", "2026-W01-1"],
            ["--day", "\u0662\u0660\u0662\u0666-01-01"],
            ["--day", "9999-12-31"],
            ["--day", "0000-01-01"],
            ["--from", "2026-01-02", "--to", "2026-01-01"],
            ["--from", "9999-12-31"],
            ["--from", "2000-01-01"],
            ["--day", "2026-01-01", "--to", "2026-01-02"],
        ],
    )
    def test_refuses_days_that_are_none_with_a_sentence(self, db, arguments):
        code, out, complaint = run(*arguments)
        assert (code, out) == (2, "")
        assert complaint.endswith(".")

    def test_takes_the_first_day_of_all(self, db):
        assert run("--day", "0001-01-01")[0] == 0


class TestDays:
    def test_are_today_without_a_choice(self):
        assert choose_days(first=None, last=None, today=date(2026, 3, 1)) == (date(2026, 3, 1), date(2026, 3, 1))

    def test_are_read_as_they_are_typed(self):
        assert read_day("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@A1", "\tx", "\r=1", "-", "=\u0661"])
def test_a_cell_never_begins_a_formula(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E-8", "0.00000001"), ("-0.5", "-0.50"), ("1E+3", "1000.00"), ("0E-8", "0"), ("-0", "0"), ("12.10", "12.10")],
)
def test_amounts_are_in_plain_notation(value, text):
    assert in_words(Decimal(value)) == text
    assert guarded(in_words(Decimal(value))) == text
