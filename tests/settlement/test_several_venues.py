"""Several venues: where a coin is bought, what happens when one does not answer, and what the books say of each."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from settlement.models import (
    Attempt,
    AttemptState,
    Finding,
    FindingKind,
    Pause,
    PauseKind,
    VenueAccount,
    VenueEntry,
    VenueState,
    here_or_before,
)
from settlement.selectors.venues import find_room, list_in_use, room_of
from settlement.services.claiming import claim_waiting_orders
from settlement.services.funding import record_funds, sum_payable
from settlement.services.pausing import pause_buying
from settlement.services.price_feed import refresh_prices
from settlement.services.ranking import change_venue
from settlement.services.reconciling.comparing import reconcile
from settlement.services.restoring.asking import ask_venues
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.readers import list_to_do
from settlement.venues.configured import VenueNotConfigured
from settlement.verification import verify_everything, verify_venues
from tests.configure import configure
from tests.owner import by_owner
from tests.processes import wait_for
from tests.settlement.conftest import attempts, end_pauses, states
from tests.settlement.two_venues import FIRST, SECOND, environment_of_second, open_venues, second_simulator
from trading.models import Coin, CoinPrice, Order, UnclearCoin
from wallets.models import Transaction, User, Wallet, WalletRole
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = {"action": "down"}
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


@pytest.fixture
def buy(get_venue, claim):
    """Claim what is due, take a number of steps, and return the newest attempt."""

    def run(steps=1):
        batch = claim(clock.database_now())
        for _ in range(steps):
            take_next_step(batch_id=batch.pk, get_venue=get_venue)
        return Attempt.objects.filter(batch=batch).latest("number")

    return run


@pytest.fixture(autouse=True)
def _the_books_balance(transactional_db):
    yield
    assert verify_everything() == []


def rank(name, **values):
    VenueEntry.objects.filter(name=name).update(**values)


def dollars_at(venue):
    wallet = Wallet.objects.get(role=WalletRole.VENUE, asset="USD", venue="" if venue == FIRST else venue)
    return sum(Transaction.objects.filter(destination=wallet).values_list("amount", flat=True), Decimal(0))


class TestACoin:
    def test_is_bought_at_the_venue_with_the_lowest_priority(self, place, buy, simulator, second):
        second.set_prices(ABAN="3.90")
        place("60.00")
        assert buy().venue == FIRST
        assert (len(simulator.book("ABAN")), len(second.book("ABAN"))) == (1, 0)
        assert states() == ["completed"]

    def test_is_bought_at_the_lowest_ask_of_venues_with_one_priority(self, place, buy, simulator, second):
        rank(SECOND, priority=1)
        second.set_prices(ABAN="3.90")
        place("60.00")
        attempt = buy()
        assert (attempt.venue, attempt.state) == (SECOND, AttemptState.FILLED)
        assert {name: Decimal(ask) for name, ask in attempt.asks.items()} == {FIRST: 4, SECOND: Decimal("3.9")}
        assert (len(simulator.book("ABAN")), len(second.book("ABAN"))) == (0, 1)

    def test_stays_at_the_first_of_two_equal_asks(self, place, buy, second):
        rank(SECOND, priority=1)
        place("60.00")
        assert buy().venue == FIRST

    def test_is_bought_at_the_next_venue_if_the_first_has_too_little_funds(self, place, buy, second):
        record_funds(venue=FIRST, free=Decimal(1), read_at=clock.database_now())
        record_funds(venue=SECOND, free=Decimal(1000), read_at=clock.database_now())
        place("60.00")
        attempt = buy()
        assert (attempt.venue, states()) == (SECOND, ["completed"])
        assert VenueAccount.objects.get(venue=FIRST).short_at is None

    def test_waits_if_no_venue_has_the_funds(self, place, claim, second):
        for name in (FIRST, SECOND):
            record_funds(venue=name, free=Decimal(1), read_at=clock.database_now())
        place("60.00")
        assert claim(clock.database_now()) is None
        assert states() == ["pending"]
        assert VenueAccount.objects.get(venue=FIRST).short_of == Decimal("60.00")

    @pytest.mark.parametrize("of_coin", [True, False], ids=["of the coin", "of the venue"])
    def test_is_bought_at_the_next_venue_during_a_pause_of_the_first(self, place, buy, coin, now, second, of_coin):
        staff = User.objects.create_user("carl")
        pause_buying(coin=coin if of_coin else None, venue=FIRST, reason="look", set_by=staff, now=now)
        place("60.00")
        assert buy().venue == SECOND
        assert Pause.objects.get().venue == FIRST

    def test_is_bought_nowhere_during_a_pause_of_every_venue(self, place, claim, coin, now, second):
        pause_buying(coin=None, reason="look", set_by=User.objects.create_user("carl"), now=now)
        place("60.00")
        assert claim(clock.database_now()) is None
        assert attempts() == []

    def test_is_not_bought_at_a_venue_that_is_not_in_use(self, place, buy, simulator, second):
        rank(SECOND, priority=1, state=VenueState.NOT_USED)
        second.set_prices(ABAN="3.90")
        place("60.00")
        assert buy().asks == {FIRST: "4"}
        assert second.book("ABAN") == []

    def test_is_bought_at_the_next_venue_if_the_first_does_not_list_it(self, place, buy, simulator, second):
        simulator.delist("ABAN")
        place("60.00")
        assert (buy().venue, states()) == (SECOND, ["completed"])
        assert Pause.objects.get().reason == "no market"

    def test_is_bought_at_the_next_venue_if_the_first_is_down(self, place, buy, simulator, second):
        simulator.fail(DOWN)
        place("60.00")
        assert (buy().venue, states()) == (SECOND, ["completed"])
        [paused] = Pause.objects.all()
        assert (paused.venue, paused.kind) == (FIRST, PauseKind.TROUBLE)

    def test_is_bought_at_the_next_venue_if_the_ask_of_the_first_is_too_high(self, place, buy, simulator, second):
        simulator.set_prices(ABAN="4.80")
        place("60.00")
        assert (buy().venue, states()) == (SECOND, ["completed"])
        assert simulator.book("ABAN") == []

    def test_is_bought_nowhere_while_every_ask_is_too_high(self, place, buy, simulator, second):
        for each in (simulator, second):
            each.set_prices(ABAN="4.80")
        place("60.00")
        assert buy().state == AttemptState.NEW
        assert simulator.book("ABAN") + second.book("ABAN") == []
        assert states() == ["settling"]

    def test_moves_on_at_once_if_the_venue_refuses_it_for_a_passing_reason(self, place, buy, simulator, second):
        simulator.fail({"on": "place", "action": "reject", "code": -2010, "msg": "Account has insufficient balance."})
        place("60.00")
        assert buy(steps=2).venue == SECOND
        assert [each.venue for each in attempts()] == [FIRST, SECOND]
        assert states() == ["completed"]

    def test_waits_for_the_first_pause_to_end_if_all_venues_are_down(self, place, buy, simulator, second):
        for each in (simulator, second):
            each.fail(DOWN)
        place("60.00")
        attempt = buy()
        assert attempt.state == AttemptState.NEW
        assert attempt.next_step_at > clock.database_now()
        assert set(Pause.objects.values_list("venue", flat=True)) == {FIRST, SECOND}
        for each in (simulator, second):
            each.fail()
        end_pauses()
        take_next_step(batch_id=attempt.batch_id, get_venue=open_venues())
        assert states() == ["completed"]


@pytest.fixture
def unknown(place, buy, simulator):
    """A purchase of 60 dollars at the first venue whose answer is lost, and that cannot be looked up."""
    simulator.fail(LOST, SILENT)
    place("60.00")
    attempt = buy(steps=2)
    assert (attempt.venue, attempt.state) == (FIRST, AttemptState.SENT)
    return attempt


class TestAnUnknownPurchase:
    def test_stays_unknown_while_others_are_bought_at_the_next_venue(
        self, unknown, place, buy, simulator, second, get_venue
    ):
        place("40.00")
        other = buy()
        assert (other.venue, other.state, states()) == (SECOND, AttemptState.FILLED, ["settling", "completed"])
        assert UnclearCoin.objects.exists(), "customers still read why the first one waits"
        simulator.fail()
        take_next_step(batch_id=unknown.batch_id, get_venue=get_venue)
        unknown.refresh_from_db()
        assert (unknown.venue, unknown.state, states()) == (FIRST, AttemptState.FILLED, ["completed", "completed"])
        assert (len(simulator.book("ABAN")), len(second.book("ABAN"))) == (1, 1)

    def test_is_asked_about_at_no_other_venue(self, unknown, second, get_venue, monkeypatch):
        asked = []
        monkeypatch.setattr(get_venue(SECOND), "look_up", lambda **names: asked.append(names))
        take_next_step(batch_id=unknown.batch_id, get_venue=get_venue)
        assert asked == []

    def test_stays_unknown_without_keys_for_its_venue(self, unknown, get_venue):
        def without_keys(name):
            raise VenueNotConfigured(name)

        take_next_step(batch_id=unknown.batch_id, get_venue=without_keys)
        unknown.refresh_from_db()
        assert unknown.state == AttemptState.SENT
        assert "VENUE_BINANCE_API_KEY" in unknown.reason

    def test_lets_others_be_bought_up_to_a_limit(self, unknown, place, buy, settings, claim, second, make_shopper):
        configure(settings, "SETTLEMENT", max_beside_unknown=Decimal(50))
        richer = make_shopper()
        place("60.00", of=richer)
        assert claim(clock.database_now()) is None
        place("40.00", of=richer)
        assert buy().venue == SECOND
        assert states() == ["settling", "pending", "completed"]

    def test_lets_nothing_be_bought_with_a_limit_of_nothing(self, unknown, place, settings, claim, second):
        configure(settings, "SETTLEMENT", max_beside_unknown=Decimal(0))
        place("40.00")
        assert claim(clock.database_now()) is None
        assert second.book("ABAN") == []

    def test_has_what_waits_claimed_by_the_sweep(self, unknown, place, now):
        place("40.00")
        later = clock.database_now() + timedelta(minutes=1)
        sweep(now=later)
        from procrastinate.contrib.django.models import ProcrastinateJob

        assert ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").exists()

    def test_leaves_no_room_while_it_is_still_on_its_way(self, coin, unknown, now):
        soon = unknown.next_step_at - timedelta(seconds=1)
        assert find_room(coin_id=coin.pk, now=soon).venues == [SECOND]
        unknown.reason = ""
        assert room_of([], in_flight=[unknown], now=soon).venues == []


class TestTheBooks:
    def test_have_a_wallet_for_each_venue(self, place, buy, second):
        place("60.00")
        buy()
        rank(FIRST, state=VenueState.NOT_USED)
        place("40.00")
        buy()
        costs = {attempt.venue: attempt.cost for attempt in attempts()}
        assert {FIRST: dollars_at(FIRST), SECOND: dollars_at(SECOND)} == costs
        assert Wallet.objects.filter(role=WalletRole.INVENTORY, asset="ABAN").count() == 1

    def test_show_a_purchase_that_is_booked_to_another_venue(self, place, buy, second):
        place("60.00")
        attempt = buy()
        with by_owner():
            Attempt.objects.filter(pk=attempt.pk).update(venue=SECOND)
        found = verify_venues()
        assert [(each.expected, each.found) for each in found] == [(SECOND, FIRST)] * 2
        with by_owner():
            Attempt.objects.filter(pk=attempt.pk).update(venue=FIRST)

    def test_are_compared_with_each_venue_s_own_list(self, place, buy, second, get_venue, now):
        for state in (VenueState.IN_USE, VenueState.NOT_USED):
            rank(FIRST, state=state)
            place("40.00")
            buy()
        numbers = set(Attempt.objects.values_list("venue_order_id", flat=True))
        assert len(numbers) == 1, "both venues number their orders alike"
        later = clock.database_now() + timedelta(minutes=5)
        for name in (FIRST, SECOND):
            done = reconcile(venue=get_venue(name), since=now - timedelta(days=1), now=later)
            assert (done.purchases, done.attempts, done.findings, done.unasked) == (1, 1, [], [])

    def test_find_an_order_that_one_venue_alone_has(self, coin, second, get_venue, place, buy, now):
        rank(FIRST, state=VenueState.NOT_USED)
        place("60.00")
        attempt = buy()
        with by_owner():
            Finding.objects.all().delete()
        stranger = attempt.client_order_id[:-1] + ("0" if attempt.client_order_id[-1] != "0" else "1")
        request = {"quantity": Decimal(5), "limit_price": Decimal("4.1"), "signed_at": clock.database_now()}
        from settlement.venues.protocol import PurchaseRequest

        get_venue(SECOND).buy(
            purchase=PurchaseRequest(coin="ABAN", client_order_id=stranger, window=timedelta(seconds=5), **request)
        )
        later = clock.database_now() + timedelta(minutes=5)
        reconcile(venue=get_venue(SECOND), since=now - timedelta(days=1), now=later)
        finding = Finding.objects.get(kind=FindingKind.EXTRA)
        assert finding.venue == SECOND
        reconcile(venue=get_venue(FIRST), since=now - timedelta(days=1), now=later)
        finding.refresh_from_db()
        assert finding.closed_at is None, "the other venue's list says nothing about it"

    def test_are_asked_for_at_every_venue_after_a_restore(self, place, buy, second, get_venue, now):
        rank(FIRST, state=VenueState.NOT_USED)
        place("60.00")
        buy()
        answers = ask_venues(since=now, get_venue=get_venue)
        assert (answers.unknown, answers.unasked) == ([], [])
        second.fail(DOWN)
        [unasked] = ask_venues(since=now, get_venue=get_venue).unasked
        assert unasked.endswith(f" at {SECOND}")


class TestTheFloat:
    def test_of_all_venues_in_use_bounds_the_sales(self, coin, second, settings):
        now = clock.database_now()
        record_funds(venue=FIRST, free=Decimal(105), read_at=now)
        record_funds(venue=SECOND, free=Decimal(210), read_at=now)
        each = sum_payable(venues=[FIRST]), sum_payable(venues=[SECOND])
        assert sum_payable(venues=list_in_use()) == sum(each)
        rank(SECOND, state=VenueState.NOT_USED)
        assert sum_payable(venues=list_in_use()) == each[0]

    def test_is_set_aside_where_the_purchase_is_sent(self, place, claim, get_venue, simulator, second):
        now = clock.database_now()
        for name in (FIRST, SECOND):
            record_funds(venue=name, free=Decimal(1000), read_at=now)
        simulator.fail(DOWN)
        second.fail({"on": "place", "action": "accept_then_drop", "times": 1}, SILENT)
        place("60.00")
        take_next_step(batch_id=claim(now).pk, get_venue=get_venue)
        [attempt] = attempts()
        assert (attempt.venue, attempt.state) == (SECOND, AttemptState.SENT)
        from settlement.services.funding import read_available

        assert read_available(venue=FIRST, now=now) == 1000
        assert read_available(venue=SECOND, now=now) == 1000 - attempt.budget


class TestPrices:
    def test_come_from_the_next_venue_if_the_first_has_none(self, coin, second, simulator, get_venue, now):
        Coin.objects.update(fixed_price=None)
        second.set_prices(ABAN="4.02")
        simulator.set_status(ABAN="BREAK")
        refresh_prices(venues=[get_venue(FIRST), get_venue(SECOND)], now=clock.database_now())
        price = CoinPrice.objects.get()
        assert (price.source, price.value) == (SECOND, Decimal("4.02"))

    def test_come_from_the_first_venue_that_answers(self, coin, second, simulator, get_venue):
        Coin.objects.update(fixed_price=None)
        venues = [get_venue(FIRST), get_venue(SECOND)]
        refresh_prices(venues=venues, now=clock.database_now())
        assert CoinPrice.objects.get().source == FIRST
        simulator.fail(DOWN)
        refresh_prices(venues=venues, now=clock.database_now())
        assert CoinPrice.objects.get().source == SECOND


class TestAVenue:
    def test_that_is_put_in_use_gets_what_waits(self, place, claim, now, coin, second, simulator):
        rank(SECOND, state=VenueState.NOT_USED)
        pause_buying(coin=None, venue=FIRST, reason="look", set_by=User.objects.create_user("carl"), now=now)
        place("60.00")
        assert claim(clock.database_now()) is None
        change_venue(name=SECOND, priority=2, state=VenueState.IN_USE, now=clock.database_now())
        assert claim_waiting_orders(coin_id=coin.pk, now=clock.database_now()) is not None
        assert attempts()[0].venue == SECOND

    def test_of_a_name_that_no_variable_describes_gets_nothing(self, place, claim, settings, second, now):
        settings.FURTHER_VENUES = {}
        place("60.00")
        claim(clock.database_now())
        assert [attempt.venue for attempt in attempts()] == [FIRST]
        assert list_in_use() == [FIRST]

    def test_in_use_whose_account_nobody_reads_is_to_do(self, second):
        now = clock.database_now()
        concerns = [each.subject for each in list_to_do(now=now + timedelta(minutes=3))]
        assert f"the account at {SECOND}" in concerns
        record_funds(venue=SECOND, free=Decimal(1), read_at=now + timedelta(minutes=2))
        concerns = [each.subject for each in list_to_do(now=now + timedelta(minutes=3))]
        assert f"the account at {SECOND}" not in concerns

    def test_before_venues_were_recorded_counts_everywhere(self):
        assert here_or_before(FIRST) == [FIRST, ""]


@pytest.mark.parametrize("point", ["venue.chosen", "venue.moved", "attempt.sent"])
def test_a_worker_killed_between_choosing_and_sending_buys_once(
    point, place, simulator, second, venue_environment, make_worker, tmp_path, settings
):
    rank(SECOND, priority=1)
    second.set_prices(ABAN="3.90")
    folder = tmp_path / "shots"
    folder.mkdir()
    environment = {**venue_environment, **environment_of_second(), "STALLED_WORKER_SECONDS": "2"}
    killed = make_worker(**environment, FAILPOINTS=f"{point}=kill", FAILPOINTS_DIR=str(folder))
    order = place("60.00", at=timezone.now())
    wait_for(lambda: killed.poll() is not None, seconds=30)
    assert list(folder.iterdir())
    make_worker(**environment, NOT_FOUND_MARGIN_SECONDS="0.1", EXCHANGE_RECV_WINDOW_MS="500")
    wait_for(lambda: Order.objects.get(pk=order.pk).state == "completed", seconds=60)
    assert len(simulator.book("ABAN")) + len(second.book("ABAN")) == 1
    assert Attempt.objects.filter(state=AttemptState.FILLED).count() == 1
