"""Answers that drip, never end or are far too large: each call ends in time, and proves nothing about a sent order."""

import signal
import socket
import threading
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from settlement.clock import database_now
from settlement.models import Attempt, Pause
from settlement.services.stepping import take_next_step
from settlement.turns import take_turn
from settlement.venues import timed
from settlement.venues.ccxt.markets import markets
from settlement.venues.deadlines import Kind, calling
from settlement.venues.measured import MeasuredVenue
from settlement.venues.protocol import Executed, NotPlaced, PurchaseRequest, Unknown, VenueAway
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin, process_environment
from tests.processes import find_lifeline, stopped, wait_for
from tests.settlement.conftest import attempts, new_venue
from tests.slow_venue import EVERY_WAY, SlowVenue
from trading.models import Order, PriceChange
from trading.services.coins import put_on_sale
from wallets.models import Wallet

pytestmark = pytest.mark.django_db(transaction=True)
DEADLINE = 2.0
READS = [
    f"{call} {how}"
    for call in ("ticker", "markets", "time", "orders", "trades")
    for how in ("drip", "drip_headers", "huge", "bomb", "endless_headers", "redirect")
]
MARGIN = 8.0  # for a busy machine; the answers would last ten minutes


@pytest.fixture
def slow(simulator, settings):
    venue = SlowVenue(simulator.url)
    configure(
        settings,
        "VENUE",
        url=venue.url,
        read_timeout_seconds=DEADLINE / 2,
        call_timeout_seconds=DEADLINE,
        list_timeout_seconds=DEADLINE,
        history_timeout_seconds=DEADLINE,
    )
    markets.forget()
    simulator.set_prices(ABAN="4.00")
    yield venue
    venue.close()


@pytest.fixture
def venue(slow):
    asked = MeasuredVenue(new_venue())
    asked.read_rules(coin="ABAN")
    return asked


def purchase(venue, name="ce-deadline-1"):
    signed_at = venue.read_time()
    return PurchaseRequest(
        coin="ABAN",
        client_order_id=name,
        quantity=Decimal(3),
        limit_price=Decimal("4.20"),
        signed_at=signed_at,
        window=timedelta(seconds=5),
    )


def timed_call(call):
    begun = time.monotonic()
    try:
        return call()
    except VenueAway as error:
        return error
    finally:
        assert time.monotonic() - begun < DEADLINE + MARGIN


def found_in_time(venue, wanted):
    """Look a purchase up until the venue's answer is in time: on a busy machine, an honest one may take two seconds."""

    def look_up():
        answer = venue.look_up(coin="ABAN", client_order_id=wanted.client_order_id)
        return isinstance(answer, Executed) and answer

    return wait_for(look_up, seconds=30)


def ordinarily(values, *ordinary):
    """Return the values as parameters. Ordinary runs test only some, `task test:faults` tests all."""
    return [
        pytest.param(value, marks=() if value in ordinary else (pytest.mark.matrix,), id=str(value)) for value in values
    ]


