"""Prices of the venue as they are read, and the second source that confirms a jump, over real sockets."""

import json
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from django.conf import settings
from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from exchange_site.simulator.lying import lie
from settlement import tasks
from settlement.clock import database_now
from settlement.jobs import BOOKS_TASK, CONFIRM_TASK, refresh_books_later
from settlement.models import BOOK_READING, SECOND_READING, FailingItem
from settlement.services import venue_clock
from settlement.services.price_feed import confirm_prices, refresh_books, refresh_prices
from settlement.services.venue_clock import forget_clock_offset, read_clock_offset
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from settlement.venues.ccxt.second import CcxtSecondSource, find_fault_of_source, forget_markets
from settlement.venues.profiles.binance import BINANCE
from settlement.venues.protocol import (
    VenueAway,
)
from settlement.venues.quotes import NoPrice
from tests.configure import configure
from tests.settlement.conftest import new_venue
from trading.models import Coin, CoinPrice, Order, Suspension
from trading.offers import load_offer
from trading.services.coins import put_on_sale

pytestmark = pytest.mark.django_db(transaction=True)


class _Source(BaseHTTPRequestHandler):
    """Public answers of OKX ("Get instruments", "Get ticker") and Kraken ("Get tradable asset pairs", "Get ticker")."""

    def do_GET(self):
        body = json.dumps(self.server.answer(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def served(answer):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Source)
    server.answer = answer
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def market(simulator, venue, settings):
    """Two coins at the prices of the simulator, whose tickers pass through a server that can lie about them."""
    simulator.set_prices(ABAN="4.00", BETA="5.00")
    for name in ("ABAN", "BETA"):
        put_on_sale(name=name)
    simulator.lies = {}

    def answer(path):
        body = httpx.get(f"{simulator.url}{path}").json()
        return lie(body, simulator.lies) if "/ticker/24hr" in path else body

    with served(answer) as url:
        configure(settings, "VENUE", url=url)
        yield simulator


def refresh(now, *, venue=None):
    markets.forget()
    refresh_prices(venues=[venue or new_venue()], now=now)
    refresh_books(venues=[venue or new_venue()], now=now)
    return {price.coin.name: price for price in CoinPrice.objects.select_related("coin")}


def tell(market, **changes):
    """Let the ticker of ABAN say something else, in the list of all coins and alone."""
    market.lies = {f"0.{name}": value for name, value in changes.items()} | changes


class TestReadingPrices:
    def test_takes_the_ask_and_keeps_bid_and_last(self, market, now):
        tell(market, bidPrice="3.99", askPrice="4.01", lastPrice="3.95")
        price = refresh(now)["ABAN"]
        assert (price.bid, price.value, price.last) == (Decimal("3.99"), Decimal("4.01"), Decimal("3.95"))
        assert load_offer(coin_name="ABAN").price == Decimal("4.03408409"), "4.01 x 1.005 / 0.999"

    @pytest.mark.parametrize(
        ("bid", "ask"),
        [
            ("0", "4.00"),
            ("4.00", "0.00000000"),
            ("-4.00", "4.00"),
            ("4.00", "-4.00"),
            ("4.01", "4.00"),
            ("NaN", "4.00"),
            ("4.00", "Infinity"),
            ("4.00", "4e0"),
            ("4,00", "4.00"),
            (" 4.00", "4.00"),
            ("４.00", "4.00"),
            ("4.00", "0x4"),
            ("4.00", ""),
            ("4.00", None),
            ("4.00", True),
            ("4.00", ["4.00"]),
            ("4.00", {"price": "4.00"}),
            ({"deleted": True}, "4.00"),
        ],
    )
    def test_lets_one_coin_s_bad_prices_stop_no_other(self, market, now, bid, ask):
        refresh(now - timedelta(seconds=30))
        market.set_prices(BETA="5.10")
        tell(market, bidPrice=bid, askPrice=ask)
        prices = refresh(now)
        assert prices["BETA"].value == Decimal("5.10")
        assert (prices["ABAN"].value, prices["ABAN"].read_at) == (4, now - timedelta(seconds=30))
        assert [row.item for row in FailingItem.objects.all()] == ["ABAN"]

    @pytest.mark.parametrize("work", ["follow_previous_release", "record_closed_markets"])
    def test_lets_no_work_on_the_side_stop_the_prices(self, market, now, monkeypatch, work):
        refresh(now)
        CoinPrice.objects.filter(coin__name="BETA").update(suspended_at=now, candidate=9, candidate_readings=1)

        def fail(**_):
            raise RuntimeError("a fault")

        monkeypatch.setattr(f"settlement.services.price_feed.{work}", fail)
        later = now + timedelta(seconds=10)
        assert refresh(later)["ABAN"].read_at == later
        assert "a fault" in FailingItem.objects.get().error

    @pytest.mark.parametrize(("bid", "ask"), [(3.99, 4.01), ("3.99", 4.01), (4, 4)])
    def test_takes_numbers_as_well_as_text(self, market, now, bid, ask):
        tell(market, bidPrice=bid, askPrice=ask)
        assert refresh(now)["ABAN"].value == Decimal(str(ask))

    def test_takes_a_tiny_number_however_the_venue_writes_it(self, market, now):
        tell(market, bidPrice=1.2e-9, askPrice=1.2345e-9, lastPrice=1.2e-9)
        assert refresh(now)["ABAN"].value == Decimal("0.0000000012345")

    def test_does_not_sell_at_a_price_of_an_hour_ago(self, market, now, api, shopper):
        refresh(now - timedelta(seconds=50))
        tell(market, closeTime=int(time.time() * 1000) - 3_600_000)
        prices = refresh(now)
        assert prices["ABAN"].read_at == now - timedelta(seconds=50)
        assert prices["BETA"].read_at == now
        later = now + timedelta(seconds=11)
        assert not load_offer(coin_name="ABAN").is_available(now=later)
        assert load_offer(coin_name="BETA").is_available(now=later)
        CoinPrice.objects.filter(coin__name="ABAN").update(read_at=now - timedelta(seconds=61))
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (503, "price_unavailable")
        assert not Order.objects.exists()

    def test_ages_a_price_by_the_venue_s_own_time(self, market, now):
        tell(market, closeTime=int(time.time() * 1000) - 40_000)
        refresh(now)
        assert load_offer(coin_name="ABAN").is_available(now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now + timedelta(seconds=25))

    def test_refuses_a_time_that_is_ahead(self, market, now):
        tell(market, closeTime=int(time.time() * 1000) + 60_000)
        assert set(refresh(now)) == {"BETA"}

    @pytest.mark.parametrize(
        "told",
        [-(10**30), -62135596800000, -1, 0, 1, True, 946684799999, 4102444800000, 10**18, 10**30, 1.7e300],
    )
    def test_lets_an_absurd_time_stop_no_other_coin(self, market, now, told):
        refresh(now - timedelta(seconds=30))
        market.set_prices(BETA="5.10")
        tell(market, closeTime=told)
        prices = refresh(now)
        assert prices["BETA"].value == Decimal("5.10")
        assert prices["ABAN"].read_at == now - timedelta(seconds=30), "a time that is none makes no price current"
        assert [row.item for row in FailingItem.objects.all()] == ["ABAN"]

    @pytest.mark.parametrize(
        "told", ["", "soon", "NaN", "Infinity", "9" * 400, ["1"], {"a": 1}, [], "１７００００００００００００"]
    )
    def test_lets_no_shape_of_a_time_stop_another_coin(self, market, now, told):
        refresh(now - timedelta(seconds=30))
        market.set_prices(BETA="5.10")
        tell(market, closeTime=told)
        assert refresh(now)["BETA"].value == Decimal("5.10")

    @pytest.mark.parametrize("told", [{"deleted": True}, None])
    def test_lets_our_receipt_count_without_a_time(self, market, now, told):
        tell(market, closeTime=told)
        price = refresh(now)["ABAN"]
        assert (price.quoted_at, price.read_at) == (None, now)


class _TimelessProfile(type(BINANCE)):
    """Of a venue whose tickers tell no time at which they held."""

    quote_time = None


def timeless_venue():
    return CcxtVenue(profile=_TimelessProfile(), config=settings.VENUE)


class TestABookWithoutATime:
    @pytest.fixture
    def venue_without_times(self, market):
        return timeless_venue()

    def test_is_asked_for_anew_when_it_stays_the_same(self, market, venue_without_times, now):
        refresh(now, venue=venue_without_times)
        later = now + timedelta(seconds=61)
        price = refresh(later, venue=venue_without_times)["ABAN"]
        assert later <= price.read_at <= later + timedelta(seconds=60)
        assert price.book_at == price.read_at

    def test_is_not_current_when_the_book_does_not_answer(self, market, venue_without_times, now):
        refresh(now, venue=venue_without_times)
        later = now + timedelta(seconds=61)
        market.set_prices(BETA="5.10")
        venue_without_times.read_book = lambda coin: NoPrice(f"no book of {coin}")
        prices = refresh(later, venue=venue_without_times)
        assert prices["ABAN"].read_at == now
        assert prices["BETA"].value == Decimal("5.10")

    def test_gives_way_to_the_book_that_was_asked_for(self, market, venue_without_times, now):
        refresh(now, venue=venue_without_times)
        market.set_prices(ABAN="4.10")
        tell(market, bidPrice="4.00", askPrice="4.00")  # a list that is not kept up to date; the book is
        prices = refresh(now + timedelta(seconds=61), venue=venue_without_times)
        assert prices["ABAN"].value == Decimal("4.10")


def enqueued():
    return sorted(ProcrastinateJob.objects.values_list("task_name", "queueing_lock", "status"))


BOOKS = (BOOKS_TASK, "refresh_books", "todo")
CONFIRM = (CONFIRM_TASK, "confirm_prices", "todo")


class TestJobsForBooksAndForTheSecondSource:
    """A reading of the prices enqueues them when there is something to do, and no clock does."""

    @pytest.fixture(autouse=True)
    def source(self, settings):
        configure(settings, "VENUE", check_id="okx")

    def read(self, now, *, venue=None):
        markets.forget()
        refresh_prices(venues=[venue or new_venue()], now=now)

    def suspend(self, market, now, *, price="4.40"):
        refresh(now)
        market.set_prices(ABAN=price)
        for seconds in (1, 2):
            self.read(now + timedelta(seconds=seconds))
        assert enqueued() == [], "three readings must agree"
        self.read(now + timedelta(seconds=3))

    def test_are_not_enqueued_while_all_is_well(self, market, now):
        for seconds in (0, 30, 61):
            self.read(now + timedelta(seconds=seconds))
        market.fail({"on": "ticker", "action": "down"})
        self.read(now + timedelta(seconds=70))
        assert enqueued() == []
        assert {BOOKS_TASK, CONFIRM_TASK}.isdisjoint(name for name, _ in app.periodic_registry.periodic_tasks)

    def test_are_enqueued_once_for_a_frozen_book(self, market, now):
        venue = timeless_venue()
        self.read(now, venue=venue)
        assert enqueued() == []
        for seconds in (61, 71):
            self.read(now + timedelta(seconds=seconds), venue=venue)
            assert enqueued() == [BOOKS]
        refresh_books(venues=[venue], now=now + timedelta(seconds=72))
        ProcrastinateJob.objects.all()._raw_delete("default")
        self.read(now + timedelta(seconds=81), venue=venue)
        assert enqueued() == [], "the book was asked for"

    def test_are_not_enqueued_for_a_book_that_moves_at_last_or_is_not_for_sale(self, market, now):
        venue = timeless_venue()
        self.read(now, venue=venue)
        market.set_prices(ABAN="4.01", BETA="5.01")
        self.read(now + timedelta(seconds=61), venue=venue)
        Coin.objects.update(is_sold=False)
        self.read(now + timedelta(seconds=200), venue=venue)
        assert enqueued() == []

    def test_are_enqueued_once_for_a_suspect_price(self, market, now):
        self.suspend(market, now)
        assert enqueued() == [CONFIRM]
        self.read(now + timedelta(seconds=4))
        assert enqueued() == [CONFIRM]

    def test_are_not_enqueued_for_a_price_that_only_staff_may_believe(self, market, now):
        self.suspend(market, now, price="0.40")
        assert enqueued() == []

    def test_are_not_enqueued_without_a_second_source(self, market, now, settings):
        configure(settings, "VENUE", check_id="")
        self.suspend(market, now)
        assert enqueued() == []

    @pytest.mark.parametrize("fault", [VenueAway("away"), ZeroDivisionError()])
    def test_are_enqueued_although_the_venue_does_not_answer(self, market, now, fault):
        venue = timeless_venue()
        self.read(now, venue=venue)
        market.set_prices(ABAN="4.40")
        for seconds in (1, 2, 3):
            self.read(now + timedelta(seconds=seconds), venue=venue)
        ProcrastinateJob.objects.all()._raw_delete("default")

        def fail(coins):
            raise fault

        venue.read_prices = fail
        with suppress(ZeroDivisionError):
            self.read(now + timedelta(seconds=62), venue=venue)
        assert enqueued() == [CONFIRM, BOOKS]

    def test_are_enqueued_until_what_failed_no_longer_needs_them(self, market, now):
        row = {"error": "away", "since": now, "last_at": now, "retry_at": now}
        for what in (BOOK_READING, SECOND_READING):
            FailingItem.objects.create(what=what, item="ABAN", **row)
        self.read(now)
        assert enqueued() == [CONFIRM, BOOKS]
        tasks.refresh_books(timestamp=0)
        tasks.confirm_prices(timestamp=0)
        assert not FailingItem.objects.exists()

    def test_leave_the_transaction_alone_that_enqueues_them_twice(self, market, now):
        with transaction.atomic():
            refresh_books_later()
            refresh_books_later()
            put_on_sale(name="GAMMA")
        assert enqueued() == [BOOKS]
        assert Coin.objects.filter(name="GAMMA").exists()

    def test_are_enqueued_while_an_earlier_one_runs_or_died_with_its_worker(self, market, now):
        """Of two at once the later is left out, as of periodic ones."""
        refresh_books_later()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        refresh_books_later()
        assert [status for *_, status in enqueued()] == ["doing", "todo"]
        assert "timestamp" in ProcrastinateJob.objects.get(status="todo").args


def okx(*, ask, age=0.0, quote="USDT"):
    def answer(path):
        if "instruments" in path:
            of_aban = {"instType": "SPOT", "instId": f"ABAN-{quote}", "baseCcy": "ABAN", "quoteCcy": quote}
            empty = dict.fromkeys(("ctVal", "ctMult", "ctValCcy", "settleCcy", "uly", "expTime", "lever"), "")
            sizes = {"tickSz": "0.0001", "lotSz": "0.01", "minSz": "0.01", "state": "live", "listTime": "1548133413000"}
            return {"code": "0", "msg": "", "data": [{**of_aban, **empty, **sizes}] if "SPOT" in path else []}
        ticker = {"instType": "SPOT", "instId": f"ABAN-{quote}", "last": "9", "bidPx": "0.01", "askPx": ask}
        return {"code": "0", "msg": "", "data": [{**ticker, "ts": str(int((time.time() - age) * 1000))}]}

    return answer


def kraken(path):
    if "AssetPairs" in path:
        pair = {"altname": "ABANUSD", "wsname": "ABAN/USD", "base": "ABAN", "quote": "ZUSD", "pair_decimals": 4}
        pair |= {"lot_decimals": 8, "lot": "unit", "aclass_base": "currency", "fees": [], "fees_maker": []}
        pair |= {"ordermin": "1", "costmin": "0.5", "tick_size": "0.0001", "status": "online"}
        return {"error": [], "result": {"ABANUSD": pair}}
    if "Ticker" in path:
        book = {"a": ["4.41", "1", "1.000"], "b": ["4.40", "1", "1.000"], "c": ["4.40", "1"]}
        day = {name: ["1", "1"] for name in "vphl"}
        return {"error": [], "result": {"ABANUSD": {**book, **day, "t": [1, 1], "o": "4.40"}}}
    return {"error": [], "result": {}}


@pytest.fixture
def second(settings):
    """Make a second source over ccxt's own client, at a server of the test."""
    forget_markets()

    def make(url, name="okx"):
        configure(settings, "VENUE", url=url)
        return CcxtSecondSource(name=name, url=settings.VENUE.url, quote_asset=settings.VENUE.quote_asset)

    yield make
    forget_markets()


class TestASecondSource:
    @pytest.fixture
    def jumped(self, market, now):
        refresh(now)
        market.set_prices(ABAN="4.40")
        for seconds in (1, 2, 3):
            refresh(now + timedelta(seconds=seconds))
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        return market

    @pytest.mark.parametrize("quote", ["USDT", "USD", "USDC"])
    def test_confirms_a_jump_with_its_ask_in_dollars(self, jumped, now, second, quote):
        with served(okx(ask="4.43", quote=quote)) as url:
            confirm_prices(second=second(url), now=now)
        assert load_offer(coin_name="ABAN").ensure_price(now=now) == Decimal("4.42642643")
        assert Suspension.objects.get().outcome == "confirmed"

    @pytest.mark.parametrize(
        "told",
        [{"ask": "4.00"}, {"ask": "4.43", "age": 61.0}, {"ask": "4.43", "quote": "EUR"}, {"ask": "NaN"}, {"ask": ""}],
    )
    def test_confirms_nothing_when_it_disagrees_or_is_old_or_not_in_dollars(self, jumped, now, second, told):
        with served(okx(**told)) as url:
            confirm_prices(second=second(url), now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert FailingItem.objects.get(what="second source").item == "ABAN"

    def test_confirms_nothing_when_it_does_not_answer(self, jumped, now, second):
        with pytest.raises(VenueAway):
            second("http://127.0.0.1:9").read_price(coin="ABAN")
        confirm_prices(second=second("http://127.0.0.1:9"), now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now)

    def test_is_not_asked_about_a_crash_that_only_staff_may_believe(self, market, now, second):
        refresh(now)
        market.set_prices(ABAN="0.40")
        for seconds in range(1, 6):
            refresh(now + timedelta(seconds=seconds))
        with served(okx(ask="0.40")) as url:
            confirm_prices(second=second(url), now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert Suspension.objects.get().second is None

    def test_confirms_nothing_without_a_time(self, jumped, now, second):
        with served(kraken) as url:
            source = second(url, name="kraken")
            assert source.read_price(coin="ABAN") == NoPrice("its price has no time, so it may be old")
            confirm_prices(second=source, now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert Suspension.objects.get().second is None

    @pytest.mark.parametrize(
        "told",
        [
            {"bidPx": "4.50", "askPx": "4.40"},
            {"bidPx": "4.39", "askPx": ""},
            {"bidPx": "", "askPx": "4.40"},
            {"bidPx": "4.39", "askPx": "0"},
            {"bidPx": "-1", "askPx": "4.40"},
            {"ts": ""},
            {"ts": "0"},
            {"ts": "-62135596800000"},
            {"ts": "9" * 30},
            {"instId": "BETA-USDT"},
        ],
    )
    def test_confirms_nothing_with_half_a_book_or_an_absurd_time(self, jumped, now, second, told):
        def answer(path):
            body = okx(ask="4.40")(path)
            if "ticker" in path:
                body["data"][0] |= {"bidPx": "4.39", "last": "4.40"} | told
            return body

        with served(answer) as url:
            confirm_prices(second=second(url), now=now)
        assert not load_offer(coin_name="ABAN").is_available(now=now)
        assert Suspension.objects.get().second is None

    def test_may_have_a_last_price_alone(self, jumped, now, second):
        def answer(path):
            body = okx(ask="")(path)
            if "ticker" in path:
                body["data"][0] |= {"bidPx": "", "last": "4.40"}
            return body

        with served(answer) as url:
            confirm_prices(second=second(url), now=now)
        assert Suspension.objects.get().outcome == "confirmed"

    @pytest.mark.parametrize(
        ("name", "venue", "fault"),
        [
            ("okx", "binance", None),
            ("kraken", "binance", None),
            ("binanceus", "binance", None),
            ("nowhere", "binance", "no venue of ccxt"),
            ("Exchange", "binance", "no venue of ccxt"),
            ("__init__", "binance", "no venue of ccxt"),
            ("binance", "binance", "binance.com"),
            ("binanceusdm", "binance", "binance.com"),
            ("binancecoinm", "binance", "binance.com"),
            ("myokx", "okx", "okx.com"),
            ("dydx", "binance", "no prices of single markets"),
        ],
    )
    def test_is_another_exchange_that_ccxt_knows(self, name, venue, fault):
        found = find_fault_of_source(name, venue=venue)
        assert found is None if fault is None else fault in found

    @pytest.mark.parametrize("name", ["nowhere", "binanceusdm"])
    def test_that_is_none_ends_a_worker_at_its_start(self, name, make_worker):
        assert make_worker(PRICE_CHECK_VENUE_ID=name).wait(timeout=60) != 0


class TestTheVenuesClock:
    """What decides how old the venue's prices are."""

    @pytest.fixture(autouse=True)
    def anew(self, monkeypatch):
        forget_clock_offset()
        monkeypatch.setattr(venue_clock, "_KEPT_SECONDS", 0.0)
        monkeypatch.setattr(venue_clock, "_APART_SECONDS", 0.05)
        yield
        forget_clock_offset()

    def offset(self, *, ahead=0.0, takes=0.0, at=None):
        class Clock:
            name = "binance"

            def read_time(self):
                told = at or database_now() + timedelta(seconds=ahead)
                time.sleep(takes)
                return told

        return read_clock_offset(venue=Clock()).total_seconds()

    def test_is_the_one_of_a_quick_answer(self):
        assert self.offset(ahead=30) == pytest.approx(30, abs=1)

    def test_is_not_behind_because_an_answer_is_slow(self, monkeypatch):
        monkeypatch.setattr(venue_clock, "_QUICK_SECONDS", 0.3)
        assert self.offset(ahead=30, takes=0.4) >= 30, "as high as a slow answer allows"
        self.offset(ahead=30)
        assert self.offset(ahead=20, takes=0.4) == pytest.approx(30, abs=1)

    def test_is_not_behind_because_it_stands_still(self):
        still = database_now() + timedelta(seconds=30)
        self.offset(at=still)
        for behind in (10, 20, 30):
            time.sleep(0.06)
            assert self.offset(at=still - timedelta(seconds=behind)) == pytest.approx(30, abs=1)

    def test_is_the_last_known_one_while_the_venue_does_not_tell_its_time(self):
        class Silent:
            name = "binance"

            def __init__(self, **asked):
                self.error = VenueAway("no time", **asked)

            def read_time(self):
                raise self.error

        with pytest.raises(VenueAway):
            read_clock_offset(venue=Silent())
        self.offset(ahead=30)
        assert read_clock_offset(venue=Silent()).total_seconds() == pytest.approx(30, abs=1)
        with pytest.raises(VenueAway):
            read_clock_offset(venue=Silent(retry_after_seconds=60.0))

    def test_is_the_one_of_a_clock_that_was_set_back_and_runs_on(self):
        self.offset(ahead=30)
        assert self.offset(ahead=10) == pytest.approx(30, abs=1)
        time.sleep(0.06)
        assert self.offset(ahead=10) == pytest.approx(10, abs=1)

    def test_that_stands_still_keeps_no_price_young(self, market, now, monkeypatch):
        refresh(now)
        still = int(time.time() * 1000)
        tell(market, closeTime=still)
        refresh(now + timedelta(seconds=1))
        for seconds in (50, 62):
            at = now + timedelta(seconds=seconds)
            monkeypatch.setattr("settlement.services.price_feed.read_clock_offset", lambda venue: -timedelta(0))
            prices = refresh(at)
        assert prices["ABAN"].read_at == now + timedelta(seconds=50)
        assert not load_offer(coin_name="ABAN").is_available(now=now + timedelta(seconds=62))
        assert prices["BETA"].read_at == now + timedelta(seconds=62)
