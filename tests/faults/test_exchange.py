"""A venue that refuses, loses answers, gives wrong ones and goes down. Each case has a coin; all cases run at once."""

import time
from contextlib import contextmanager, suppress

import pytest

from tests.faults.matrix import LOAD, ONCE, each, in_dialects
from tests.faults.trade import Trade
from tests.faults.truths import (
    assert_all_truths,
    await_the_end_of,
    batches_in_doubt,
    has_ended,
    is_quiet,
    was_bought_again,
)
from tests.processes import wait_for
from trading.models import Order

pytestmark = pytest.mark.timeout(900)  # all cases of a kind are played in the first one

AGAIN = "again and again"
NO_FUNDS = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
NO_IDEA = {"code": -1006, "msg": "An unexpected response was received from the message bus."}

# The simulator's rule for each case, applied when an order is placed.
ON_PLACING = {
    "accepted, then the connection is cut": {"action": "accept_then_drop"},
    "accepted, then silence": {"action": "accept_then_hang", "wait": 3},
    "accepted, then a 502": {"action": "accept_then_500"},
    "accepted, then garbage": {"action": "garbage"},
    "the connection is cut before": {"action": "drop"},
    "refused for good": {"action": "reject"},
    "refused for want of funds": {"action": "reject", **NO_FUNDS},
    "an error that says nothing": {"action": "reject", **NO_IDEA},
    "too many requests": {"action": "rate_limit"},
    "filled partly": {"action": "partial"},
    "accepted after we have hung up": {"action": "delay", "wait": 1.2},
    "arrives too late": {"action": "delay"},
}
# The longest cases come first, because they determine the time of the whole run.
REFUND_AGAINST_LATE_FILL = "bought, denied for long, the next one refused, and found after the refund"
DENIED_FOR_LONG = "bought, and denied until it was bought again"
DENIED = "bought, and denied for a moment"
DOWN = "away for some seconds"
LIES = (REFUND_AGAINST_LATE_FILL, DENIED_FOR_LONG, DENIED, DOWN, *ON_PLACING)
LATE = {REFUND_AGAINST_LATE_FILL, DENIED_FOR_LONG}
REFUNDED = {REFUND_AGAINST_LATE_FILL, "refused for good"}
# Nothing tells such a purchase from one that is denied. After a second one in a row, the batch would wait for staff.
DENIED_WITHOUT_A_LIE = {"the connection is cut before", "an error that says nothing", "arrives too late"}


def rules_of(name, mode, trade):
    times, late = 1 if mode == ONCE else 3, {"wait": trade.world.dialect.too_late_seconds}
    return [
        {"symbol": trade.symbol, **(late if rule["action"] == "delay" else {}), **rule}
        for rule in _rules_of(name, times)
    ]


def _rules_of(name, times):
    unanswered = {"on": "place", "action": "accept_then_drop", "times": times}
    if name == DOWN:
        return [{"action": "down", "seconds": 3 * times}]
    if name == DENIED:
        return [unanswered, {"on": "query", "action": "not_found", "times": 1}]
    if name == DENIED_FOR_LONG:
        # For all queries and lists, until the orders have ended. After a second denial, the batch would wait for staff.
        return [
            {**unanswered, "times": 1},
            *({"on": each, "action": "not_found"} for each in ("query", "list", "trades")),
        ]
    if name == REFUND_AGAINST_LATE_FILL:
        [once, *denials] = _rules_of(DENIED_FOR_LONG, times)
        return [once, {"on": "place", "action": "reject"}, *denials]
    rule = ON_PLACING[name]
    placing = [{"on": "place", "times": 1 if name in DENIED_WITHOUT_A_LIE else times, **rule}]
    return placing if times == 1 else [*placing, {"on": "query", "times": times, **rule}]


