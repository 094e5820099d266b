"""The daily ceiling: the loss of a UTC day is counted with each booking, and stops sales when it reaches its ceiling."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from importlib import import_module

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import BatchState
from settlement.services.batches import lock_batch, refund_batch
from settlement.services.claiming import claim_waiting_orders
from settlement.services.outcomes import book_late_fill, presume_not_placed, withdraw_attempt
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once, wait_for
from tests.settlement.conftest import attempts, states
from tests.site.test_metrics import read
from trading.exceptions import AllowanceTooLarge, SalesNotStopped, SalesStopped
from trading.loss_rules import day_of, end_of_day
from trading.models import DayLoss, Order, SalesStop
from trading.offer_list import list_offers
from trading.offers import load_offer
from trading.services.coins import save_coin
from trading.services.losses import Delivered, count_loss, let_sales_go_on, stop_where_reached
from trading.services.reviewing import release_within_transaction
from trading.services.settling import refund_orders
from wallets.models import Transaction, TransactionKind, User, Wallet, WalletRole
from wallets.runtime import clock
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

pytestmark = pytest.mark.django_db(transaction=True)
verified = pytest.mark.usefixtures("books_balance")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def bound_of_an_order(settings):
    """Let an order lose as much as a batch, so that losses come together quickly."""
    configure(settings, "SETTLEMENT", max_loss_of_an_order=settings.SETTLEMENT.max_loss)


@pytest.fixture
def dear(simulator, venue):
    """The venue sells ABAN at 4.16, and we sell it at 4.00: each dollar of orders loses four cents and more."""
    simulator.set_prices(ABAN="4.16")


@pytest.fixture
def rich(make_shopper):
    return make_shopper("100000.00")


@pytest.fixture
def booked_at(monkeypatch):
    """Set the moment at which settlement books: Postgres' clock cannot be set."""

    def at(moment):
        for module in ("ending", "batches"):
            monkeypatch.setattr(f"settlement.services.{module}.database_now", lambda: moment)

    return at


@pytest.fixture
def booker(venue, place, coin, rich):
    """Return a function that places an order, buys it and books it."""

    def book(total="60.00", *, of=coin, at=None):
        place(total, of=rich, crypto=of.name, at=at)
        batch = claim_waiting_orders(coin_id=of.pk, now=at or clock.now())
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        return batch

    return book


def ceiling(settings, per_day=None, per_coin=None):
    amounts = [None if each is None else Decimal(each) for each in (per_day, per_coin)]
    configure(settings, "LOSSES", per_day=amounts[0], per_day_and_coin=amounts[1])


def refund_open_batch(batch):
    with transaction.atomic():
        lock_inventory(asset=batch.coin.name)
        locked = lock_batch(batch_id=batch.pk)
        assert withdraw_attempt(batch=locked, reason="a test", now=clock.now())
        refund_batch(batch=locked, reason="price_moved", now=clock.now())


def count(loss, *, at, asset="ABAN"):
    """Count a delivery of one coin that lost so many dollars; a negative loss is a gain."""
    cost, charge = 10 + max(Decimal(loss), 0), 10 + max(-Decimal(loss), 0)
    delivered = Delivered(asset=asset, coins=Decimal(1), cost=cost, charge=charge)
    with transaction.atomic():
        count_loss(delivered=delivered, now=at)


def forget_counted():
    """Remove what a test counted without the ledger."""
    run_as_owner("DELETE FROM trading_dayloss")


def losses_of_the_ledger():
    """Compute each day's loss by coin from the ledger alone: movement by movement, at average cost."""
    found, stock = defaultdict(Decimal), defaultdict(lambda: [Decimal(0), Decimal(0)])
    rows = list(Transaction.objects.order_by("id"))
    costs = {row.reference: row.amount for row in rows if row.kind == TransactionKind.FILL_COST}
    delivered = defaultdict(Decimal)
    coins = {order.pk: order.coin.name for order in Order.objects.select_related("coin")}
    charges = {order.pk: order.charge for order in Order.objects.all()}
    for row in rows:
        if row.kind == TransactionKind.FILL:
            stock[row.asset][0] += row.amount
            stock[row.asset][1] += costs[row.reference.removesuffix(":fill") + ":cost"]
        elif row.kind == TransactionKind.DELIVERY:
            delivered[row.asset] += row.amount
            found[day_of(row.created_at), row.asset] -= charges[row.order_id]
            assert coins[row.order_id] == row.asset
        elif row.kind == TransactionKind.REVENUE:  # follows the deliveries of one booking
            [(asset, amount)] = delivered.items()
            held, cost = stock[asset]
            share = cost if held == amount else (cost * amount / held).quantize(Decimal("1E-8"), ROUND_HALF_UP)
            stock[asset] = [held - amount, cost - share]
            found[day_of(row.created_at), asset] += share
            delivered.clear()
    return dict(found), {asset: cost for asset, (_, cost) in stock.items()}


