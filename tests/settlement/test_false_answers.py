"""A venue that says something false: nothing of it is booked, its coin is bought no more, and staff can decide."""

import json
import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from settlement.metrics import _UNTRUE
from settlement.models import Attempt, AttemptState, BatchState, Finding, InterventionAction, Pause, PauseKind
from settlement.services.claiming import claim_waiting_orders
from settlement.services.intervening.cases import carry_out
from settlement.services.intervening.requests import Figures, request_intervention
from settlement.services.outcomes import book_execution, book_late_fill, presume_not_placed
from settlement.services.pausing import lift_automatic_pauses, lift_pause, pause_for_trouble
from settlement.services.reconciling.comparing import reconcile
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.protocol import Executed
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import wait_for
from tests.settlement.answers_made import as_simulated, make_case
from tests.settlement.conftest import attempts, states
from trading.models import Order, OrderState
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Transaction

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]

SAMPLE = 60
FALSE = [
    ({"cummulativeQuoteQty": "0", "fills.*.price": "0"}, "executed 15.02 for nothing"),
    ({"cummulativeQuoteQty": "24150", "fills": {"deleted": True}}, "cost 24150, but its trades cost 60.08"),
    ({"cummulativeQuoteQty": "24150", "fills.0.price": "1607.85619174"}, "cost 24150"),
    (
        {"cummulativeQuoteQty": {"times": "0.01"}, "fills.*.price": {"times": "0.01"}},
        "cost 0.6008 for 15.02, at least 48.064",
    ),
    ({"fills.*.commissionAsset": None}, "commission in no asset"),
    ({"fills.*.commissionAsset": "BNB"}, "commission in BNB"),
    ({"fills.*.commission": "-0.01502"}, "commission '-0.01502'"),
    ({"fills.*.commission": "1.5"}, "commission of 1.5 coins for 15.02"),
    ({"fills.*.commission": "20"}, "commission of 20 coins for 15.02"),
    ({"fills.*.commission": "4", "fills.*.commissionAsset": "USDT"}, "commission of 4 in the quote asset"),
    ({"executedQty": "fifteen"}, "executed 'fifteen'"),
    ({"executedQty": "1e30"}, "executed '1e30'"),
    ({"executedQty": {"times": "10"}}, "executed 150.2, but its trades are 15.02"),
    (
        {"executedQty": {"times": "10"}, "cummulativeQuoteQty": {"times": "10"}, "fills.0.qty": "150.2"},
        "executed 150.2",
    ),
    ({"executedQty": float("nan")}, "executed 'NaN'"),
    ({"executedQty": float("inf")}, "executed 'Infinity'"),
    ({"cummulativeQuoteQty": 10**40}, "cost '1000000"),
    ({"symbol": "BTCUSDT"}, "the order is one of 'BTC"),
    ({"symbol": "ABNUSDT"}, "the order is one of 'ABNUSDT'"),
    ({"clientOrderId": "ce00000000000000000000000000000000"}, "the answer is about order"),
    ({"side": "SELL"}, "the order is to 'sell'"),
    ({"origQty": "16"}, "an order of 16, asked for 15.02"),
    ({"status": "WHATEVER"}, "status 'WHATEVER'"),
    ({"status": "\x00"}, "status '\\x00'"),
    ({"executedQty": "0", "cummulativeQuoteQty": "0", "fills": []}, "filled, and nothing executed"),
    ({"executedQty": "1.5", "cummulativeQuoteQty": "6", "fills.0.qty": "1.5"}, "filled, but executed 1.5"),
]

TRUE = [
    {"executedQty": 15.02},
    {"executedQty": "1.502e1", "cummulativeQuoteQty": 60.08},
    {"executedQty": "15.0200000000000"},
    {"fills": {"doubled": True}},
    {"fills": []},
    {"fills": {"deleted": True}},
    {"price": {"deleted": True}},
]


@pytest.fixture
def lying(simulator):
    """Let the venue lie about an order for a coin."""

    def tell(changes, *, on="place", coin="ABAN"):
        told(simulator, {"on": on, "action": "lie", "symbol": f"{coin}USDT", "changes": changes})

    return tell


