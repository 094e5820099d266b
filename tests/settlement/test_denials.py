"""A venue that denies what it filled, asked by real workers: at most one repeat, and nothing is lost or doubled."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from settlement.models import (
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    Finding,
    FindingKind,
    Intervention,
    InterventionAction,
    Pause,
    PauseKind,
)
from settlement.services import outcomes
from settlement.services.claiming import claim_waiting_orders
from settlement.services.intervening.requests import request_intervention
from settlement.services.reconciling.comparing import reconcile
from settlement.services.stepping import take_next_step
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt import seeking
from settlement.venues.protocol import NotPlaced, OrderNotFound, PurchaseRequest, Unknown
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.processes import wait_for
from tests.settlement.conftest import attempts, batches, new_venue, states
from tests.simulators import opened_book
from trading.models import Order
from wallets.models import Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("coin")]

COMMISSION = Decimal("0.999")
DENIED = {"on": "query", "action": "not_found", "symbol": "ABANUSDT"}
NOT_LISTED = {"on": "list", "action": "not_found", "symbol": "ABANUSDT"}
NO_TRADES = {"on": "trades", "action": "not_found", "symbol": "ABANUSDT"}
LOST = {"on": "place", "action": "accept_then_drop", "symbol": "ABANUSDT"}
QUICK = {
    "EXCHANGE_RECV_WINDOW_MS": "500",
    "EXCHANGE_READ_TIMEOUT_SECONDS": "2",
    "NOT_FOUND_MARGIN_SECONDS": "0",
    "NOT_FOUND_TIMES": "2",
    "LOOKUP_FIRST_WAIT_SECONDS": "0.2",
    "LOOKUP_MAX_WAIT_SECONDS": "1",
    "RECHECK_FIRST_WAIT_SECONDS": "1",
}


@pytest.fixture
def work(make_worker, venue_environment):
    """Start a worker that asks again quickly."""
    return lambda **environment: make_worker(**venue_environment, **{**QUICK, **environment})


@pytest.fixture
def nothing_is_lost(simulator):
    """Check at the end that every coin bought at the venue was delivered or is in inventory."""
    yield
    for name in ("ABAN", "BETA"):
        bought = sum((Decimal(order["executedQty"]) for order in simulator.book(name)), Decimal(0))
        orders = Order.objects.filter(state="completed", coin__name=name)
        delivered = sum(orders.values_list("amount", flat=True), Decimal(0))
        inventory = Wallet.objects.filter(owner=None, role=WalletRole.INVENTORY, asset=name).first()
        assert bought * COMMISSION == delivered + (inventory.balance if inventory else 0)
    assert verify_everything() == []


@pytest.fixture
def impatient(settings):
    """Let this process believe a denial soon."""
    configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0), not_found_times=1)


def is_parked():
    return Batch.objects.filter(state=BatchState.PARKED).exists()


def are_completed(count):
    return states() == ["completed"] * count


def found():
    return list(Finding.objects.filter(closed_at=None).order_by("id").values_list("kind", flat=True))


@pytest.mark.usefixtures("nothing_is_lost")
class TestDeniedPurchase:
    def test_that_the_lists_know_is_booked_and_not_bought_again(self, place, work, simulator):
        simulator.fail({**LOST, "times": 1}, DENIED)
        place("60.00")
        work()
        wait_for(lambda: are_completed(1), seconds=60)
        [attempt] = attempts()
        assert (attempt.state, attempt.commission, len(simulator.book())) == ("filled", Decimal("0.01502"), 1)
        assert (batches()[0].denials, found()) == (0, [])

    @pytest.mark.parametrize(
        "second_source",
        [
            {"on": "list", "action": "not_found", "symbol": "ABANUSDT"},  # the trades contradict it
            {"on": "list", "action": "reject", "code": -1000, "msg": "An unknown error.", "symbol": "ABANUSDT"},
        ],
        ids=["lists that contradict each other", "lists that cannot be had"],
    )
    def test_stays_unknown_without_a_second_source(self, place, work, simulator, second_source):
        """The venue denies the order to two lookups; the lists do not answer, or not with one voice."""
        simulator.fail({**LOST, "times": 1}, DENIED, second_source)
        place("60.00")
        work()
        wait_for(lambda: attempts() and attempts()[0].lookups >= 5, seconds=60)
        [attempt] = attempts()
        assert (attempt.state, len(simulator.book()), batches()[0].denials) == (AttemptState.SENT, 1, 0)
        simulator.fail()
        wait_for(lambda: are_completed(1), seconds=60)
        assert len(attempts()) == len(simulator.book()) == 1

    def test_is_bought_again_once_and_then_parked_with_evidence(self, place, work, simulator, make_shopper):
        beta = make_coin("BETA", "1.00")
        simulator.set_prices(BETA="1.00")
        simulator.fail(LOST, DENIED, NOT_LISTED, NO_TRADES)
        place("60.00")
        work(MAX_ATTEMPTS="10")
        wait_for(is_parked, seconds=60)
        place("20.00", of=make_shopper(), crypto="BETA")
        wait_for(lambda: Order.objects.filter(coin=beta, state="completed").exists(), seconds=30)
        [batch, _] = batches()
        assert (batch.denials, len(simulator.book("ABAN")), len(attempts())) == (2, 2, 3)
        [finding] = Finding.objects.filter(kind=FindingKind.MISSING)
        assert finding.subject == f"purchases of {batch}"
        assert finding.ours == "attempts 1, 2 were sent; the last for 15.02 ABAN"
        assert finding.theirs == "2 of them not found by id (2 times), nor in the lists"
        [row] = [concern for concern in list_to_do(now=timezone.now()) if concern.kind.value == "parked"]
        assert "denies them by id and in its lists" in row.reason
        assert "look up, buy again or refund" in row.reason
        simulator.fail()  # the truth: both were filled
        wait_for(lambda: are_completed(2), seconds=60)
        wait_for(lambda: not Attempt.objects.filter(recheck_at__isnull=False).exists(), seconds=60)
        assert found() == ["late_fill", "late_fill"], "the finding that both are missing is closed"
        assert Batch.objects.get(pk=batch.pk).state == BatchState.SETTLED
        assert len(simulator.book("ABAN")) == 2

    def test_is_not_bought_again_if_the_denial_ends_before_the_repeat(self, place, claim, venue, simulator, impatient):
        """The lists have nothing about the first purchase. Before the second, the venue is asked once more."""
        simulator.fail({**LOST, "times": 1}, DENIED, NOT_LISTED, NO_TRADES)
        place("60.00")
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        time.sleep(0.6)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        first, second = attempts()
        assert (first.state, second.state, batches()[0].denials) == (AttemptState.NOT_PLACED, AttemptState.NEW, 1)
        simulator.fail()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), len(simulator.book()), found()) == (["completed"], 1, ["late_fill"])
        assert [one.state for one in attempts()] == [AttemptState.FILLED, AttemptState.NOT_PLACED]

    def test_that_was_said_not_to_be_accepted_is_looked_up_before_a_repeat(self, place, claim, venue, simulator):
        """The venue has filled the order, and says that a filter refused it."""
        simulator.fail({**LOST, "times": 1})
        place("60.00")
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        [attempt] = attempts()
        outcomes.end_not_placed(attempt=attempt, answer=NotPlaced(reason="Filter failure: LOT_SIZE"))
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert [one.state for one in attempts()] == [AttemptState.FILLED, AttemptState.NOT_PLACED]
        assert (states(), len(simulator.book()), found()) == (["completed"], 1, ["late_fill"])
        assert attempts()[1].signed_at is None

    def test_keeps_the_repeat_waiting_while_nobody_can_say(self, place, claim, venue, simulator):
        simulator.fail({**LOST, "times": 1}, {"on": "query", "action": "drop"})
        place("60.00")
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        outcomes.end_not_placed(attempt=attempts()[0], answer=NotPlaced(reason="Filter failure: LOT_SIZE"))
        for _ in range(3):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (attempts()[1].state, len(simulator.book())) == (AttemptState.NEW, 1)
        simulator.fail()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), len(simulator.book())) == (["completed"], 1)

    def test_is_bought_anew_after_staff_say_so_and_parked_after_another_loss(self, place, work, simulator, admin_user):
        simulator.fail(LOST, DENIED, NOT_LISTED, NO_TRADES)
        place("60.00")
        work()
        wait_for(is_parked, seconds=60)
        request_intervention(
            batch=batches()[0],
            action=InterventionAction.RETRY,
            reason="the history has nothing",
            requested_by=admin_user,
            now=timezone.now(),
        )
        wait_for(lambda: Intervention.objects.get().outcome == "done", seconds=30)
        wait_for(lambda: is_parked() and batches()[0].denials == 3, seconds=60)
        assert len(simulator.book()) == 3
        simulator.fail()
        wait_for(lambda: are_completed(1), seconds=60)
        wait_for(lambda: not Attempt.objects.filter(recheck_at__isnull=False).exists(), seconds=60)


@pytest.mark.usefixtures("nothing_is_lost")
class TestLateCoins:
    """Denied twice, so the batch is parked. Then the venue tells the truth."""

    @pytest.fixture
    def parked(self, place, claim, simulator, take_steps):
        simulator.fail(LOST, DENIED, NOT_LISTED, NO_TRADES)
        place("24.00")
        batch = claim()
        take_steps(batch)
        batch.refresh_from_db()
        assert (batch.state, batch.denials) == (BatchState.PARKED, 2)
        simulator.fail()
        return batch

    @pytest.fixture
    def take_steps(self, venue, impatient):
        def run(batch):
            for _ in range(2):
                take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
                time.sleep(0.6)
                take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)

        return run

    def test_found_by_reconciliation_complete_the_parked_batch_in_one_transaction(self, parked, venue):
        now = timezone.now()
        done = reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        parked.refresh_from_db()
        assert (parked.state, parked.reserved, done.late_fills) == (BatchState.SETTLED, 0, 2)
        assert (states(), found()) == (["completed"], ["late_fill", "late_fill"])

    def test_complete_an_open_batch_and_withdraw_what_was_not_sent(self, parked, venue, place, make_shopper, coin):
        """The coins of two purchases suffice for the parked batch and for the one behind it."""
        other = place("20.00", of=make_shopper())
        batch = claim_waiting_orders(coin_id=coin.pk, now=timezone.now())
        now = timezone.now()
        reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        other.refresh_from_db()
        batch.refresh_from_db()
        assert (other.state, batch.state, states()) == ("completed", BatchState.SETTLED, ["completed"] * 2)
        last = attempts()[-1]
        assert (last.state, last.signed_at, last.excused) == (AttemptState.NOT_PLACED, None, True)

    def test_complete_whole_orders_only_and_the_oldest_first(self, parked, venue, place, make_shopper, coin):
        for total in ("16.00", "30.00"):
            place(total, of=make_shopper())
        batch = claim_waiting_orders(coin_id=coin.pk, now=timezone.now())
        now = timezone.now()
        reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        batch.refresh_from_db()
        assert (batch.state, states()) == (BatchState.OPEN, ["completed", "completed", "settling"])
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"] * 3

    def test_leave_a_batch_open_while_its_purchase_is_under_way(
        self, parked, venue, place, make_shopper, coin, simulator
    ):
        place("20.00", of=make_shopper())
        batch = claim_waiting_orders(coin_id=coin.pk, now=timezone.now())
        simulator.fail({**LOST, "times": 1})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        now = timezone.now()
        reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        batch.refresh_from_db()
        assert (batch.state, states()) == (BatchState.OPEN, ["completed"] * 2)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        assert batch.state == BatchState.SETTLED


@pytest.mark.usefixtures("nothing_is_lost")
class TestBan:
    @pytest.mark.parametrize("status", [418, 429])
    def test_of_calls_is_not_lifted_by_another_coins_success(self, place, work, simulator, make_shopper, status):
        """BETA's purchase was sent before the venue refused ABAN's with 15 seconds, and succeeds during the ban."""
        beta = make_coin("BETA", "1.00")
        simulator.set_prices(BETA="1.00")
        simulator.fail(
            {"on": "place", "symbol": "BETAUSDT", "action": "delay", "wait": 1.5, "times": 1},
            {
                "on": "place",
                "symbol": "ABANUSDT",
                "action": "rate_limit",
                "status": status,
                "retry_after": "15",
                "times": 1,
            },
        )
        work(EXCHANGE_RECV_WINDOW_MS="5000", EXCHANGE_READ_TIMEOUT_SECONDS="10", PRICE_REFRESH_CRON="0 0 1 1 *")
        place("20.00", of=make_shopper(), crypto="BETA")
        wait_for(lambda: Attempt.objects.filter(coin=beta, state="sent").exists(), seconds=30)
        place("60.00")
        wait_for(lambda: Pause.objects.filter(kind=PauseKind.BAN).exists(), seconds=30)
        wait_for(lambda: Order.objects.filter(coin=beta, state="completed").exists(), seconds=30)
        ban = Pause.objects.get(kind=PauseKind.BAN)
        assert ban.until - ban.set_at >= timedelta(seconds=15)
        simulator.fail({"action": "delay", "wait": 0.001})  # counts every call
        place("20.00", of=make_shopper(), crypto="BETA")
        while timezone.now() < ban.until - timedelta(seconds=1):
            assert [rule["applied"] for rule in simulator.faults()] == [0], "a call during the ban"
            assert Pause.objects.filter(kind=PauseKind.BAN, until=ban.until).exists()
            time.sleep(0.5)
        wait_for(lambda: are_completed(3), seconds=60)
        assert not Pause.objects.exists()
        assert len(simulator.book()) == 3


def test_a_venue_object_finds_orders_in_its_lists(place, settle, simulator, venue, now):
    """`find_in_lists` gives the same answer as a lookup by id, and says so when it does not know the order."""
    place("60.00")
    settle()
    [attempt] = attempts()
    since = attempt.signed_at - timedelta(seconds=5)
    by_id = venue.look_up(coin="ABAN", client_order_id=attempt.client_order_id)
    listed = new_venue().find_in_lists(coin="ABAN", client_order_id=attempt.client_order_id, since=since)
    assert listed == by_id
    unknown = venue.find_in_lists(coin="ABAN", client_order_id="ce0", since=since)
    assert type(unknown).__name__ == "OrderNotFound"


class TestASharedAccount:
    """Trades of orders that are older than the list of orders: somebody else's resting order, or one of ours."""

    @pytest.fixture
    def buy(self, coin, venue):
        """Buy at the venue under a client order id."""

        def at_the_venue(name):
            purchase = PurchaseRequest(
                coin="ABAN",
                client_order_id=name,
                quantity=Decimal(5),
                limit_price=Decimal("4.1"),
                signed_at=venue.read_time(),
                window=timedelta(seconds=5),
            )
            assert venue.buy(purchase=purchase).quantity == 5

        return at_the_venue

    @pytest.fixture
    def make_old(self, tmp_path):
        """Move the orders, and not their trades, an hour back."""

        def run():
            with opened_book(tmp_path / "book.sqlite") as book:
                book.execute("UPDATE venue_order SET time = time - 3600000")

        return run

    def look_in_lists(self, name):
        return new_venue().find_in_lists(coin="ABAN", client_order_id=name, since=timezone.now() - timedelta(minutes=5))

    def test_is_judged_by_the_client_order_ids_of_unlisted_orders(self, buy, make_old):
        buy("an-order-by-hand")
        buy("another-by-hand")
        make_old()
        assert self.look_in_lists("ce0") == OrderNotFound()

    def test_has_our_order_if_only_its_trades_are_listed(self, buy, make_old):
        buy("an-order-by-hand")
        buy("ce0")
        make_old()
        answer = self.look_in_lists("ce0")
        assert (answer.venue_order_id, answer.quantity) == ("2", 5)

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ({"action": "not_found"}, "is not told whose it is"),
            ({"action": "lie", "changes": {"orderId": 7}}, "is not told whose it is"),
            ({"action": "lie", "changes": {"clientOrderId": ""}}, "is not told whose it is"),
            ({"action": "lie", "changes": {"clientOrderId": {"deleted": 1}}}, "is not told whose it is"),
        ],
        ids=["denied", "another order", "no name", "no field"],
    )
    def test_proves_nothing_if_an_unlisted_order_is_not_told(self, buy, make_old, simulator, fault, reason):
        buy("an-order-by-hand")
        make_old()
        simulator.fail({"on": "query", **fault})
        answer = self.look_in_lists("ce0")
        assert isinstance(answer, Unknown)
        assert reason in answer.reason

    def test_proves_nothing_with_many_unlisted_orders(self, buy, make_old, monkeypatch, simulator):
        monkeypatch.setattr(seeking, "_MOST_FETCHED", 2)
        for number in range(3):
            buy(f"by-hand-{number}")
        make_old()
        answer = self.look_in_lists("ce0")
        assert answer == Unknown(reason="lists: 3 orders have trades, and are not in the list of orders")