def assert_counted_as_in_the_ledger():
    found, stock = losses_of_the_ledger()
    assert {(row.day, row.coin.name): row.loss for row in DayLoss.objects.select_related("coin")} == found
    inventory = Wallet.objects.filter(role=WalletRole.INVENTORY, cost__gt=0).values_list("asset", "cost")
    assert dict(inventory) == {asset: cost for asset, cost in stock.items() if cost}


@verified
class TestLoss:
    def test_is_the_cost_of_the_coins_less_what_their_orders_paid(self, dear, booker):
        booker("60.00")
        [row] = DayLoss.objects.all()
        [attempt] = attempts()
        received = attempt.executed - attempt.commission
        assert (row.coins, row.charge, row.day) == (15, Decimal("60.00"), day_of(clock.now()))
        assert row.cost == (attempt.cost * 15 / received).quantize(Decimal("1E-8"), ROUND_HALF_UP)
        assert row.loss > Decimal("2.40")
        assert_counted_as_in_the_ledger()

    def test_is_negative_for_a_gain_and_gains_count_against_losses(self, booker, simulator):
        simulator.set_prices(ABAN="3.90")
        booker("60.00")
        gain = DayLoss.objects.get().loss
        assert gain < 0
        simulator.set_prices(ABAN="4.16")
        booker("60.00")
        assert DayLoss.objects.get().loss > gain
        assert_counted_as_in_the_ledger()

    def test_takes_surplus_at_the_average_cost_of_inventory(self, booker, simulator):
        """Surplus of a dear purchase and coins of a cheap one make one average; the last coins take the rest."""
        simulator.set_filters("ABAN", tick="0.0001", step="1", minimum="16", notional="5")
        for price, total in (("4.16", "60.00"), ("3.50", "70.00"), ("4.10", "100.00"), ("4.00", "60.00")):
            simulator.set_prices(ABAN=price)
            booker(total)
        assert Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance > 0
        assert_counted_as_in_the_ledger()

    def test_is_of_a_refund_nothing(self, place, claim, coin, dear):
        place("60.00")
        batch = claim()
        with transaction.atomic():
            refund_orders(batch_id=batch.pk, reason="refused_by_the_exchange", now=clock.now())
        assert states() == ["refunded"]
        assert not DayLoss.objects.exists()

    def test_of_a_late_fill_counts_only_when_its_coins_are_delivered(self, place, claim, venue, dear, simulator, rich):
        simulator.fail({"on": "place", "action": "accept_then_drop"}, {"on": "query", "action": "not_found"})
        place("60.00", of=rich)
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [attempt] = attempts()
        simulator.fail()
        presume_not_placed(attempt=attempt, reason="a test")
        refund_open_batch(batch)
        answer = venue.look_up(coin="ABAN", client_order_id=attempt.client_order_id)
        book_late_fill(attempt=attempt, execution=answer)
        assert not DayLoss.objects.exists()
        assert Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").cost == answer.cost
        place("60.00", of=rich)
        claim()
        assert states() == ["refunded", "completed"]
        assert_counted_as_in_the_ledger()

    def test_is_counted_against_a_price_that_staff_fixed(self, booker, simulator, coin):
        coin.fixed_price = Decimal("3.90")
        save_coin(coin=coin)
        booker("60.00")
        assert DayLoss.objects.get().loss > Decimal("1.5")
        assert_counted_as_in_the_ledger()

    def test_belongs_to_the_day_of_the_booking_however_late_it_is(self, dear, booker, booked_at):
        booked_at(MIDNIGHT - timedelta(microseconds=1))
        booker("60.00")
        booked_at(MIDNIGHT)
        booker("60.00")
        assert [row.day for row in DayLoss.objects.order_by("day")] == [NOON.date(), MIDNIGHT.date()]
        assert_counted_as_in_the_ledger()

    def test_of_many_partial_fills_is_counted_once_each(self, place, claim, venue, dear, simulator, rich):
        simulator.fail(*({"on": "place", "action": "partial", "fraction": "0.3", "times": 1} for _ in range(3)))
        for _ in range(6):
            place("20.00", of=rich)
        batch = claim()
        for _ in range(4):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert set(states()) == {"completed"}
        assert_counted_as_in_the_ledger()

    def test_rolls_back_with_its_booking(self, dear, booker, monkeypatch, settings):
        ceiling(settings, "1.00")

        def fail(**_):
            raise ZeroDivisionError

        monkeypatch.setattr("settlement.services.outcomes.go_on", fail)
        with pytest.raises(ZeroDivisionError):
            booker("60.00")
        assert not DayLoss.objects.exists()
        assert not SalesStop.objects.exists()
        assert load_offer(coin_name="ABAN").is_available(now=clock.now())

    def test_by_bookings_of_many_coins_at_once_loses_none(self, coin, settings):
        ceiling(settings, "39.00")
        names = ["ABAN", "BBAN", "CBAN", "DBAN"]
        for name in names[1:]:
            make_coin(name, "4.00")
        at_once(8, lambda number: count("5.00", at=NOON, asset=names[number % 4]))
        assert {row.loss for row in DayLoss.objects.all()} == {Decimal(10)}
        assert SalesStop.objects.get().coin is None, "the last commit saw all of them"
        forget_counted()