def told(simulator, *rules):
    """Set the rules as JSON that may hold NaN and Infinity."""
    simulator._client.put("/control/faults", content=json.dumps(rules)).raise_for_status()


@pytest.fixture
def bought_with_each(simulator, venue, make_shopper, settings, now):
    """Buy another coin for each of some lies, and return the attempts."""
    configure(settings, "RISK", max_orders=10**6, max_value=Decimal(10**9))

    def buy(lies):
        coins = [f"LIE{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(len(lies))]
        buyer = make_shopper("100000.00")
        simulator.set_prices(**dict.fromkeys(coins, "4.00"))
        rules = zip(coins, lies, strict=True)
        told(simulator, *[{"on": "place", "action": "lie", "symbol": f"{c}USDT", "changes": lie} for c, lie in rules])
        for name in coins:
            coin = make_coin(name, "4.00")
            request = OrderRequest(coin_name=name, amount=None, total=Decimal("60.00"))
            place_order(buyer=buyer.principal, order_request=request, now=now)
            take_next_step(batch_id=claim_waiting_orders(coin_id=coin.pk, now=now).pk, get_venue=lambda _: venue)
        return list(Attempt.objects.select_related("coin", "batch").order_by("pk"))

    return buy


@pytest.fixture
def lie_told(lying, place, settle):
    """A purchase of ABAN about which the venue has lied."""

    def tell(changes, on="place"):
        lying(changes, on=on)
        place("60.00")
        return settle()

    return tell


@pytest.fixture
def decide(venue, admin_user):
    def run(batch, action, figures=None):
        wanted = request_intervention(
            batch=batch,
            action=action,
            reason="seen on the venue's pages",
            requested_by=admin_user,
            now=timezone.now(),
            figures=Figures(**{name: Decimal(value) for name, value in figures.items()}) if figures else None,
        )
        carry_out(intervention_id=wanted.pk, get_venue=lambda _: venue)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    return run


def assert_nothing_is_booked():
    assert not Transaction.objects.filter(kind__in=["fill", "fill_cost"]).exists()
    assert verify_everything() == []


def to_do(kind):
    return [concern for concern in list_to_do(now=timezone.now()) if concern.kind == kind]


class TestAFalseAnswer:
    def test_parks_the_attempt_and_books_nothing(self, bought_with_each):
        counted = _UNTRUE._value.get()
        for (changes, words), attempt in zip(FALSE, bought_with_each([lie for lie, _ in FALSE]), strict=True):
            assert (attempt.state, attempt.batch.state) == (AttemptState.PARKED, BatchState.PARKED), changes
            assert attempt.reason.startswith(words), changes
            assert "orderId" in attempt.answer or "orderId" in attempt.answer["text"], "what the venue said is kept"
            assert Pause.objects.filter(coin=attempt.coin, until=None).exists()
            assert Finding.objects.get(attempt=attempt).theirs == attempt.reason
        assert set(states()) == {"settling"}
        assert _UNTRUE._value.get() == counted + len(FALSE)
        assert_nothing_is_booked()

    def test_of_an_enormous_size_is_kept_in_part(self, lie_told):
        lie_told({"side": "x" * 100_000})
        [attempt] = attempts()
        assert attempt.state == AttemptState.PARKED
        assert len(json.dumps(attempt.answer)) < 30_000

    def test_is_on_the_to_do_page_with_its_evidence_and_the_next_step(self, lie_told):
        batch = lie_told({"cummulativeQuoteQty": "0"})
        [parked] = to_do(ConcernKind.PARKED)
        assert parked.reason == "untrue answer: executed 15.02 for nothing"
        [finding] = to_do(ConcernKind.FINDING)
        assert "an answer that cannot be true: ours 15.02 at 4.04 at most" in finding.reason
        assert "theirs executed 15.02 for nothing" in finding.reason
        assert f"then, in batch {batch.pk}, look the purchase up again" in finding.reason
        [pause] = to_do(ConcernKind.PAUSE)
        assert pause.subject == "buying of ABAN at binance"

    def test_in_the_answer_to_a_look_up_parks_too(self, lying, simulator, place, settle, venue):
        rules = [
            {"on": "place", "action": "accept_then_drop"},
            {"on": "query", "action": "lie", "changes": {"executedQty": "150.2"}},
        ]
        simulator.fail(*rules)
        place("60.00")
        batch = settle()
        assert attempts()[0].state == AttemptState.SENT
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert attempts()[0].state == AttemptState.SENT, "the trades do not add up yet: they may lag"
        simulator.fail({"on": "query", "action": "lie", "changes": {"executedQty": "1.5"}})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert attempts()[0].reason == "executed 1.5, but its trades are 15.02"
        assert attempts()[0].answer["trades"], "the trades are evidence"
        assert_nothing_is_booked()

    def test_with_the_order_of_another_attempt_parks(self, place, settle, lying):
        place("60.00")
        settle()
        lying({"orderId": 1})
        place("30.00")
        settle()
        assert [attempt.state for attempt in attempts()] == [AttemptState.FILLED, AttemptState.PARKED]
        assert attempts()[1].reason == f"the order of {attempts()[0]}"
        assert states() == ["completed", "settling"]

    def test_that_refuses_in_words_that_cannot_be_stored_stops_nothing(self, simulator, place, settle):
        told(simulator, {"on": "place", "action": "reject", "code": -1013, "msg": "Filter failure: LOT_SIZE\x00\ud800"})
        place("60.00")
        settle()
        assert attempts()[0].state == AttemptState.NOT_PLACED
        assert attempts()[0].reason == "400 -1013 Filter failure: LOT_SIZE??"


class TestTheCoin:
    def test_is_bought_no_more_until_staff_lift_the_pause(self, lie_told, simulator, place, claim):
        lie_told({"cummulativeQuoteQty": "0"})
        simulator.fail()
        [pause] = Pause.objects.all()
        assert (pause.coin.name, pause.until, pause.set_by, pause.stops_all_calls) == ("ABAN", None, None, False)
        place("30.00")
        assert claim() is None
        lift_automatic_pauses(venue="binance", coin_id=pause.coin_id)
        pause_for_trouble(venue="binance", coin=pause.coin, reason="no answer", at_least_seconds=1, now=timezone.now())
        assert Pause.objects.get(kind=PauseKind.UNTRUE).until is None, "neither a purchase nor a trouble ends it"
        Pause.objects.filter(kind=PauseKind.TROUBLE).delete()
        assert claim() is None
        lift_pause(pause=pause)
        assert claim() is not None

    def test_is_the_only_one_that_stops(self, lie_told, make_worker, make_shopper, simulator, now):
        lie_told({"cummulativeQuoteQty": "0"})
        make_coin("BETA", "4.00")
        simulator.set_prices(BETA="4.00")
        make_worker(EXCHANGE_URL=simulator.url)
        request = OrderRequest(coin_name="BETA", amount=None, total=Decimal("60.00"))
        order = place_order(buyer=make_shopper().principal, order_request=request, now=now).order
        wait_for(lambda: Order.objects.get(pk=order.pk).state == OrderState.COMPLETED, seconds=30)


class TestATrueAnswer:
    def test_is_booked_in_any_form(self, bought_with_each):
        figures = (Decimal("15.02"), Decimal("60.08"), Decimal("0.01502"))
        for changes, attempt in zip(TRUE, bought_with_each(TRUE), strict=True):
            assert attempt.state == AttemptState.FILLED, f"{changes}: {attempt.reason}"
            assert (attempt.executed, attempt.cost, attempt.commission) == figures, changes
        assert set(states()) == {"completed"}

    def test_with_ten_places_is_rounded_once(self, lie_told):
        lie_told({"fills.*.commission": "0.0150200037"})
        assert (states(), attempts()[0].commission) == (["completed"], Decimal("0.01502001"))

    def test_that_gives_no_figures_is_looked_up(self, lie_told, simulator, venue):
        changes = {name: {"deleted": True} for name in ("status", "executedQty", "cummulativeQuoteQty", "fills")}
        batch = lie_told(changes)
        assert attempts()[0].state == AttemptState.SENT
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]

    def test_of_doubled_trades_in_a_look_up_counts_them_once(self, simulator, place, settle):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop"},
            {"on": "trades", "action": "lie", "changes": {"0.commission": "0.01502"}},
        )
        place("60.00")
        settle(steps=2)
        assert (states(), attempts()[0].commission) == (["completed"], Decimal("0.01502"))