class TestACall:
    @pytest.mark.parametrize("how", ordinarily(EVERY_WAY, "drip", "huge_in_chunks", "bomb", "redirect"))
    def test_about_a_sent_order_ends_in_time_and_proves_nothing(self, slow, venue, simulator, how):
        wanted = purchase(venue)
        slow.spoil("place", how)
        answer = timed_call(lambda: venue.buy(purchase=wanted))
        if how in {"drip_trailers", "endless_trailers"}:
            assert isinstance(answer, Unknown | Executed), "the body was whole before its trailers"
        else:
            assert isinstance(answer, Unknown), answer
        assert wait_for(lambda: len(simulator.book()) == 1), "it was placed all the same"
        slow.heal()
        slow.spoil("query", how)
        found = timed_call(lambda: venue.look_up(coin="ABAN", client_order_id=wanted.client_order_id))
        assert isinstance(found, Unknown | Executed)
        slow.heal()
        assert found_in_time(venue, wanted).quantity == 3

    @pytest.mark.parametrize("case", ordinarily(READS, "ticker drip", "markets bomb", "time drip_headers"))
    def test_that_only_reads_ends_in_time(self, slow, venue, case):
        call, how = case.split()
        wanted = purchase(venue)
        venue.buy(purchase=wanted)
        markets.forget()
        slow.spoil(call, how)
        answer = timed_call(
            {
                "ticker": lambda: venue.read_ask(coin="ABAN"),
                "markets": lambda: venue.read_rules(coin="ABAN"),
                "time": venue.read_time,
                "orders": lambda: venue.list_purchases(coin="ABAN", since=database_now() - timedelta(hours=1)),
                "trades": lambda: venue.look_up(coin="ABAN", client_order_id=wanted.client_order_id),
            }[call]
        )
        assert isinstance(answer, VenueAway | Unknown), answer

    @pytest.mark.parametrize("how", ["gzip", "two_members", "whole"])
    def test_understands_answers_that_are_compressed_or_not(self, slow, venue, how):
        wanted = purchase(venue)
        slow.spoil("place", how)
        assert isinstance(venue.buy(purchase=wanted), Executed)

    @pytest.mark.parametrize("redirected", ["time", "query"])
    def test_after_a_redirect_opens_a_new_connection(self, slow, venue, redirected):
        """The old one may end without a word, and the outcome of a purchase on it would be unknown."""
        wanted = purchase(venue)
        slow.spoil(redirected, "redirect")
        calls = {"time": venue.read_time, "query": lambda: venue.look_up(coin="ABAN", client_order_id="ce-none")}
        assert isinstance(timed_call(calls[redirected]), VenueAway | Unknown)
        slow.heal()
        assert isinstance(venue.buy(purchase=wanted), Executed)

    def test_of_many_requests_ends_with_the_last_that_fits(self, slow, venue):
        """Each request of a look-up is in time: the clock, the order and its trades. All three are not."""
        wanted = purchase(venue)
        venue.buy(purchase=wanted)
        with calling(Kind.ORDER):
            time.sleep(DEADLINE)
            assert isinstance(venue.look_up(coin="ABAN", client_order_id=wanted.client_order_id), Unknown)
        assert found_in_time(venue, wanted)

    def test_waits_for_no_address_that_the_resolver_does_not_find(self, slow, venue, settings, monkeypatch):
        wanted, found = purchase(venue), threading.Event()
        threads = threading.active_count()
        configure(settings, "VENUE", url="http://venue.invalid:80", connect_timeout_seconds=0.3)
        lost = MeasuredVenue(new_venue())
        monkeypatch.setattr(timed.socket, "getaddrinfo", lambda *_, **__: found.wait(60) and [])
        for _ in range(3):
            answer = timed_call(lambda: lost.buy(purchase=wanted))
            assert isinstance(answer, NotPlaced), answer
        assert threading.active_count() <= threads + 1, "all calls wait for one look-up"
        found.set()

    def test_is_not_connected_to_a_server_that_takes_no_connection(self, slow, venue, settings):
        wanted = purchase(venue)
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            held = [socket.socket() for _ in range(4)]
            for line in held:
                line.setblocking(False)  # noqa: FBT003  the socket's own method
                line.connect_ex(("127.0.0.1", port))
            configure(settings, "VENUE", url=f"http://127.0.0.1:{port}", connect_timeout_seconds=0.3)
            answer = timed_call(lambda: MeasuredVenue(new_venue()).buy(purchase=wanted))
            assert isinstance(answer, NotPlaced), answer
            for line in held:
                line.close()


class TestAWaitThatTheVenueAsksFor:
    @pytest.mark.parametrize("how", ordinarily(["whole", "drip", "huge", "bomb"], "whole", "huge"))
    @pytest.mark.parametrize("status", ordinarily([418, 429], 418))
    def test_is_kept_however_its_answer_ends(self, slow, venue, status, how):
        wanted = purchase(venue)
        venue.buy(purchase=wanted)
        for call in ("place", "query", "trades", "time", "ticker"):
            slow.spoil(call, how, status=status, headers={"Retry-After": "15"})
        calls = {
            "place": lambda: venue.buy(purchase=purchase_again(wanted)),
            "query": lambda: venue.look_up(coin="ABAN", client_order_id=wanted.client_order_id),
            "time": venue.read_time,
            "ticker": lambda: venue.read_ask(coin="ABAN"),
        }
        for name, call in calls.items():
            answer = timed_call(call)
            assert answer.retry_after_seconds == 15, (name, answer)
            if name == "place" and how != "whole":
                assert isinstance(answer, Unknown)
        slow.rules = [rule for rule in slow.rules if "myTrades" in rule[0][1]]
        assert timed_call(calls["query"]).retry_after_seconds == 15

    def test_stops_all_calls_also_when_the_answer_to_a_purchase_was_cut(self, slow, venue, place, claim):
        place("12.00")
        batch = claim()
        slow.spoil("place", "drip", status=429, headers={"Retry-After": "15"})
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        pause = Pause.objects.get()
        assert pause.stops_all_calls
        assert timedelta(seconds=10) < pause.until - database_now() <= timedelta(seconds=15)
        assert [attempt.state for attempt in attempts()] == ["sent"]