class TestCostOfInventory:
    """Purchases that no attempt made, so the ledger is not verified."""

    def test_leaves_no_cost_when_no_coin_is_left(self, coin, place, claim):
        with transaction.atomic():
            book_fill(
                venue="binance",
                asset="ABAN",
                cost=Decimal("10.00"),
                quantity=Decimal(3),
                reference="attempt:a",
                now=clock.now(),
            )
        place("12.00")
        claim()
        inventory = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN")
        assert (states(), inventory.balance, inventory.cost) == (["completed"], 0, 0)
        assert DayLoss.objects.get().loss == Decimal("-2.00")

    def test_counts_a_cost_without_coins_with_the_next_delivery(self, coin, booker):
        """As after a venue took more than it said, and staff approved it."""
        with transaction.atomic():
            book_fill(
                venue="binance",
                asset="ABAN",
                cost=Decimal("24124.64"),
                quantity=Decimal(0),
                reference="excess:a",
                now=clock.now(),
            )
        booker("60.00")
        assert DayLoss.objects.get().loss > 24_000


@verified
class TestStop:
    @pytest.fixture
    def stopped(self, coin, settings):
        """Sales of everything are stopped, at noon, with a loss of 100.00 of 100.00."""
        ceiling(settings, "100.00")
        count("100.00", at=NOON)
        yield SalesStop.objects.get()
        forget_counted()

    def test_comes_at_the_ceiling_and_not_a_cent_before(self, coin, settings, place):
        ceiling(settings, "100.00")
        count("99.99", at=NOON)
        assert not SalesStop.objects.exists()
        place("12.00", at=NOON)
        count("0.01", at=NOON)
        with pytest.raises(SalesStopped):
            place("12.00", at=NOON + A_SECOND)
        assert states() == ["pending"]
        forget_counted()

    def test_refuses_orders_and_leaves_no_trace(self, stopped, place, shopper):
        with pytest.raises(SalesStopped) as refused:
            place("12.00", at=NOON)
        assert refused.value.retry_after_seconds == 3600
        with pytest.raises(SalesStopped) as refused:
            place("12.00", at=MIDNIGHT - timedelta(seconds=90.5))
        assert refused.value.retry_after_seconds == 91
        assert not Order.objects.exists()
        assert not ProcrastinateJob.objects.exists()
        assert shopper.wallet.balance == 100

    def test_ends_by_itself_at_midnight_utc(self, stopped, place):
        with pytest.raises(SalesStopped) as refused:
            place("12.00", at=MIDNIGHT - timedelta(microseconds=1))
        assert refused.value.retry_after_seconds == 1
        place("12.00", at=MIDNIGHT)
        assert states() == ["pending"]

    def test_ends_at_midnight_whatever_zone_staff_use(self, stopped, place, settings):
        settings.TIME_ZONE = "Asia/Tokyo"
        with pytest.raises(SalesStopped):
            place("12.00", at=MIDNIGHT - A_SECOND)
        place("12.00", at=MIDNIGHT)

    def test_of_one_coin_lets_others_be_sold(self, coin, settings, place):
        make_coin("BBAN", "4.00")
        ceiling(settings, "100.00", "40.00")
        count("40.00", at=NOON)
        with pytest.raises(SalesStopped):
            place("12.00", at=NOON)
        place("12.00", crypto="BBAN", at=NOON)
        count("60.00", at=NOON, asset="BBAN")
        with pytest.raises(SalesStopped):
            place("12.00", crypto="BBAN", at=NOON)
        assert set(SalesStop.objects.values_list("coin__name", flat=True)) == {"ABAN", "BBAN", None}
        forget_counted()

    def test_stays_although_later_gains_take_the_loss_below(self, stopped, place):
        count("-90.00", at=NOON)
        with pytest.raises(SalesStopped):
            place("12.00", at=NOON)

    def test_stays_although_the_setting_is_raised(self, stopped, place, settings):
        ceiling(settings, "1000.00")
        with pytest.raises(SalesStopped):
            place("12.00", at=NOON)

    def test_answers_a_repeated_request_with_the_order_it_made(self, api, coin, shopper, settings):
        ceiling(settings, "100.00")
        body = {"crypto": "ABAN", "amount": "3"}
        first = api("POST", "orders/", body, by=shopper, Idempotency_Key="one")
        count("100.00", at=clock.now())
        again = api("POST", "orders/", body, by=shopper, Idempotency_Key="one")
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        forget_counted()

    def test_is_a_503_that_says_when_to_come_again(self, api, coin, shopper, settings):
        ceiling(settings, "100.00")
        count("100.00", at=clock.now())
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (503, "sales_stopped")
        left = (end_of_day(day_of(clock.now())) - clock.now()).total_seconds()
        assert 0 < int(answer["Retry-After"]) <= min(3600, left + 2)
        assert not Order.objects.exists()
        forget_counted()

    def test_shows_in_the_list_of_coins_as_on_a_coins_page(self, api, coin, settings):
        ceiling(settings, "100.00", "50.00")
        make_coin("BBAN", "4.00")
        path = "exchanges/crypto-currencies/"

        def shown():
            listed = {each["name"]: each["is_available"] for each in api("GET", path).json()}
            assert {name: api("GET", f"{path}{name}/").json()["is_available"] for name in listed} == listed
            return listed

        assert shown() == {"ABAN": True, "BBAN": True}
        count("50.00", at=clock.now())
        assert shown() == {"ABAN": False, "BBAN": True}
        count("50.00", at=clock.now(), asset="BBAN")
        assert shown() == {"ABAN": False, "BBAN": False}
        forget_counted()

    def test_in_a_cached_list_ends_at_midnight_too(self, coin, settings):
        ceiling(settings, "100.00")
        now = clock.now()
        count("100.00", at=now)
        list_offers()
        [offer] = list_offers()
        assert not offer.is_available(now=now)
        assert offer.is_available(now=end_of_day(day_of(now)))
        forget_counted()

    def test_lets_orders_that_are_taken_be_bought(self, dear, place, claim, venue, settings):
        place("60.00")
        batch = claim()
        ceiling(settings, "100.00")
        count("100.00", at=clock.now())
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        assert (states(), batch.state) == (["completed"], BatchState.SETTLED)
        forget_counted()

    def test_lets_staff_release_an_order_that_was_held_before(self, coin, place, settings, admin_user):
        configure(settings, "RISK", max_value=Decimal(0))
        order = place("60.00")
        ceiling(settings, "100.00")
        now = clock.now()
        count("100.00", at=now)
        release_within_transaction(order_id=order.pk, decided_by=admin_user, note="known", now=now)
        assert states() == ["pending"]
        forget_counted()

    def test_is_made_up_for_by_the_sweep(self, coin, settings, place):
        """As after a worker that died between its commit and the look at the other coins."""
        now = clock.now()
        count("100.00", at=now)
        ceiling(settings, "100.00")
        assert not SalesStop.objects.exists()
        sweep(now=now)
        with pytest.raises(SalesStopped):
            place("12.00", at=now)
        forget_counted()

    def test_needs_a_ceiling(self, coin, place):
        count("1000000.00", at=NOON)
        place("12.00", at=NOON)
        assert not SalesStop.objects.exists()
        forget_counted()


