"""No wait and no rule of the venue is unbounded, and a crash before a purchase is sent ends with staff."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from ccxt import binance
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import AttemptState, BatchState, FailingItem, Pause
from settlement.services import sending
from settlement.services.claiming import claim_waiting_orders
from settlement.services.outcomes import presume_not_placed
from settlement.services.pausing import ask_to_call, lift_automatic_pauses, pause_for_trouble
from settlement.services.price_feed import refresh_prices
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.services.sweeping import sweep
from settlement.sizing import ensure_usable
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.markets import markets
from settlement.venues.profiles.binance import BINANCE
from settlement.venues.profiles.refusals import judge_rate_limit
from settlement.venues.profiles.words import Failure, Reply
from settlement.venues.protocol import CoinNotListed, MarketRules, NotPlaced, Trouble, UnusableRules, VenueAway
from settlement.waits import bounded
from tests.configure import configure
from tests.conftest import make_coin
from tests.processes import at_once
from tests.settlement.conftest import ask_to_buy, attempts, batches, end_pauses, new_venue, states
from trading.models import Coin, CoinPrice
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("60000", 60_000),
            ("7", 7),
            ("0.5", 0.5),
            ("-5", 10),
            ("NaN", 10),
            ("inf", 10),
            ("9" * 400, 10),
            ("²", 10),
            ("", 10),
            ("soon", 10),
            ("Thu, 26 Nov 2026 12:01:30 GMT", 90),
            ("Thu, 26 Nov 2026 11:00:00 GMT", 10),
            ("Thu, 26 Nov 2026 12:01:30", 10),
        ],
    )
    def test_is_seconds_or_a_date_and_else_a_default(self, value, seconds):
        headers = {"Retry-After": value, "Date": "Thu, 26 Nov 2026 12:00:00 GMT"}
        assert judge_rate_limit(status=429, headers=headers) == seconds

    @pytest.mark.parametrize("seconds", [60_000, 1e300, float("inf"), float("nan"), -1, None])
    def test_is_bounded_where_it_is_used(self, seconds, settings):
        assert 0 <= bounded(seconds) <= settings.VENUE.max_wait_seconds

    @pytest.mark.parametrize("seconds", [60_000, 1e300, float("inf"), float("nan")])
    def test_never_pauses_for_a_working_day(self, seconds, coin, now, settings):
        until = pause_for_trouble(
            venue="binance", coin=None, reason="calls", at_least_seconds=seconds, now=now, stops_all_calls=True
        )
        assert until - now <= timedelta(seconds=settings.VENUE.max_wait_seconds)

    def test_of_a_ban_grows_up_to_the_longest_wait(self, coin, now, settings):
        configure(settings, "VENUE", max_wait_seconds=20)

        def wait():
            until = pause_for_trouble(
                venue="binance", coin=None, reason="ban", at_least_seconds=1, now=now, stops_all_calls=True
            )
            return (until - now).total_seconds()

        assert [wait() for _ in range(6)] == [1, 2, 4, 8, 16, 20]

    def test_for_orders_alone_does_not_stop_the_reading_of_prices(self, place, settle, simulator, venue, coin, now):
        simulator.fail({"on": "place", "action": "rate_limit", "code": -1015, "retry_after": "60000"})
        place("60.00")
        settle()
        pause = Pause.objects.get()
        assert (pause.coin, pause.stops_all_calls) == (None, False)
        Coin.objects.update(fixed_price=None)
        simulator.set_prices(ABAN="4.10")
        refresh_prices(venues=[venue], now=now)
        assert CoinPrice.objects.get().value == Decimal("4.10")
        assert states() == ["settling"], "nobody is refunded"

    def test_of_a_banned_address_stops_all_calls_whatever_its_code(self):
        answer = BINANCE.judge_refusal(Reply(status=418, headers={"Retry-After": "5"}, body={}), Failure(code="-1015"))
        assert isinstance(answer, NotPlaced)
        assert (answer.trouble, answer.retry_after_seconds) == (Trouble.CALLS, 5)


class TestProbe:
    @pytest.fixture
    def ended_ban(self, now):
        pause_for_trouble(
            venue="binance", coin=None, reason="calls", at_least_seconds=60_000, now=now, stops_all_calls=True
        )
        return now + timedelta(hours=1)

    def test_is_one_call_while_the_others_wait(self, ended_ban, coin):
        permits = at_once(8, lambda _: ask_to_call(venue="binance", now=ended_ban))
        assert sorted(permit.is_probe for permit in permits) == [False] * 7 + [True]
        assert sum(permit.wait_until is None for permit in permits) == 1
        assert ask_to_buy(coin_id=coin.pk, now=ended_ban).wait_until is not None

    def test_that_is_answered_ends_the_pause(self, ended_ban, simulator, venue, coin):
        Coin.objects.update(fixed_price=None)
        refresh_prices(venues=[venue], now=ended_ban)
        assert not Pause.objects.exists()
        assert CoinPrice.objects.get().read_at == ended_ban

    def test_that_is_refused_begins_a_longer_pause(self, ended_ban, simulator, venue, coin):
        Coin.objects.update(fixed_price=None)
        simulator.fail({"action": "rate_limit", "status": 418, "retry_after": "1"})
        refresh_prices(venues=[venue], now=ended_ban)
        [pause] = Pause.objects.all()
        assert (pause.times, pause.until > ended_ban) == (2, True)

    def test_that_is_answered_lifts_no_ban_that_came_meanwhile(self, ended_ban, coin):
        permit = ask_to_call(venue="binance", now=ended_ban)
        assert permit.is_probe
        until = pause_for_trouble(
            venue="binance",
            coin=None,
            reason="ban",
            at_least_seconds=60,
            now=ended_ban + timedelta(seconds=1),
            stops_all_calls=True,
        )
        permit.report_answer()
        lift_automatic_pauses(venue="binance", coin_id=coin.pk)
        assert ask_to_call(venue="binance", now=ended_ban + timedelta(seconds=2)).wait_until == until

    def test_that_is_lost_is_followed_by_another(self, ended_ban):
        assert ask_to_call(venue="binance", now=ended_ban).is_probe
        assert ask_to_call(venue="binance", now=ended_ban + timedelta(seconds=5)).wait_until
        assert ask_to_call(venue="binance", now=ended_ban + timedelta(minutes=1)).is_probe

    def test_may_be_a_purchase(self, place, claim, simulator, venue, now):
        place("60.00")
        batch = claim()
        pause_for_trouble(venue="binance", coin=None, reason="calls", at_least_seconds=1, now=now, stops_all_calls=True)
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), Pause.objects.count()) == (["completed"], 0)

    def test_a_recheck_waits_for_the_end_of_the_pause_too(self, place, settle, simulator, venue, now):

        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00")
        settle()
        [attempt] = attempts()
        presume_not_placed(attempt=attempt, reason="a test")
        pause_for_trouble(
            venue="binance", coin=None, reason="calls", at_least_seconds=60, now=now, stops_all_calls=True
        )
        simulator.fail({"action": "down"})
        recheck_attempt(attempt_id=attempt.pk, get_venue=lambda _: venue)
        assert Pause.objects.get().times == 1, "no call was made"
        attempt.refresh_from_db()
        assert attempt.recheck_at > now


RULES = {
    "quantity_step": Decimal("0.01"),
    "quantity_minimum": Decimal("0.05"),
    "quantity_maximum": Decimal(1000),
    "price_tick": Decimal("0.0001"),
    "notional_minimum": Decimal(5),
}


class TestRules:
    @pytest.mark.parametrize(
        "filters",
        [
            {"tick": "0"},
            {"step": "0"},
            {"maximum": "0"},
            {"notional": "0"},
            {"minimum": "0"},
            dict.fromkeys(("tick", "step", "minimum", "maximum", "notional"), "0"),
        ],
    )
    def test_of_zero_are_no_rules(self, place, settle, simulator, filters):
        simulator.set_filters("ABAN", **filters)
        place("60.00")
        assert (settle().state, states()) == (BatchState.SETTLED, ["completed"])

    @pytest.mark.parametrize(
        "changes",
        [
            {"quantity_step": Decimal("NaN")},
            {"quantity_step": Decimal(-1)},
            {"quantity_step": Decimal(2000)},
            {"quantity_minimum": Decimal(1001)},
            {"quantity_maximum": Decimal("Infinity")},
            {"price_tick": Decimal("-0.1")},
            {"notional_minimum": Decimal("NaN")},
            {"quantity_maximum": Decimal("1e999999")},
        ],
    )
    def test_that_are_absurd_are_refused(self, changes):
        with pytest.raises(UnusableRules):
            ensure_usable(MarketRules(**{**RULES, **changes}))

    def test_that_make_sense_are_not_refused(self):
        ensure_usable(MarketRules(**RULES))

    @pytest.mark.parametrize(
        ("name", "value"), [("amount", "-0.01"), ("amount", "NaN"), ("price", "Infinity"), ("price", "nonsense")]
    )
    def test_that_are_no_numbers_are_refused(self, simulator, venue, name, value):
        venue.read_rules(coin="ABAN")
        markets.of(venue._client)._loaded["ABAN/USDT"]["precision"][name] = value
        with pytest.raises(UnusableRules):
            venue.read_rules(coin="ABAN")

    @pytest.mark.parametrize(
        "filters",
        [
            {"step": "200000"},
            {"minimum": "200000"},
        ],
        ids=["step above maximum", "minimum above maximum"],
    )
    def test_that_cannot_be_used_pause_the_coin_until_they_can(self, place, settle, simulator, now, filters):
        simulator.set_filters("ABAN", **filters)
        place("60.00")
        batch = settle()
        pause = Pause.objects.get()
        assert pause.coin_id == batch.coin_id
        assert "rules that cannot be used" in pause.reason
        assert (states(), simulator.book()) == (["settling"], [])
        assert [concern.kind for concern in list_to_do(now=now)] == [ConcernKind.PAUSE]
        simulator.set_filters("ABAN", tick="0.0001", step="0.01", minimum="0.01", notional="5")
        end_pauses()
        markets.forget()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        assert states() == ["completed"]

    @pytest.mark.parametrize(
        "filters",
        [{"step": "50000"}, {"notional": "1000000"}, {"tick": "1000"}],
        ids=["huge step", "huge notional", "huge tick"],
    )
    def test_that_make_a_purchase_too_dear_let_its_batch_alone_wait(self, place, settle, simulator, now, filters):
        simulator.set_filters("ABAN", **filters)
        place("60.00")
        batch = settle()
        assert not Pause.objects.exists()
        assert (states(), simulator.book()) == (["settling"], [])
        [concern] = list_to_do(now=now)
        assert concern.kind is ConcernKind.WAITING
        assert "cost more than their orders allow" in concern.reason
        simulator.set_filters("ABAN", tick="0.0001", step="0.01", minimum="0.01", notional="5")
        markets.forget()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        assert (states(), list_to_do(now=now)) == (["completed"], [])

    def test_a_clock_ten_years_ahead_is_not_believed(self, place, settle, venue, simulator, monkeypatch):
        monkeypatch.setattr(venue, "read_time", lambda: datetime.now(tz=UTC) + timedelta(days=3650))
        place("60.00")
        settle()
        assert "clock" in Pause.objects.get().reason
        assert (attempts()[0].state, simulator.book()) == (AttemptState.NEW, [])


def spoil_answers(monkeypatch, spoil, *, symbol="ABANUSDT"):
    """Change one entry in the venue's list of markets as it arrives."""
    fetch = binance.publicGetExchangeInfo

    def fetch_spoilt(client, *arguments):
        answer = fetch(client, *arguments)
        entries = [spoil(entry) if entry["symbol"] == symbol else entry for entry in answer["symbols"]]
        return {**answer, "symbols": entries}

    for name in ("publicGetExchangeInfo", "public_get_exchangeinfo"):
        monkeypatch.setattr(binance, name, fetch_spoilt)