class TestALateAnswer:
    @pytest.fixture
    def given_up(self, simulator, place, settle):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00")
        settle()
        [attempt] = attempts()
        presume_not_placed(attempt=attempt, reason="given up")
        attempt.refresh_from_db()
        return attempt

    @pytest.mark.parametrize(
        ("on", "changes"),
        [("query", {"cummulativeQuoteQty": "0"}), ("trades", {"0.commission": "1.5"}), ("trades", {"0.qty": "99"})],
    )
    def test_that_is_false_is_not_booked(self, given_up, venue, simulator, on, changes, now):
        simulator.fail({"on": on, "action": "lie", "changes": changes})
        recheck_attempt(attempt_id=given_up.pk, get_venue=lambda _: venue)
        reconcile(venue=venue, since=now - timedelta(days=1), now=now + timedelta(hours=1))
        given_up.refresh_from_db()
        assert (given_up.state, Pause.objects.get().until) == (AttemptState.NOT_PLACED, None)
        assert "untrue" in Finding.objects.values_list("kind", flat=True)
        assert given_up.recheck_at is not None, "the truth may come"
        assert_nothing_is_booked()
        simulator.fail()
        recheck_attempt(attempt_id=given_up.pk, get_venue=lambda _: venue)
        given_up.refresh_from_db()
        assert given_up.state == AttemptState.FILLED

    def test_beyond_the_request_is_not_booked(self, given_up):
        execution = Executed(
            venue_order_id="1",
            status="expired",
            final=True,
            quantity=Decimal("150.2"),
            cost=Decimal("600.8"),
            commission=Decimal("0.1502"),
        )
        assert not book_late_fill(attempt=given_up, execution=execution)
        assert Finding.objects.get().theirs == "executed 150.2, asked for 15.02"
        assert_nothing_is_booked()