@verified
class TestStaff:
    @pytest.fixture
    def stopped(self, coin, settings):
        ceiling(settings, "100.00")
        count("130.00", at=clock.now())
        yield SalesStop.objects.get()
        forget_counted()

    def test_let_sales_go_on_until_the_day_has_lost_so_much_more(self, stopped, place, admin_user):
        now = clock.now()
        until = let_sales_go_on(
            stop=stopped, further=Decimal("20.00"), reason="a wrong price, mended", decided_by=admin_user, now=now
        )
        assert until == 150
        place("12.00", at=now)
        stop_where_reached(day=day_of(now), now=now)
        count("19.99", at=now)
        place("12.00", at=now)
        count("0.01", at=now)
        with pytest.raises(SalesStopped):
            place("12.00", at=now)
        stopped.refresh_from_db()
        assert (stopped.loss, stopped.ceiling, stopped.resumed_by) == (150, 150, admin_user)

    @pytest.mark.parametrize("further", ["0", "-1", "100.01"])
    def test_cannot_lift_the_ceiling_without_bound(self, stopped, place, admin_user, further):
        with pytest.raises(AllowanceTooLarge):
            let_sales_go_on(
                stop=stopped, further=Decimal(further), reason="more", decided_by=admin_user, now=clock.now()
            )
        with pytest.raises(SalesStopped):
            place("12.00")
        assert SalesStop.objects.get().resumed_by is None

    def test_cannot_end_a_stop_twice_or_after_its_day(self, stopped, admin_user):
        given = {"stop": stopped, "further": Decimal("5.00"), "reason": "once", "decided_by": admin_user}
        with pytest.raises(SalesNotStopped):
            let_sales_go_on(**given, now=end_of_day(stopped.day))
        let_sales_go_on(**given, now=clock.now())
        with pytest.raises(SalesNotStopped):
            let_sales_go_on(**given, now=clock.now())
        assert SalesStop.objects.get().ceiling == 135

    def test_say_why_on_the_page_of_the_stop_and_it_is_recorded(self, stopped, admin_client, api, shopper):
        path = "/admin/trading/salesstop/"
        fields = {"action": "let_sales_go_on", "_selected_action": stopped.pk}
        order = {"crypto": "ABAN", "amount": "3"}
        assert "Further loss" in admin_client.post(path, fields, follow=True).content.decode()
        admin_client.post(path, {**fields, "reason": "", "further": "20"}, follow=True)
        refused = admin_client.post(path, {**fields, "reason": "more", "further": "100.01"}, follow=True)
        assert "at most 100.00 US dollars" in refused.content.decode()
        assert api("POST", "orders/", order, by=shopper).status_code == 503
        assert not LogEntry.objects.exists()
        done = admin_client.post(path, {**fields, "reason": "a wrong price, mended", "further": "20"}, follow=True)
        assert "until the loss of today is 150.00 USD" in done.content.decode()
        assert api("POST", "orders/", order, by=shopper).status_code == 201
        [entry] = LogEntry.objects.all()
        assert entry.change_message == "Sales go on until a loss of 150.00 USD: a wrong price, mended"
        assert SalesStop.objects.get().reason == "a wrong price, mended"

    def test_need_the_permission(self, stopped, client):
        clerk = User.objects.create_user("clerk", password="password", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_salesstop"))
        client.force_login(clerk)
        fields = {"action": "let_sales_go_on", "_selected_action": stopped.pk, "reason": "more", "further": "5"}
        client.post("/admin/trading/salesstop/", fields, follow=True)
        assert SalesStop.objects.get().stopped_at is not None

    def test_see_a_loss_from_80_percent_on_the_to_do_page(self, coin, settings):
        ceiling(settings, "100.00", "90.00")
        now = clock.now()

        def rows():
            return [each for each in list_to_do(now=now) if each.kind == ConcernKind.LOSS]

        count("71.99", at=now)
        assert rows() == []
        count("0.01", at=now)
        [near] = rows()
        assert near.subject == "sales of ABAN are about to stop"
        assert near.reason.startswith("72.00 USD lost today, of 90.00. Sales stop there: find the reason")
        count("18.00", at=now)
        total, stop = rows()
        assert total.subject == "all sales are about to stop"
        assert (stop.subject, stop.target.pk) == ("sales of ABAN have stopped", SalesStop.objects.get().pk)
        assert stop.reason.startswith("90.00 USD lost today, of 90.00. Sales go on at 00:00 UTC; or find the reason")
        assert [each for each in list_to_do(now=end_of_day(day_of(now))) if each.kind == ConcernKind.LOSS] == []
        forget_counted()

    def test_see_it_in_the_metrics(self, coin, settings, client):
        ceiling(settings, "100.00", "40.00")
        count("40.00", at=clock.now())
        found = read(client.get("/metrics/").content.decode())
        assert found["exchange_loss_today_usd", (("coin", ""),)] == 40
        assert found["exchange_loss_today_usd", (("coin", "ABAN"),)] == 40
        assert found["exchange_loss_ceiling_usd", (("coin", ""),)] == 100
        assert found["exchange_loss_ceiling_usd", (("coin", "ABAN"),)] == 40
        assert found["exchange_sales_stopped", (("coin", "ABAN"),)] == 1
        assert ("exchange_sales_stopped", (("coin", ""),)) not in found
        forget_counted()


def _twice(table, columns):
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}"