@pytest.fixture(scope="module")
def lied_to(request, _world, django_db_blocker):
    """Run the trades of all selected cases without load at the same time, and wait until all have ended."""
    selected = [
        item.callspec.params
        for item in request.session.items
        if item.originalname == "test_orders_survive_a_venue_that_gives_wrong_answers"
    ]
    wanted = [(case["name"], case["kind"], case["mode"]) for case in selected]
    with django_db_blocker.unblock(), _world.connected():
        _world.settle_in()
        trades = {case: make_trade(_world, *case) for case in wanted}
        _world.venue.fail(*(rule for case, trade in trades.items() for rule in rules_of(case[0], case[2], trade)))
        for trade in trades.values():
            trade.start()
        for trade in trades.values():
            trade.join()
        wait_for_all(trades, has_ended_while_it_lied)
        _world.venue.fail()
        wait_for_all(trades, is_quiet)
    return trades


def has_ended_while_it_lied(trade):
    """A purchase whose answer is an id alone is asked for, too: it ends only when the venue denies it no more."""
    return (trade.late_fills and was_bought_again(trade)) or has_ended(trade)


def wait_for_all(trades, condition):
    with suppress(AssertionError):  # the case's own test reports the failure
        wait_for(lambda: all(condition(trade) for trade in trades.values()), seconds=200)


def make_trade(world, name, kind, _mode):
    trade = Trade(world, kind)
    trade.late_fills = name in LATE
    return trade


@pytest.mark.dialects
@each(*LIES, modes=(ONCE, AGAIN))
def test_orders_survive_a_venue_that_gives_wrong_answers(lied_to, world, name, kind, mode):
    trade = lied_to[name, kind, mode]
    world.unchecked.append(trade)
    assert_all_truths(world, seconds=5)
    states = set(Order.objects.filter(coin=trade.coin).values_list("state", flat=True))
    assert states == ({"refunded"} if name in REFUNDED else {"completed"})


def lying(name):
    """Make a fault in which the venue gives wrong answers, a few times or for a few seconds."""

    @contextmanager
    def fault(world, trade):
        rules = rules_of(name, ONCE, trade)
        lasting = max([rule.get("seconds", 0) for rule in rules])
        world.venue.fail(*rules)
        begun = time.monotonic()
        yield
        with suppress(AssertionError):  # another rule may have applied instead
            wait_for(lambda: all(rule["applied"] for rule in world.venue.faults()), seconds=5)
        if name in DENIED_WITHOUT_A_LIE:
            await_the_end_of(batches_in_doubt(trade), world)
        time.sleep(max(0, begun + lasting - time.monotonic()))

    return fault


@pytest.mark.matrix
@each(*(under_load := sorted({*ON_PLACING, DENIED, DOWN})), modes=(LOAD,), dialects=under_load)
def test_orders_under_load_survive_a_venue_that_gives_wrong_answers(suffer, name, kind, mode):
    suffer(lying(name), kind, mode)


@contextmanager
def simulator_killed(world, trade):
    """Kill the simulator. It keeps every sale, because its book is on disk."""
    yield
    with world.supervisor.without("simulator"):
        time.sleep(1)
    world.wait_for(world.venue.answers)


@contextmanager
def answers_of_the_venue_lost(world, trade):
    with world.to_venue.muted():
        yield
        time.sleep(2)


@contextmanager
def requests_to_the_venue_delivered_late(world, trade):
    with world.to_venue.held():
        yield
        time.sleep(2.5)


@contextmanager
def requests_to_the_venue_lost(world, trade):
    with world.to_venue.held(then_cut=True):
        yield
        time.sleep(1.5)


FAULTS = {
    "killed": simulator_killed,
    "its answers are lost": answers_of_the_venue_lost,
    "requests arrive late": requests_to_the_venue_delivered_late,
    "requests are lost": requests_to_the_venue_lost,
}


@each(*FAULTS, dialects=FAULTS)
def test_orders_survive_a_broken_connection_to_the_venue(suffer, name, kind, mode):
    suffer(FAULTS[name], kind, mode)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", [in_dialects("large"), "pool"])
def test_orders_survive_a_venue_that_is_down_for_a_minute(suffer, kind):
    @contextmanager
    def away(world, trade):
        with world.supervisor.without("simulator"):
            yield
            time.sleep(60)
        world.wait_for(world.venue.answers)

    suffer(away, kind, ONCE, seconds=60)
