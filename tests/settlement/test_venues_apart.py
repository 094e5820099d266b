"""Venues apart: one's fault, outage or missing keys stop no other, and hide no purchase."""

from datetime import timedelta
from decimal import Decimal

import pytest
from model_bakery import baker
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement import tasks
from settlement.jobs import BALANCES_TASK, RECONCILE_TASK
from settlement.models import Attempt, AttemptState, Pause, VenueEntry, VenueState
from settlement.services import price_feed
from settlement.services.adopting import CannotAdopt, adopt
from settlement.services.pausing import pause_buying
from settlement.services.price_feed import refresh_books, refresh_prices
from settlement.services.restoring.asking import ask_venues
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.venues.ccxt.markets import markets
from settlement.venues.protocol import PurchaseRequest
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import by_owner
from tests.settlement.conftest import attempts, end_pauses, states
from tests.settlement.two_venues import FIRST, SECOND, open_venues, second_simulator
from trading.models import Coin, CoinPrice, Order
from trading.selectors.prices import newest_ask_of
from wallets.models import User
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)

LOST = {"on": "place", "action": "accept_then_drop", "times": 1}
SILENT = {"on": "query", "action": "drop"}


@pytest.fixture
def second(simulator, tmp_path, settings, transactional_db):
    with second_simulator(tmp_path / "second", settings) as running:
        running.set_prices(ABAN="4.00")
        yield running


@pytest.fixture
def get_venue(venue, second):
    return open_venues()


@pytest.fixture(autouse=True)
def _the_books_balance(transactional_db):
    yield
    assert verify_everything() == []


@pytest.fixture
def crash(get_venue, monkeypatch):
    """Make a question to a venue fail as by a fault of ours."""

    def run(name, question):
        def fail(**_):
            raise ZeroDivisionError

        monkeypatch.setattr(get_venue(name), question, fail)

    return run


@pytest.fixture
def waiting(place, claim, get_venue):
    """An attempt that waits at the first venue, and is not sent."""
    place("60.00")
    claim(clock.database_now())
    [attempt] = attempts()
    assert (attempt.venue, attempt.state) == (FIRST, AttemptState.NEW)
    return attempt


@pytest.fixture
def buy_at_second(get_venue):
    """Buy five coins at the second venue under an attempt's name, as a process has done whose database was lost."""

    def run(attempt):
        request = PurchaseRequest(
            coin="ABAN",
            client_order_id=attempt.client_order_id,
            quantity=Decimal(5),
            limit_price=Decimal("4.1"),
            signed_at=clock.database_now(),
            window=timedelta(seconds=5),
        )
        assert get_venue(SECOND).buy(purchase=request).quantity == 5

    return run


class TestAFaultAtOneVenue:
    @pytest.mark.parametrize("question", ["read_rules", "read_ask", "read_time"])
    def test_leaves_a_purchase_to_the_next(self, waiting, get_venue, crash, simulator, second, question):
        crash(FIRST, question)
        take_next_step(batch_id=waiting.batch_id, get_venue=get_venue)
        assert [(each.venue, each.state) for each in attempts()] == [(SECOND, AttemptState.FILLED)]
        assert Pause.objects.get().venue == FIRST
        assert (simulator.book("ABAN"), states()) == ([], ["completed"])

    def test_stops_no_purchase_at_the_first(self, waiting, get_venue, crash, second):
        VenueEntry.objects.update(priority=1)
        crash(SECOND, "read_ask")
        take_next_step(batch_id=waiting.batch_id, get_venue=get_venue)
        assert [(each.venue, each.state) for each in attempts()] == [(FIRST, AttemptState.FILLED)]

    def test_ends_the_attempt_where_there_is_one_venue(self, waiting, get_venue, crash):
        VenueEntry.objects.filter(name=SECOND).update(state=VenueState.NOT_USED)
        crash(FIRST, "read_ask")
        take_next_step(batch_id=waiting.batch_id, get_venue=get_venue)
        waiting.refresh_from_db()
        assert waiting.reason == "crashed before it was sent: ZeroDivisionError"
        assert states() == ["settling"]

    def test_leaves_prices_to_the_next(self, coin, get_venue, crash):
        Coin.objects.update(fixed_price=None)
        crash(FIRST, "read_prices")
        refresh_prices(venues=[get_venue(FIRST), get_venue(SECOND)], now=clock.database_now())
        assert CoinPrice.objects.get().source == SECOND

    @pytest.mark.parametrize(
        ("begin", "task"), [(tasks.compare_balances, BALANCES_TASK), (tasks.reconcile, RECONCILE_TASK)]
    )
    def test_stops_no_comparison_at_the_next(self, second, get_venue, monkeypatch, begin, task):
        def fail_at_first(name):
            if name == FIRST:
                raise ZeroDivisionError
            return get_venue(name)

        monkeypatch.setattr(tasks, "get_venue", fail_at_first)
        with pytest.raises(ZeroDivisionError):
            begin(timestamp=0)
        job = ProcrastinateJob.objects.get(task_name=task)
        assert job.args["venue"] == SECOND
        tasks.app.tasks[task](**job.args)