@verified
class TestDatabase:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("UPDATE trading_salesstop SET stopped_at = NULL", "a_stop_ends_by_staff"),
            ("UPDATE trading_salesstop SET resumed_at = now()", "who_lets_sales_go_on_says_why"),
            ("UPDATE trading_salesstop SET ceiling = 0", "a_stop_has_a_loss_and_a_ceiling"),
            ("UPDATE trading_salesstop SET ceiling = 1000", "a_stop_is_of_a_reached_ceiling"),
            ("UPDATE trading_dayloss SET charge = 0", "a_loss_is_of_delivered_coins"),
            ("UPDATE trading_dayloss SET cost = 'NaN'", "a_loss_is_of_delivered_coins"),
            ("UPDATE wallets_wallet SET cost = 1 WHERE role = 'funding'", "inventory_alone_has_a_cost"),
            ("UPDATE wallets_wallet SET cost = -1 WHERE role = 'inventory'", "inventory_alone_has_a_cost"),
            (_twice("trading_dayloss", "day, coin_id, coins, cost, charge, counted_at"), "one_loss_per_day_and_coin"),
            (
                _twice("trading_salesstop", "day, coin_id, loss, ceiling, stopped_at, reason"),
                "one_stop_per_day_and_coin_and_one_for_all",
            ),
        ],
    )
    def test_refuses_a_row_that_breaks_a_rule(self, coin, settings, change, rule):
        ceiling(settings, "100.00")
        count("100.00", at=NOON)
        with by_owner(), pytest.raises(IntegrityError, match=rule), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
        forget_counted()

    def test_contradictions_to_the_ledger_are_violations(self, dear, booker, booked_at):
        booked_at(NOON)
        booker("60.00")
        booked_at(MIDNIGHT)
        booker("60.00")
        assert verify_everything() == []
        second = f"day = '{MIDNIGHT.date()}'"
        for change, subject in (
            (f"coins = coins + 1 WHERE {second}", "loss of 2026-03-02: ABAN"),
            (f"charge = charge + 1 WHERE {second}", "loss of 2026-03-02: USD"),
            ("cost = cost + 1000", "cost of coins"),
        ):
            field = change.split()[0]
            before = run_as_owner(f"SELECT id, {field} FROM trading_dayloss")
            run_as_owner(f"UPDATE trading_dayloss SET {change}")
            found = verify_everything()
            assert [(each.rule, each.subject) for each in found] == [(9, subject)]
            for pk, value in before:
                run_as_owner(f"UPDATE trading_dayloss SET {field} = {value} WHERE id = {pk}")

    @pytest.fixture
    def book_on(self, dear, booker, booked_at, monkeypatch):
        """Return a function that books an order some days after the first, with a release that counts or not."""

        def book(day, *, counts=True):
            booked_at(NOON + timedelta(days=day))
            with monkeypatch.context() as release:
                if not counts:
                    release.setattr("trading.services.settling.count_loss", lambda **_: None)
                booker("12.00")

        yield book
        forget_counted()

    def test_days_of_an_upgrade_on_which_the_release_before_booked_too_are_no_contradictions(self, book_on):
        book_on(0, counts=False)
        book_on(0)
        book_on(1, counts=False)
        book_on(1)
        book_on(2, counts=False)
        book_on(3)
        assert verify_everything() == []
        book_on(3, counts=False)
        assert {each.subject for each in verify_everything()} == {"loss of 2026-03-04: ABAN", "loss of 2026-03-04: USD"}

    def test_a_day_after_one_that_agrees_is_none_of_an_upgrade(self, book_on):
        book_on(0)
        book_on(1)
        book_on(2, counts=False)
        assert {each.subject for each in verify_everything()} == {"loss of 2026-03-03: ABAN", "loss of 2026-03-03: USD"}