def purchase_again(wanted):
    return PurchaseRequest(**{**vars(wanted), "client_order_id": "ce-deadline-2"})


class TestTheListOfMarkets:
    def test_serves_on_while_another_thread_reloads_it(self, slow, venue, settings):
        configure(settings, "VENUE", markets_max_age_seconds=0.5)
        slow.spoil("markets", "drip")
        time.sleep(0.6)
        other = threading.Thread(target=lambda: MeasuredVenue(new_venue()).read_rules(coin="ABAN"))
        other.start()
        wait_for(lambda: slow.answering == 1)
        assert venue.read_rules(coin="ABAN").quantity_step
        assert slow.answering == 1, "the old list answered while the new one dripped"
        other.join()

    def test_is_not_believed_to_lack_a_coin_before_it_is_reloaded(self, slow, venue):
        slow.spoil("markets", "drip")
        with pytest.raises(VenueAway):
            venue.read_rules(coin="ELSE")


class TestTurns:
    def test_are_taken_by_one_run_at_a_time(self):
        with take_turn("settle", 1) as first, take_turn("settle", 1) as second, take_turn("settle", 2) as other:
            assert (first.is_mine, second.is_mine, other.is_mine) == (True, False, True)
        assert first.was_wanted
        assert not other.was_wanted
        with take_turn("settle", 1) as third:
            assert third.is_mine


QUICK = {
    "EXCHANGE_READ_TIMEOUT_SECONDS": "6",
    "EXCHANGE_CALL_TIMEOUT_SECONDS": "7",
    "EXCHANGE_LIST_TIMEOUT_SECONDS": "7",
    "LOOKUP_FIRST_WAIT_SECONDS": "0.5",
    "LOOKUP_MAX_WAIT_SECONDS": "1",
    "PAUSE_MAX_SECONDS": "2",
    "NOT_FOUND_MARGIN_SECONDS": "0.5",
    "PRICE_REFRESH_CRON": "* * * * * *",
}
WAYS = {
    "place": ["place"],
    "query": ["place", "query"],
    "trades": ["place", "trades"],
    "ticker": ["ticker"],
}


class TestAWorker:
    def test_settles_other_coins_while_calls_of_every_kind_drip(
        self, slow, simulator, make_worker, make_shopper, place, coin
    ):
        names = [f"{kind.upper()}{number}" for kind in WAYS for number in range(3)]
        simulator.set_prices(**dict.fromkeys([*names, "BETA", "TICK"], "4.00"))
        for name in [*names, "BETA"]:
            make_coin(name, "4.00")
        put_on_sale(name="TICK")
        make_worker(**QUICK, EXCHANGE_URL=slow.url)
        place("12.00", of=make_shopper(), crypto="BETA")
        wait_for(lambda: is_completed("BETA"), seconds=40)
        for name in names:
            for call in WAYS[name.rstrip("012").lower()]:
                slow.spoil(call, "drip", symbol=f"{name}USDT")
            place("12.00", of=make_shopper(), crypto=name)
        slow.spoil("markets", "drip", times=2)
        slow.spoil("time", "drip", times=2)
        wait_for(lambda: slow.answering >= 9, seconds=30)
        assert Attempt.objects.filter(coin__name__in=names, state="filled").count() == 0
        for _ in range(3):
            placed = place("12.00", of=make_shopper(), crypto="BETA")
            wait_for(lambda placed=placed: Order.objects.get(pk=placed.pk).state == "completed", seconds=5)
        simulator.set_prices(TICK="4.10")
        wait_for(lambda: PriceChange.objects.filter(coin__name="TICK", value="4.10").exists(), seconds=10)
        assert slow.answering >= 6, "other coins were settled although more calls dripped than the worker has places"
        slow.heal()
        wait_for(lambda: all(is_completed(name) for name in names), seconds=60)
        for name in names:
            bought = sum(Decimal(order["executedQty"]) for order in simulator.book(name))
            delivered = sum(Order.objects.filter(coin__name=name).values_list("amount", flat=True))
            inventory = Wallet.objects.get(owner=None, role="inventory", asset=name).balance
            assert bought * (1 - Decimal("0.001")) == delivered + inventory
            assert len(simulator.book(name)) == 1
        assert verify_everything() == []

    def test_stays_small_while_answers_have_a_hundred_megabytes(
        self, slow, simulator, make_worker, make_shopper, place, coin
    ):
        worker = make_worker(**QUICK, EXCHANGE_URL=slow.url, EXCHANGE_MARKETS_MAX_AGE_SECONDS="1")
        place("12.00", of=make_shopper())
        wait_for(lambda: is_completed("ABAN"), seconds=40)
        usual = memory(worker.pid, "VmRSS")
        for call, how in (("place", "huge_in_chunks"), ("query", "bomb"), ("trades", "huge"), ("markets", "bomb")):
            slow.spoil(call, how)
        placed = place("12.00", of=make_shopper())
        wait_for(lambda: Attempt.objects.filter(state="sent", lookups__gte=2).exists(), seconds=40)
        wait_for(lambda: sum("exchangeInfo" in path for _, path in slow.served[-40:]) > 2, seconds=40)
        assert memory(worker.pid, "VmHWM") < 2 * usual
        slow.heal()
        wait_for(lambda: Order.objects.get(pk=placed.pk).state == "completed", seconds=40)
        assert len(simulator.book("ABAN")) == 2
        assert verify_everything() == []