class TestAFrozenBook:
    @pytest.mark.parametrize(
        ("source", "asked"), [(FIRST, FIRST), (SECOND, SECOND), ("kraken", FIRST)], ids=["first", "second", "none"]
    )
    def test_is_asked_for_where_the_price_is_from(self, coin, get_venue, monkeypatch, source, asked):
        Coin.objects.update(fixed_price=None)
        refresh_prices(venues=[get_venue(FIRST)], now=clock.database_now())
        CoinPrice.objects.update(source=source)
        frozen = list(Coin.objects.select_related("current_price"))
        monkeypatch.setattr(price_feed, "list_coins_with_frozen_books", lambda *, now: frozen)
        questions = []
        for name in (FIRST, SECOND):
            inner = get_venue(name).read_book

            def read_book(*, coin, name=name, inner=inner):
                questions.append(name)
                return inner(coin=coin)

            monkeypatch.setattr(get_venue(name), "read_book", read_book)
        refresh_books(venues=[get_venue(FIRST), get_venue(SECOND)], now=clock.database_now())
        assert questions == [asked]

    def test_is_not_asked_for_without_a_venue_in_use(self, coin):
        refresh_books(venues=[], now=clock.database_now())


class TestAfterARestore:
    """The database takes an attempt for not sent that had moved to the second venue and was bought there."""

    def test_it_is_found_at_the_second_venue(self, waiting, buy_at_second, get_venue, now):
        buy_at_second(waiting)
        [order] = ask_venues(since=now, get_venue=get_venue).unknown
        assert (order.venue, order.client_order_id) == (SECOND, waiting.client_order_id)

    def test_it_is_found_before_the_second_venue_lists_it(self, waiting, buy_at_second, get_venue, now, monkeypatch):
        buy_at_second(waiting)
        monkeypatch.setattr(get_venue(SECOND), "list_purchases", lambda **_: [])
        [order] = ask_venues(since=now, get_venue=get_venue).unknown
        assert (order.venue, order.client_order_id) == (SECOND, waiting.client_order_id)
        adopt(order=order, venue=get_venue(SECOND), note="")
        waiting.refresh_from_db()
        assert (waiting.venue, waiting.state) == (SECOND, AttemptState.FILLED)

    def test_a_process_without_the_keys_of_a_venue_in_use_does_not_let_buying_go_on(
        self, waiting, buy_at_second, get_venue, settings, now
    ):
        buy_at_second(waiting)
        settings.FURTHER_VENUES = {}
        answers = ask_venues(since=now, get_venue=get_venue)
        assert (answers.unknown, answers.unasked) == ([], [f"{SECOND}, of which this process has no keys"])
        VenueEntry.objects.filter(name=SECOND).update(state=VenueState.NOT_USED)
        assert ask_venues(since=now, get_venue=get_venue).unasked == []

    def test_a_venue_that_lacks_the_coin_need_not_be_asked_about_it(self, waiting, get_venue, second, now):
        second.delist("ABAN")
        answers = ask_venues(since=now, get_venue=get_venue)
        assert (answers.unknown, answers.unasked) == ([], [])

    def test_it_is_not_adopted_beside_another_one_in_flight_there(
        self, waiting, buy_at_second, get_venue, now, second, make_shopper, claim, place
    ):
        buy_at_second(waiting)
        [order] = ask_venues(since=now, get_venue=get_venue).unknown
        sent = {"signed_at": now, "valid_until": now, "quantity": 1, "limit_price": 5, "reason": "lost"}
        other = baker.make(
            Attempt, coin=waiting.coin, batch=waiting.batch, number=2, venue=SECOND, state=AttemptState.SENT, **sent
        )
        with pytest.raises(CannotAdopt, match="is in flight there"):
            adopt(order=order, venue=get_venue(SECOND), note="")
        waiting.refresh_from_db()
        assert waiting.state == AttemptState.NEW
        Attempt.objects.filter(pk=other.pk).update(state=AttemptState.EMPTY, ended_at=now)
        adopt(order=order, venue=get_venue(SECOND), note="")