@verified
def test_an_upgrade_values_inventory_at_the_average_of_its_purchases(booker, simulator):
    simulator.set_filters("ABAN", tick="0.0001", step="1", minimum="16", notional="5")
    for price in ("4.16", "3.50"):
        simulator.set_prices(ABAN=price)
        booker("60.00")
    run_as_owner("UPDATE wallets_wallet SET cost = NULL")
    run_as_owner(import_module("wallets.migrations.0013_cost_of_inventory")._FILL)
    inventory = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN")
    cost, received = (sum(getattr(each, name) for each in attempts()) for name in ("cost", "executed"))
    received -= sum(each.commission for each in attempts())
    assert inventory.cost == (inventory.balance * cost / received).quantize(Decimal("1E-8"), ROUND_HALF_UP)
    forget_counted()  # the release before counts nothing


@verified
def test_a_release_that_does_not_count_may_book_meanwhile(booker):
    """Its inventory has no cost, and its deliveries take none."""
    run_as_owner("UPDATE wallets_wallet SET cost = NULL")
    booker("60.00")
    assert DayLoss.objects.get().cost > 0
    run_as_owner("UPDATE wallets_wallet SET cost = 7 WHERE role = 'inventory'")
    booker("60.00")
    assert DayLoss.objects.count() == 1
    run_as_owner("DELETE FROM trading_dayloss")