class TestListing:
    def test_of_a_coin_after_the_workers_start_is_noticed_before_anybody_is_refunded(
        self, venue, simulator, make_shopper, now
    ):

        venue.read_rules(coin="ABAN")
        coin = make_coin("NEWC", "5.00")
        simulator.set_prices(NEWC="5.00")
        order_request = OrderRequest(coin_name="NEWC", amount=None, total=Decimal("20.00"))
        place_order(buyer=make_shopper().principal, order_request=order_request, now=now)
        batch = claim_waiting_orders(coin_id=coin.pk, now=now)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]

    def test_that_has_ended_refunds_nobody(self, place, settle, venue, simulator):
        venue.read_rules(coin="ABAN")
        simulator.delist("ABAN")
        markets.forget()
        place("60.00")
        batch = settle()
        assert (batch.state, states()) == (BatchState.OPEN, ["settling"])
        pause = Pause.objects.get()
        assert pause.coin_id == batch.coin_id
        assert "list of markets lacks the coin" in pause.reason
        with pytest.raises(CoinNotListed):
            venue.read_rules(coin="ABAN")

    @pytest.mark.parametrize("is_noticed_by_list", [True, False])
    def test_that_is_interrupted_pauses_the_coin_instead_of_a_refund(
        self, place, settle, venue, simulator, is_noticed_by_list
    ):
        venue.read_rules(coin="ABAN")
        simulator.set_status(ABAN="BREAK")
        if is_noticed_by_list:
            markets.forget()
        place("60.00")
        batch = settle()
        assert Pause.objects.get().coin_id == batch.coin_id
        assert states() == ["settling"]
        simulator.set_status(ABAN="TRADING")
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]

    def test_with_one_market_that_cannot_be_read_keeps_the_others(self, venue, simulator, monkeypatch):
        parse = binance.parse_market

        def fail_for_btc(client, market):
            if market["symbol"] == "BTCUSDT":
                raise TypeError("a strange market")
            return parse(client, market)

        monkeypatch.setattr(binance, "parse_market", fail_for_btc)
        markets.forget()
        assert venue.read_rules(coin="ABAN").quantity_step > 0
        with pytest.raises(UnusableRules, match="the market of BTC cannot be read"):
            venue.read_rules(coin="BTC")

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda entry: {**entry, "filters": [None]}, id="absurd filters"),
            pytest.param(lambda entry: {**entry, "symbol": None}, id="no name"),
            pytest.param(lambda entry: [entry], id="another form"),
            pytest.param(lambda entry: {**entry, "baseAsset": None}, id="no coin"),
        ],
    )
    def test_that_is_strange_pauses_the_coin_instead_of_a_refund(
        self, place, settle, venue, simulator, monkeypatch, now, spoil
    ):
        place("60.00")
        spoil_answers(monkeypatch, spoil)
        markets.forget()
        batch = settle()
        pause = Pause.objects.get()
        assert (pause.coin_id, states(), simulator.book()) == (batch.coin_id, ["settling"], [])
        assert "the market of ABAN cannot be read" in pause.reason
        assert [concern.kind for concern in list_to_do(now=now)] == [ConcernKind.PAUSE]
        assert venue.read_prices(coins=["ABAN"])["ABAN"].reason == "its market cannot be read"
        monkeypatch.undo()
        end_pauses()
        markets.forget()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        assert states() == ["completed"]

    def test_of_another_coin_that_is_strange_hides_no_missing_coin(self, place, settle, simulator, monkeypatch):
        place("60.00")
        spoil_answers(monkeypatch, lambda entry: {**entry, "filters": [None]}, symbol="BTCUSDT")
        simulator.delist("ABAN")
        markets.forget()
        settle()
        assert "list of markets lacks the coin" in Pause.objects.get().reason

    def test_that_cannot_be_read_at_all_is_no_proof(self, venue, simulator, monkeypatch):
        simulator.fail({"action": "garbage"})
        markets.forget()
        with pytest.raises(VenueAway):
            venue.read_rules(coin="ABAN")


