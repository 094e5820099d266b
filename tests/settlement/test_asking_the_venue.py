"""What a venue is asked after a restore, and what follows. The venue is on paper; see also test_restoring.py."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from exchange_site.database.owner import as_owner
from settlement import stopping
from settlement.models import (
    Attempt,
    AttemptState,
    DatabaseWatch,
    Pause,
    PauseKind,
    load_installation_code,
    new_client_order_id,
)
from settlement.order_ids import make_client_order_id
from settlement.services.adopting import UnknownOrder, adopt
from settlement.services.recognising import stop_sending
from settlement.services.restoring import after, asking
from settlement.venues.protocol import CoinNotListed, OrderNotFound, Unknown, UnusableRules, VenueAway
from tests.configure import configure
from tests.conftest import make_coin
from tests.settlement.conftest import attempts
from tests.settlement.paper_venue import PaperVenue, executed
from trading.models import Coin
from wallets.models import TokenFamily, Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance", "coin")]

SENT = {
    "state": AttemptState.SENT,
    "quantity": Decimal(15),
    "limit_price": Decimal("4.2"),
    "signed_at": "2026-01-01T00:00Z",
    "valid_until": "2026-01-01T00:00Z",
}
LETTERS = "ABCDEFGHIJKLMNOP"


@pytest.fixture(autouse=True)
def _requests_arrive_at_once(settings):
    configure(settings, "VENUE", recv_window=timedelta(0))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0))


@pytest.fixture
def venue():
    return PaperVenue()


@pytest.fixture
def ask(venue):
    return lambda since=None: asking.ask_venues(since=since or watch().known_at, get_venue=lambda _: venue)


@pytest.fixture
def keep_watch(venue):
    return lambda: asking.keep_watch(get_venue=lambda _: venue)


@pytest.fixture
def attempt(place, claim):
    """An attempt that was never sent as far as we know."""
    place("60.00")
    claim()
    return Attempt.objects.get()


def watch():
    return DatabaseWatch.objects.get()


def restore():
    """Let the database be another than the one that we know."""
    DatabaseWatch.objects.update(place="another/1/1/1/1")


def numbers(answers):
    return [order.venue_order_id for order in answers.unknown]


def inventory():
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance


def count_jobs(attempt):
    statement = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'settlement.settle_batch'"
    with connection.cursor() as cursor:
        cursor.execute(statement + " AND args ->> 'batch_id' = %s", [str(attempt.batch_id)])
        return cursor.fetchone()[0]


class TestTheVenueIsAsked:
    def test_for_orders_from_an_hour_before_the_last_known_moment(self, venue, ask):
        known = watch().known_at
        venue.have(new_client_order_id(), number="1", at=known - timedelta(minutes=61))
        venue.have(new_client_order_id(), number="2", at=known - timedelta(minutes=59))
        assert numbers(ask()) == ["2"]

    def test_for_each_coin_of_ours_and_each_asset_that_the_account_holds(self, venue, ask, settings):
        quote = settings.VENUE.quote_asset
        venue.balances = {"GONE": Decimal("0.1"), "NONE": Decimal(0), quote: Decimal(1000)}
        venue.have(new_client_order_id(), coin="GONE")
        answers = ask()
        assert (numbers(answers), answers.unasked, answers.coins) == (["1"], [], 2)
        assert venue.calls == {"balances": 1, "ABAN": 1, "GONE": 1}

    def test_for_no_orders_of_another_installation(self, venue, ask):
        venue.have(make_client_order_id(installation="deadbeef"))
        venue.have("a person's")
        assert ask().unknown == []

    def test_for_nothing_more_if_it_does_not_tell_its_balances(self, venue, ask):
        venue.refusals["balances"] = VenueAway("cut")
        assert (ask().unasked, venue.calls) == (["balances"], {"balances": 1})
        assert not Pause.objects.exists()

    def test_for_nothing_during_a_ban(self, venue, ask):
        venue.refusals["balances"] = VenueAway("too many", retry_after_seconds=20)
        ask()
        assert Pause.objects.get().kind == PauseKind.BAN
        assert (ask().unasked, venue.calls) == (["any coin: the venue wants no calls"], {"balances": 1})

    @pytest.mark.parametrize("error", [VenueAway("cut"), UnusableRules("absurd")])
    def test_for_the_other_coins_if_it_is_silent_about_some(self, venue, ask, error):
        names = self.make_coins()
        venue.refusals = dict.fromkeys(names, error)
        assert (ask().unasked, Pause.objects.exists()) == (names, False)
        assert venue.calls == {"balances": 1, "ABAN": 1, **dict.fromkeys(names, 1)}

    def test_for_no_other_coin_once_it_bans_us_and_the_longest_wait_holds(self, venue, ask):
        self.make_coins()
        waits = {"ABAN": 20, "COA": 50, "COB": 30, "COC": 10}
        all_are_asked = threading.Barrier(len(waits), timeout=20)

        def refuse(*, coin, since):
            venue.calls[coin] += 1
            if coin in waits:
                all_are_asked.wait()
            raise VenueAway("too many", retry_after_seconds=waits.get(coin, 0))

        venue.list_purchases = refuse
        assert len(ask().unasked) == 1 + len(LETTERS)
        assert venue.calls == {"balances": 1, **dict.fromkeys(waits, 1)}, "one call of each thread"
        ban = Pause.objects.get()
        assert (ban.kind, ban.coin) == (PauseKind.BAN, None)
        assert timedelta(seconds=49) < ban.until - ban.set_at < timedelta(seconds=52)

    def make_coins(self):
        names = [f"CO{letter}" for letter in LETTERS]
        for name in names:
            make_coin(name, "1.00")
        return names

    @pytest.fixture
    def silent(self, venue):
        """Coins about which the venue says nothing at first: each with the number of its answers that are lost."""
        lost = {}

        def list_purchases(*, coin, since):
            venue.calls[coin] += 1
            if venue.calls[coin] <= lost.get(coin, 0):
                raise VenueAway("cut")
            return []

        venue.list_purchases = list_purchases
        return lost

    def test_again_for_coins_whose_answers_were_lost(self, venue, ask, silent):
        make_coin("OTHER", "4.00")
        silent["ABAN"] = 2
        assert ask().unasked == []
        assert venue.calls == {"balances": 1, "ABAN": 3, "OTHER": 1}

    def test_twice_more_at_most(self, venue, ask, silent):
        make_coin("OTHER", "4.00")
        silent["ABAN"] = 3
        assert ask().unasked == ["ABAN"]
        assert venue.calls["ABAN"] == 3

    def test_once_if_it_is_silent_about_most_coins(self, venue, ask, silent):
        make_coin("OTHER", "4.00")
        silent |= {"ABAN": 1, "OTHER": 1}
        assert ask().unasked == ["ABAN", "OTHER"]
        assert venue.calls == {"balances": 1, "ABAN": 1, "OTHER": 1}


class TestACoinWithoutAMarket:
    @pytest.fixture(autouse=True)
    def _no_market(self, venue):
        venue.refusals["ABAN"] = CoinNotListed("ABAN")

    def buy(self, attempt):
        """Let the only order have been bought and settled, and its coin be off sale."""
        answer = executed(quantity="15.02", cost="60.08")
        order = UnknownOrder(
            venue="binance",
            coin_name="ABAN",
            client_order_id=attempt.client_order_id,
            venue_order_id="1",
            quantity=answer.quantity,
            cost=answer.cost,
        )
        adopt(order=order, venue=PaperVenue(answers={"1": answer}), note="x")
        Coin.objects.update(is_sold=False)

    def test_is_not_believed_to_have_none_while_it_is_on_sale(self, ask):
        assert ask().unasked == ["ABAN, which has no market there"]

    def test_is_believed_to_have_none_if_it_was_never_bought(self, ask, venue):
        Coin.objects.update(is_sold=False)
        venue.balances = {"ABAN": Decimal(5)}
        assert ask().unasked == []

    def test_is_not_believed_to_have_none_while_an_order_waits(self, ask, place):
        place("60.00")
        Coin.objects.update(is_sold=False)
        assert ask().unasked == ["ABAN, which has no market there"]

    def test_is_not_believed_to_have_none_while_an_order_is_being_settled(self, ask, attempt):
        Coin.objects.update(is_sold=False)
        assert ask(attempt.created_at + timedelta(days=1)).unasked == ["ABAN, which has no market there"]

    def test_is_not_believed_to_have_none_if_it_was_bought_within_the_last_hour(self, ask, attempt):
        self.buy(attempt)
        assert ask(attempt.created_at + timedelta(minutes=59)).unasked == ["ABAN, which has no market there"]

    @pytest.mark.parametrize("held", [{}, {"ABAN": Decimal(0)}, {"OTHER": Decimal(1)}])
    def test_is_believed_to_have_none_if_it_was_bought_before_and_nothing_is_left(self, ask, attempt, venue, held):
        self.buy(attempt)
        venue.balances = held
        assert ask(attempt.created_at + timedelta(minutes=61)).unasked == []

    def test_is_not_believed_to_have_none_while_the_account_holds_what_was_bought(self, ask, attempt, venue):
        self.buy(attempt)
        venue.balances = {"ABAN": Decimal(1)}
        assert ask(attempt.created_at + timedelta(minutes=61)).unasked == ["ABAN, which has no market there"]


class TestAnAttemptInFlight:
    def test_that_waits_and_is_at_the_venue_is_unknown_once(self, venue, ask, attempt):
        venue.have(attempt.client_order_id)
        assert numbers(ask()) == ["1"]
        assert attempt.client_order_id not in venue.calls

    @pytest.mark.parametrize(
        "told", [{"status": "open", "final": False, "quantity": "0", "cost": "0"}, {}, {"status": "canceled"}]
    )
    def test_that_waits_is_looked_up_if_it_is_not_listed(self, venue, ask, attempt, told):
        venue.answers[attempt.client_order_id] = executed("7", **told)
        assert numbers(ask()) == ["7"]

    @pytest.mark.parametrize("told", [OrderNotFound(), executed(status="canceled", quantity="0", cost="0")])
    def test_that_waits_and_bought_nothing_is_no_loss(self, venue, ask, attempt, told):
        venue.answers[attempt.client_order_id] = told
        answers = ask()
        assert (answers.unknown, answers.unasked, venue.calls[attempt.client_order_id]) == ([], [], 1)

    def test_that_waits_and_about_which_the_venue_is_silent_leaves_the_doubt(self, venue, ask, attempt):
        venue.answers[attempt.client_order_id] = Unknown(reason="away")
        assert ask().unasked == [attempt.client_order_id]

    @pytest.mark.parametrize("told", [executed(), Unknown(reason="away"), OrderNotFound()])
    def test_that_was_sent_is_settled_by_its_own_job(self, venue, ask, attempt, told):
        Attempt.objects.update(**SENT)
        venue.answers[attempt.client_order_id] = told
        answers = ask()
        assert (answers.unknown, answers.unasked) == ([], [])

    def test_that_has_ended_is_not_looked_up(self, venue, ask, attempt):
        Attempt.objects.update(state=AttemptState.NOT_PLACED, ended_at=timezone.now())
        ask()
        assert venue.calls == {"balances": 1, "ABAN": 1}


class TestTheWatch:
    def test_asks_nothing_while_the_database_is_the_one_we_know(self, venue, keep_watch):
        keep_watch()
        assert (venue.calls, watch().beat) == ({}, 1)

    def test_ends_a_doubt_and_wakes_attempts_that_wait(self, venue, keep_watch, attempt):
        before = count_jobs(attempt)
        restore()
        keep_watch()
        assert (watch().doubted_at, count_jobs(attempt)) == (None, before + 1)

    def test_wakes_no_attempt_that_was_sent(self, keep_watch, attempt):
        Attempt.objects.update(**SENT)
        before = count_jobs(attempt)
        restore()
        keep_watch()
        assert (watch().doubted_at, count_jobs(attempt)) == (None, before)

    def test_stops_sending_if_an_order_is_unknown_and_asks_no_more(self, venue, keep_watch):
        venue.have(f"ce{load_installation_code()}{'0' * 24}")
        restore()
        keep_watch()
        assert (watch().stopped_at is None, len(watch().found)) == (False, 1)
        venue.calls.clear()
        keep_watch()
        assert venue.calls == {}

    def test_leaves_the_doubt_while_the_venue_is_silent(self, venue, keep_watch):
        venue.refusals["ABAN"] = VenueAway("cut")
        restore()
        keep_watch()
        assert (watch().doubted_at is None, watch().stopped_at) == (False, None)

    def test_does_not_ask_before_the_last_request_has_arrived(self, venue, keep_watch, settings, monkeypatch):
        monkeypatch.setattr(asking, "_LONGEST_WAIT_SECONDS", 0.1)
        configure(settings, "VENUE", recv_window=timedelta(hours=1))
        restore()
        keep_watch()
        assert (venue.calls, watch().doubted_at is None) == ({}, False)

    def test_waits_for_the_last_request_if_that_is_soon(self, venue, keep_watch, settings):
        configure(settings, "VENUE", recv_window=timedelta(seconds=0.3))
        restore()
        keep_watch()
        assert (venue.calls["balances"], watch().doubted_at) == (1, None)

    def test_leaves_the_doubt_if_its_worker_is_told_to_stop_while_it_waits(self, venue, keep_watch, settings):
        configure(settings, "VENUE", recv_window=timedelta(seconds=2))
        restore()
        stopping.tell()
        try:
            keep_watch()
        finally:
            stopping.forget()
        assert (venue.calls, watch().doubted_at is None) == ({}, False)

    def test_is_kept_by_one_thread_of_a_process(self, venue, keep_watch):
        restore()
        with asking._asking:
            keep_watch()
        assert (venue.calls, watch().doubted_at) == ({}, None)


class TestAfterRestore:
    @pytest.fixture
    def put_right(self, venue):
        return lambda: after.put_right(get_venue=lambda _: venue, tell=lambda _: None, as_owner=as_owner)

    def test_adopts_and_lets_buying_go_on(self, venue, put_right, shopper):
        venue.have(new_client_order_id())
        done = put_right()
        assert ([attempt.executed for attempt in done.adopted], done.is_complete, inventory()) == ([5], True, 5)
        assert (watch().stopped_at, TokenFamily.objects.filter(ended_at=None).exists()) == (None, False)

    def test_adopts_nothing_that_is_adopted_meanwhile(self, venue, put_right):
        name = new_client_order_id()
        listed = venue.have(name)
        look_up_listed = venue.look_up_listed
        order = UnknownOrder(
            venue="binance",
            coin_name="ABAN",
            client_order_id=name,
            venue_order_id=listed.venue_order_id,
            quantity=listed.quantity,
            cost=listed.cost,
        )

        def adopt_meanwhile(**asked):
            venue.look_up_listed = look_up_listed
            adopt(order=order, venue=venue, note="a worker was first")
            return look_up_listed(**asked)

        venue.look_up_listed = adopt_meanwhile
        done = put_right()
        assert (done.adopted, done.refused, done.is_complete) == ([], {}, True)
        assert (len(attempts()), inventory()) == (1, 5)

    @pytest.mark.parametrize("trouble", ["not found", "not listed", "silent"])
    def test_stays_stopped_if_something_is_left(self, venue, put_right, trouble):
        venue.have(new_client_order_id())
        if trouble == "not found":
            venue.answers.clear()
        else:
            venue.refusals["ABAN"] = VenueAway("cut") if trouble == "silent" else CoinNotListed("ABAN")
        done = put_right()
        assert (done.is_complete, done.adopted, inventory()) == (False, [], 0)
        assert watch().stopped_at is not None
        [left] = watch().found
        assert {"not found": "does not find it", "not listed": "no market", "silent": "not asked: ABAN"}[
            trouble
        ] in left

    def test_ends_a_stop(self, put_right):
        stop_sending(found=["order x"])
        assert put_right().is_complete
        assert (watch().stopped_at, watch().found) == (None, [])