@verified
class TestRealWorker:
    def test_counts_warns_stops_and_goes_on_the_next_day(
        self, simulator, coin, rich, make_worker, api, client, settings
    ):
        """Orders at 4.00, and a venue at 4.16, which MAX_LOSS allows: each order of 60.00 loses about 2.46."""
        ceiling(settings, "6.00")
        simulator.set_prices(ABAN="4.16")
        make_coin("BBAN", "4.00")
        make_worker(HOUSE_LOSS_PER_DAY="6.00", MAX_LOSS_OF_AN_ORDER="0.05", EXCHANGE_URL=simulator.url)
        body = {"crypto": "ABAN", "total": "60.00"}

        def order(by=rich):
            placed = api("POST", "orders/", body, by=by)
            assert placed.status_code == 201, placed.content
            wait_for(lambda: Order.objects.get(pk=placed.json()["id"]).state == "completed", seconds=60)

        def concerns():
            return [each.subject for each in list_to_do(now=clock.now()) if each.kind == ConcernKind.LOSS]

        order()
        assert concerns() == []
        order()
        assert concerns() == ["all sales are about to stop"], "82 %"
        late = api("POST", "orders/", {**body, "total": "9.00"}, by=rich)
        assert late.json()["state"] == "aggregated"
        order()
        assert concerns() == ["all sales have stopped"]
        refused = api("POST", "orders/", body, by=rich)
        assert (refused.status_code, refused.json()["code"]) == (503, "sales_stopped")
        other = api("POST", "orders/", {**body, "crypto": "BBAN"}, by=rich)
        assert other.status_code == 503
        assert read(client.get("/metrics/").content.decode())["exchange_sales_stopped", (("coin", ""),)] == 1
        # The order that was taken before is bought.
        Order.objects.filter(state="aggregated").update(settle_by="2000-01-01T00:00Z")
        wait_for(lambda: Order.objects.get(pk=late.json()["id"]).state == "completed", seconds=60)
        # Tomorrow sales go on: the day of the stop is over.
        run_as_owner("UPDATE trading_salesstop SET day = day - 1")
        run_as_owner("UPDATE trading_dayloss SET day = day - 1")
        order()
        assert concerns() == []
        bought = sum(each.executed - each.commission for each in attempts())
        delivered = sum(each.amount for each in Order.objects.filter(state="completed"))
        inventory = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance
        assert bought == delivered + inventory
        assert {row.loss < 6 for row in DayLoss.objects.filter(day=day_of(clock.now()))} == {True}
        forget_counted()