class TestCrash:
    """A crash before a purchase is sent counts as an attempt that was not placed."""

    def test_is_tried_again_a_limited_number_of_times_and_then_parked(
        self, place, settle, simulator, settings, monkeypatch, now
    ):
        def crash(**_):
            raise ZeroDivisionError

        configure(settings, "SETTLEMENT", max_attempts=3)
        monkeypatch.setattr(sending, "quantity_to_buy", crash)
        place("60.00")
        batch = settle(steps=5)
        assert (batch.state, states(), simulator.book()) == (BatchState.PARKED, ["settling"], [])
        assert [attempt.state for attempt in attempts()] == [AttemptState.NOT_PLACED] * 3
        assert "ZeroDivisionError" in attempts()[0].reason
        [concern] = list_to_do(now=now)
        assert concern.kind == ConcernKind.PARKED

    def test_that_passes_does_no_harm(self, place, settle, simulator, monkeypatch):
        real, crashed = sending.quantity_to_buy, []

        def crash_once(**how):
            if not crashed:
                crashed.append(True)
                raise ZeroDivisionError
            return real(**how)

        monkeypatch.setattr(sending, "quantity_to_buy", crash_once)
        place("60.00")
        assert (settle(steps=2).state, len(simulator.book())) == (BatchState.SETTLED, 1)

    def test_after_the_purchase_was_sent_proves_nothing(self, place, settle, venue, simulator, monkeypatch):
        real = venue.buy

        def buy_and_crash(*, purchase):
            real(purchase=purchase)
            raise ZeroDivisionError

        monkeypatch.setattr(venue, "buy", buy_and_crash)
        place("60.00")
        with pytest.raises(ZeroDivisionError):
            settle()
        assert attempts()[0].state == AttemptState.SENT
        take_next_step(batch_id=batches()[0].pk, get_venue=lambda _: venue)
        assert (states(), len(simulator.book())) == (["completed"], 1)

    def test_of_every_worker_that_runs_the_job_parks_the_batch(self, place, claim, venue, simulator, settings):
        place("60.00")
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue, earlier_runs=settings.JOBS.max_attempts)
        batch.refresh_from_db()
        assert (batch.state, attempts()[0].state, simulator.book()) == (BatchState.PARKED, AttemptState.PARKED, [])
        assert "never sent" in batch.reason

    def test_leaves_no_job_behind_that_runs_for_ever(self, place, settle, simulator, settings, monkeypatch):
        def crash(**_):
            raise ZeroDivisionError

        configure(settings, "SETTLEMENT", max_attempts=1)
        monkeypatch.setattr(sending, "quantity_to_buy", crash)
        place("60.00")
        settle()
        ProcrastinateJob.objects.all()._raw_delete("default")

        sweep(now=datetime.now(tz=UTC) + timedelta(hours=1))
        assert not ProcrastinateJob.objects.exists()
        assert not FailingItem.objects.exists()