class TestAWorkerThatStandsStill:
    @pytest.mark.parametrize("queue", ordinarily(["loop", "rechecks"], "loop"))
    def test_ends_with_an_exit_code_and_says_why(self, slow, tmp_path, queue, transactional_db):
        """A task blocks the event loop, or tasks occupy all places of a lane while others are due."""
        from wallets.runtime.jobs import defer_job

        for _ in range(4):
            defer_job(task=f"tests.block_{queue}", queue="ops" if queue == "loop" else queue)
        log = tmp_path / "worker.log"
        with stopped(start_worker(log, WORKER_STANDSTILL_SECONDS="3", EXCHANGE_URL=slow.url)) as worker:
            assert worker.wait(60) == 70
        text = log.read_text()
        assert ("event loop has stood still" if queue == "loop" else "no job for rechecks") in text
        assert "in block_" in text, "the stacks of its threads show where"

    @pytest.mark.matrix  # ordinary runs freeze the worker of a stack
    def test_is_killed_if_it_cannot_end_itself(self, slow, tmp_path, place):
        log = tmp_path / "worker.log"
        with stopped(start_worker(log, WORKER_STANDSTILL_SECONDS="3", EXCHANGE_URL=slow.url)) as worker:
            place("12.00")
            wait_for(lambda: is_completed("ABAN"), seconds=40)
            worker.send_signal(signal.SIGSTOP)
            assert worker.wait(40) == -signal.SIGKILL
        assert f"worker {worker.pid} has been frozen" in log.read_text()

    @pytest.mark.matrix
    def test_is_no_worker_that_has_nothing_to_do(self, slow, tmp_path, place):
        log = tmp_path / "worker.log"
        with stopped(start_worker(log, WORKER_STANDSTILL_SECONDS="2", EXCHANGE_URL=slow.url)) as worker:
            lifeline = wait_for(lambda: find_lifeline(worker.pid), seconds=30)
            time.sleep(6)
            place("12.00")
            wait_for(lambda: is_completed("ABAN"), seconds=20)
            assert worker.poll() is None
            assert find_lifeline(worker.pid) == lifeline
        wait_for(lambda: not Path(f"/proc/{lifeline}").exists(), seconds=10)


def start_worker(log, **environment):
    from exchange_site.stack.processes import WORKER, start

    module = {"DJANGO_SETTINGS_MODULE": "tests.settlement.blocking"}
    quick = {"SWEEP_CRON": "* * * * * *", "SWEEP_AFTER_SECONDS": "1"}
    return start(WORKER, environment=process_environment(**module, **quick, **environment), output=log)


def is_completed(name):
    orders = Order.objects.filter(coin__name=name)
    return orders.exists() and not orders.exclude(state="completed").exists()


def memory(pid, name):
    """Return a size of the process in KiB: VmRSS is the present one, VmHWM the largest since its start."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name)))