class TestStaff:
    def test_have_the_truth_booked_when_the_venue_says_it(self, lie_told, decide, simulator):
        batch = lie_told({"cummulativeQuoteQty": "0"})
        simulator.fail()
        assert decide(batch, InterventionAction.LOOK_UP)[0] == "done"
        assert (states(), Pause.objects.count()) == (["completed"], 0)
        finding = Finding.objects.get()
        assert (finding.closed_by.username, finding.note) == ("admin", "seen on the venue's pages")

    def test_book_nothing_while_the_venue_lies(self, lie_told, decide, lying):
        batch = lie_told({"cummulativeQuoteQty": "0"})
        lying({"cummulativeQuoteQty": "0"}, on="query")
        outcome, detail = decide(batch, InterventionAction.LOOK_UP)
        assert "the venue's answer cannot be true: executed 15.02 for nothing" in detail
        for action in (InterventionAction.MARK_NOT_PLACED, InterventionAction.RETRY, InterventionAction.REFUND):
            assert decide(batch, action)[0] == "refused"
        assert (outcome, states(), Pause.objects.count()) == ("done", ["settling"], 1)
        assert_nothing_is_booked()

    @pytest.mark.parametrize(
        ("change", "outcome"),
        [
            ({}, "done"),
            ({"quantity": "15.03"}, "refused"),
            ({"cost": "64.5"}, "refused"),
            ({"commission": "1"}, "refused"),
        ],
    )
    def test_state_figures_that_pass_the_gate(self, lie_told, decide, lying, change, outcome):
        batch = lie_told({"cummulativeQuoteQty": "0"})
        lying({"cummulativeQuoteQty": "0"}, on="query")
        figures = {"quantity": "15.02", "cost": "60.08", "commission": "0.01502"} | change
        assert decide(batch, InterventionAction.MARK_FILLED, figures)[0] == outcome
        assert states() == ["completed" if outcome == "done" else "settling"]
        assert Pause.objects.exists() == (outcome == "refused")