class TestAnOrderWhosePriceHasMovedAtOneVenue:
    @pytest.fixture
    def moved(self, coin, get_venue, place, second, claim):
        """An order that the ask of the second venue alone would refund, claimed at the first."""
        Coin.objects.update(fixed_price=None)
        refresh_prices(venues=[get_venue(FIRST)], now=clock.database_now())
        place("60.00", at=clock.database_now())
        with by_owner():
            Order.objects.update(price_at=clock.database_now() - timedelta(hours=1))
        second.set_prices(ABAN="4.30")
        [batch] = [claim(clock.database_now())]
        return batch

    @pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "down"])
    def test_waits_while_the_other_is_not_asked(self, moved, get_venue, simulator, second, now, is_paused):
        if is_paused:
            pause_buying(coin=None, venue=FIRST, reason="look", set_by=User.objects.create_user("carl"), now=now)
        else:
            simulator.fail({"action": "down"})
        take_next_step(batch_id=moved.pk, get_venue=get_venue)
        assert (states(), second.book("ABAN")) == (["settling"], [])
        simulator.fail()
        end_pauses()
        Pause.objects.all().delete()
        take_next_step(batch_id=moved.pk, get_venue=get_venue)
        assert (states(), attempts()[-1].venue) == (["completed"], FIRST)

    def test_is_refunded_if_the_other_does_not_list_the_coin(self, moved, get_venue, simulator, second):
        simulator.delist("ABAN")
        markets.forget()
        take_next_step(batch_id=moved.pk, get_venue=get_venue)
        assert (states(), second.book("ABAN")) == (["refunded"], [])

    def test_is_bought_where_it_has_not(self, coin, get_venue, place, simulator, second, claim):
        Coin.objects.update(fixed_price=None)
        refresh_prices(venues=[get_venue(FIRST)], now=clock.database_now())
        place("60.00", at=clock.database_now())
        with by_owner():
            Order.objects.update(price_at=clock.database_now() - timedelta(hours=1))
        simulator.set_prices(ABAN="4.12")
        refresh_prices(venues=[get_venue(FIRST)], now=clock.database_now())
        assert newest_ask_of(coin=Coin.objects.get(), now=clock.database_now()) == Decimal("4.12")
        batch = claim(clock.database_now())
        take_next_step(batch_id=batch.pk, get_venue=get_venue)
        assert (states(), [attempt.venue for attempt in attempts()]) == (["completed"], [SECOND])


class TestAnotherFirstVenue:
    def test_buys_what_waits_while_a_purchase_at_the_one_before_is_unknown(
        self, waiting, place, simulator, second, settings, get_venue
    ):
        """EXCHANGE_ID was changed, and the keys of the venue before are gone."""
        simulator.fail(LOST, SILENT)
        for _ in range(2):
            take_next_step(batch_id=waiting.batch_id, get_venue=get_venue)
        configure(settings, "VENUE", id=SECOND, url=second.url)
        settings.FURTHER_VENUES = {}
        place("40.00")
        ProcrastinateJob.objects.all()._raw_delete("default")
        sweep(now=clock.database_now() + timedelta(minutes=1))
        assert ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").exists()