class TestTheDatabase:
    @pytest.mark.parametrize("change", ["executed = 15.03", "cost = 0", "cost = 70"])
    def test_holds_no_fill_beyond_its_request(self, place, settle, change):
        place("60.00")
        settle()
        with pytest.raises(IntegrityError, match="fills_stay_within_the_request"):
            run_as_owner(f"UPDATE settlement_attempt SET {change}")

    def test_is_not_asked_to(self, lie_told):
        lie_told({"cummulativeQuoteQty": "0"})
        [attempt] = attempts()
        false = Executed(
            venue_order_id="1",
            status="closed",
            final=True,
            quantity=Decimal(99),
            cost=Decimal(1),
            commission=Decimal(0),
        )
        assert not book_execution(attempt=attempt, execution=false, from_state=AttemptState.PARKED)
        attempt.refresh_from_db()
        assert attempt.reason == "executed 15.02 for nothing", "the first evidence stays"


def test_a_worker_books_each_true_answer_of_a_sample_and_no_false_one(
    make_worker, make_shopper, simulator, settings, now
):
    """Each of the coins gets another answer; a look-up always gets the truth."""
    configure(settings, "RISK", max_orders=10**6, max_value=Decimal(10**9))
    chance, cases, buyer = random.Random(19), {}, make_shopper("100000.00")
    for number in range(SAMPLE):
        coin = f"LIE{chr(65 + number // 26)}{chr(65 + number % 26)}"
        honest = as_simulated(coin)
        case = cases[coin] = make_case(chance, as_simulated(coin))
        changed = {name: value for name, value in case.answer.items() if value != honest.answer.get(name)}
        case.changes = changed | {name: {"deleted": True} for name in honest.answer.keys() - case.answer.keys()}
        make_coin(coin, "4.00")
    simulator.set_prices(**dict.fromkeys(cases, "4.00"))
    for coin in cases:
        simulator.set_filters(coin, step="0.01", minimum="0.01")
    rules = [
        {"on": "place", "action": "lie", "symbol": f"{coin}USDT", "changes": case.changes}
        for coin, case in cases.items()
        if case.changes
    ]
    told(simulator, *rules)
    for coin in cases:
        request = OrderRequest(coin_name=coin, amount=None, total=Decimal("60.00"))
        place_order(buyer=buyer.principal, order_request=request, now=now)
    make_worker(EXCHANGE_URL=simulator.url, LOOKUP_FIRST_WAIT_SECONDS="0.2")
    ended = [AttemptState.FILLED, AttemptState.PARKED]
    wait_for(lambda: Attempt.objects.filter(state__in=ended).count() == SAMPLE, seconds=90)
    for attempt in Attempt.objects.select_related("coin"):
        case = cases[attempt.coin.name]
        said = f"{attempt.coin}, {case.how}: {attempt.state}, {attempt.reason}\n{case.changes}"
        if case.true:
            assert attempt.state == AttemptState.FILLED, said
        if attempt.state == AttemptState.FILLED:
            assert (attempt.executed, attempt.cost) == (case.executed, case.cost), said
            assert attempt.commission - case.commission < Decimal("0.00000001"), said
        else:
            assert Pause.objects.filter(coin=attempt.coin, until=None).exists(), said
            assert Finding.objects.filter(kind="untrue", attempt=attempt, closed_at=None).exists(), said
    completed = Order.objects.filter(state=OrderState.COMPLETED).count()
    assert completed == Attempt.objects.filter(state=AttemptState.FILLED).count()
    assert 0 < completed < SAMPLE
    connection.close()
