"""Pauses of buying, by trouble at the venue or by staff: orders wait and are not refunded, and the pause ends."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.models import AttemptState, BatchState, Pause, PauseKind
from settlement.selectors.pauses import list_paused_coins
from settlement.services.calling import call
from settlement.services.pausing import (
    ask_to_call,
    lift_automatic_pauses,
    lift_pause,
    pause_buying,
    pause_for_trouble,
)
from settlement.services.price_feed import refresh_prices
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.readers import list_to_do
from settlement.venues.protocol import VenueAway
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.processes import wait_for
from tests.settlement.conftest import ask_to_buy, attempts, end_pauses, find_pause, states
from trading.jobs import CLAIM_TASK
from trading.models import Coin
from trading.services.coins import open_or_close_shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


PREVIOUS_STATEMENT = """
INSERT INTO settlement_pause (coin_id, until, reason, times, set_at, is_of_calls)
VALUES (%(coin_id)s, %(now)s + make_interval(secs => 9), 'trouble', 1, %(now)s, %(is_ban)s)
ON CONFLICT ON CONSTRAINT one_pause_per_coin_and_one_for_the_venue DO UPDATE
   SET until = %(now)s + make_interval(secs => 9),
       reason = excluded.reason, times = settlement_pause.times + 1, set_at = excluded.set_at,
       is_of_calls = excluded.is_of_calls OR (settlement_pause.is_of_calls AND settlement_pause.until > %(now)s)
 WHERE settlement_pause.set_by_id IS NULL
RETURNING until
"""


def no_job_is_due():
    due = ProcrastinateJob.objects.filter(status__in=["todo", "doing"], task_name__startswith="settlement.settle")
    return not due.exclude(scheduled_at__gt=timezone.now()).exists()


class TestTrouble:
    @pytest.mark.parametrize(
        ("trouble", "mend", "of_coin"),
        [
            (
                lambda venue: venue.set_account(balances={"USDT": "1"}),
                lambda venue: venue.set_account(balances={"USDT": "100000"}),
                True,
            ),
            (
                lambda venue: venue.fail(
                    {"on": "place", "action": "reject", "code": -2015, "msg": "Invalid API-key, IP, or permissions."}
                ),
                lambda venue: venue.fail(),
                False,
            ),
            (
                lambda venue: venue.fail(
                    {"on": "place", "action": "reject", "code": -2010, "msg": "Market is closed."}
                ),
                lambda venue: venue.fail(),
                True,
            ),
            (lambda venue: venue.fail({"on": "ticker", "action": "down"}), lambda venue: venue.fail(), True),
        ],
        ids=["account empty", "key refused", "market closed", "no prices"],
    )
    def test_pauses_buying_refunds_nobody_and_ends(
        self, place, settle, simulator, venue, settings, trouble, mend, of_coin, caplog
    ):
        configure(settings, "SETTLEMENT", max_attempts=2)
        place("60.00")
        trouble(simulator)
        batch = settle()
        for _ in range(4):
            [pause] = Pause.objects.all()
            assert (pause.coin_id == batch.coin_id, pause.set_by) == (of_coin, None)
            assert ("buying of ABAN at binance" if of_coin else "buying of binance") in caplog.text
            end_pauses()
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["settling"]
        mend(simulator)
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        assert (batch.state, states(), Pause.objects.count()) == (BatchState.SETTLED, ["completed"], 0)

    def test_pauses_for_a_growing_time_or_as_long_as_the_venue_asks(self, coin, now, settings):
        configure(settings, "SETTLEMENT", pause_max_seconds=5)

        def wait(least=0):
            until = pause_for_trouble(venue="binance", coin=coin, reason="trouble", at_least_seconds=least, now=now)
            return (until - now).total_seconds()

        assert [wait() for _ in range(5)] == [1, 2, 4, 5, 5]
        assert wait(90) == 90

    def test_with_a_coin_does_not_pause_other_coins(self, coin, now):
        other = make_coin("BETA", "1.00")
        pause_for_trouble(venue="binance", coin=coin, reason="trouble", at_least_seconds=9, now=now)
        assert find_pause(coin_id=other.pk, now=now) is None
        pause_for_trouble(venue="binance", coin=None, reason="trouble", at_least_seconds=5, now=now)
        assert find_pause(coin_id=other.pk, now=now).coin is None
        assert find_pause(coin_id=coin.pk, now=now).coin == coin
        assert find_pause(coin_id=coin.pk, now=now + timedelta(seconds=9)) is None

    def test_keeps_orders_waiting_and_one_claim_job_for_the_end_of_the_pause(self, place, claim, coin, now):
        pause_for_trouble(venue="binance", coin=coin, reason="trouble", at_least_seconds=30, now=now)
        for _ in range(3):
            place("12.00")
            assert claim() is None
        assert states() == ["pending"] * 3
        [job] = ProcrastinateJob.objects.filter(task_name=CLAIM_TASK)
        assert timedelta(seconds=25) < job.scheduled_at - timezone.now() <= timedelta(seconds=31)
        sweep(now=now + timedelta(seconds=29))
        assert ProcrastinateJob.objects.filter(task_name=CLAIM_TASK).count() == 1
        assert claim(at=now + timedelta(seconds=30)).orders_count == 3


class TestTooManyCalls:
    """The venue bans a client that keeps calling, so all calls stop for a time, also those for prices."""

    def test_when_placing_orders_stops_price_reads_too(self, place, settle, simulator, venue, coin, now):
        simulator.fail({"on": "place", "action": "rate_limit", "times": 1})
        place("60.00")
        settle()
        pause = Pause.objects.get()
        assert (pause.coin, pause.stops_all_calls) == (None, True)
        coin.fixed_price = None
        coin.save()
        simulator.fail({"action": "down"})
        refresh_prices(venues=[venue], now=now)
        assert Pause.objects.get().times == 1, "no call was made"

    def test_when_reading_prices_stops_all_calls(self, coin, simulator, venue, now):
        coin.fixed_price = None
        coin.save()
        simulator.fail({"on": "ticker", "action": "rate_limit", "times": 1})
        refresh_prices(venues=[venue], now=now)
        assert find_pause(coin_id=coin.pk, now=now).stops_all_calls

    def test_when_looking_up_an_order_delays_the_next_lookup(self, place, settle, simulator, venue):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1}, {"on": "query", "action": "rate_limit"}
        )
        place("60.00")
        batch = settle(steps=2)
        assert Pause.objects.get().stops_all_calls
        asked = attempts()[0].lookups
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert attempts()[0].lookups == asked
        simulator.fail()
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed"]


class TestPausesOfSeveralKinds:
    """Staff's own pause, a pause after trouble and a ban are facts of their own. What ends one ends no other."""

    def kinds(self):
        return sorted(Pause.objects.values_list("kind", flat=True))

    def ban(self, now, seconds=60):
        return pause_for_trouble(
            venue="binance", coin=None, reason="ban", at_least_seconds=seconds, now=now, stops_all_calls=True
        )

    @pytest.mark.parametrize("is_staff_first", [False, True])
    def test_keep_the_ban_when_staff_end_theirs(
        self, place, settle, venue, simulator, coin, admin_user, now, is_staff_first
    ):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00")
        batch = settle()
        simulator.fail({"on": "query", "action": "rate_limit", "retry_after": "600", "times": 1})
        if is_staff_first:
            pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        if not is_staff_first:
            pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        assert self.kinds() == ["ban", "staff"]
        lift_pause(pause=Pause.objects.get(kind=PauseKind.STAFF))
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), attempts()[0].lookups, self.kinds()) == (["settling"], 0, ["ban"]), "no call was made"
        assert ask_to_call(venue="binance", now=now).wait_until
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), self.kinds()) == (["completed"], [])

    def test_keep_staffs_when_a_probe_ends_the_ban(self, place, settle, claim, venue, simulator, admin_user, now):
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1},
            {"on": "query", "action": "rate_limit", "times": 1},
        )
        place("60.00")
        batch = settle(steps=2)
        pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        assert ask_to_call(venue="binance", now=now).wait_until, "staff's pause ends no ban"
        end_pauses()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert (states(), self.kinds()) == (["completed"], ["staff"]), "the attempt that was sent is looked up"
        place("20.00")
        assert claim() is None, "and nothing is bought"

    @pytest.mark.parametrize("of_coin", [False, True])
    def test_keep_staffs_when_the_venue_accepts_a_purchase(self, coin, admin_user, now, of_coin):
        paused = coin if of_coin else None
        pause_for_trouble(venue="binance", coin=paused, reason="no answer", at_least_seconds=9, now=now)
        pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
        pause_for_trouble(venue="binance", coin=paused, reason="no answer", at_least_seconds=9, now=now)
        assert Pause.objects.get(kind=PauseKind.TROUBLE).times == 2
        lift_automatic_pauses(venue="binance", coin_id=coin.pk)
        [pause] = Pause.objects.all()
        assert (pause.set_by, pause.reason, pause.until) == (admin_user, "looking into it", None)

    @pytest.mark.parametrize("of_coin", [False, True])
    def test_keep_the_outages_when_staff_end_theirs(self, coin, admin_user, now, of_coin):
        paused = coin if of_coin else None
        until = pause_for_trouble(venue="binance", coin=paused, reason="no answer", at_least_seconds=30, now=now)
        staffs = pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
        assert find_pause(coin_id=coin.pk, now=now) == staffs
        lift_pause(pause=staffs)
        assert ask_to_buy(coin_id=coin.pk, now=now).wait_until == until

    def test_keep_a_ban_apart_from_trouble_at_the_venue(self, coin, now):
        trouble = pause_for_trouble(venue="binance", coin=None, reason="key refused", at_least_seconds=900, now=now)
        ban = self.ban(now)
        assert (
            pause_for_trouble(venue="binance", coin=None, reason="key refused", at_least_seconds=1, now=now) == trouble
        )
        assert (ask_to_call(venue="binance", now=now).wait_until, ask_to_buy(coin_id=coin.pk, now=now).wait_until) == (
            ban,
            trouble,
        )
        probe = ask_to_call(venue="binance", now=ban)
        assert probe.is_probe
        probe.report_answer()
        assert ask_to_buy(coin_id=coin.pk, now=ban).wait_until == trouble, "the key is still refused"
        ban = self.ban(now)
        lift_automatic_pauses(venue="binance", coin_id=coin.pk)
        assert (self.kinds(), ask_to_call(venue="binance", now=now).wait_until) == (["ban"], ban)

    def test_are_not_shortened_by_a_late_answer(self, now):
        until = self.ban(now, seconds=600)
        assert self.ban(now, seconds=1) == until

    def test_keep_a_ban_that_a_refusal_confirmed_without_moving_its_end(self, now):
        ended = self.ban(now)
        probe = ask_to_call(venue="binance", now=ended)
        assert self.ban(now, seconds=1) == probe.probed.until
        probe.report_answer()
        assert self.kinds() == ["ban"]

    def test_are_one_of_each_kind_of_a_coin_and_at_the_venue(self, coin, admin_user, now):
        for paused in (coin, None):
            for _ in range(2):
                pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
                pause_for_trouble(venue="binance", coin=paused, reason="no answer", at_least_seconds=9, now=now)
                self.ban(now)
        assert self.kinds() == ["ban", "staff", "staff", "trouble", "trouble"]
        for pause in Pause.objects.all():
            pause.pk = None
            with pytest.raises(IntegrityError, match="one_pause_per_coin"), transaction.atomic():
                pause.save(force_insert=True)
        for wrong in ({"coin": coin, "until": now}, {"set_by": admin_user}):
            with pytest.raises(IntegrityError, match="only_the_venue_stops_all_calls"), transaction.atomic():
                Pause.objects.create(reason="x", set_at=now, stops_all_calls=True, **wrong)

    def test_are_written_by_the_statement_of_the_previous_release_too(self, coin, admin_user, now):
        """Its workers go on while the database is migrated."""
        pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        for is_ban, times in ((True, 1), (True, 2), (False, 1), (False, 2)):
            with connection.cursor() as cursor:
                cursor.execute(PREVIOUS_STATEMENT, {"coin_id": None, "now": now, "is_ban": is_ban})
            assert Pause.objects.get(kind=PauseKind.BAN if is_ban else PauseKind.TROUBLE).times == times
        assert self.kinds() == ["ban", "staff", "trouble"]

    def test_are_each_shown_to_staff_and_counted(self, coin, admin_user, admin_client, now):
        self.ban(now)
        pause_for_trouble(venue="binance", coin=None, reason="no answer", at_least_seconds=9, now=now)
        pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=now)
        listed = {(each.subject, *each.reason.split(". ")) for each in list_to_do(now=now)}
        how_trouble_ends = "Remove the cause, or decide about the batch that waits; buying is tried again by itself"
        how_a_ban_ends = "Find out what makes so many calls; they begin again by themselves"
        assert listed == {
            ("all calls to binance", "ban (the venue wants no calls, 1 ×)", how_a_ban_ends),
            ("buying of everything at binance", "no answer (paused by the venue's answers, 1 ×)", how_trouble_ends),
            ("buying of everything", "looking into it (paused by admin)", "Lift it when its reason is gone"),
        }
        page = admin_client.get("/admin/settlement/pause/").content.decode()
        for shown in ("ban of calls by binance", "pause of every venue by staff", ">ban<", ">staff<", ">trouble<"):
            assert shown in page
        assert list_paused_coins(now=now) == [("", "ban", "binance"), ("", "staff", ""), ("", "trouble", "binance")]

    def test_are_set_by_staff_in_the_admin_while_the_coin_is_paused_already(self, coin, admin_client, now):
        pause_for_trouble(venue="binance", coin=coin, reason="no answer", at_least_seconds=9, now=now)
        for reason in ("looking into it", "and more"):
            answer = admin_client.post("/admin/settlement/pause/add/", {"coin": coin.pk, "reason": reason})
            assert answer.status_code == 302
        assert self.kinds() == ["staff", "trouble"]
        assert Pause.objects.get(kind=PauseKind.STAFF).reason == "and more"

    def test_are_kept_apart_by_a_real_worker(
        self, place, make_worker, simulator, venue_environment, coin, admin_user, now
    ):
        simulator.set_prices(ABAN="4.00")
        simulator.fail({"on": "place", "action": "rate_limit", "retry_after": "3000", "times": 1})
        place("60.00")
        Coin.objects.update(fixed_price=None)
        make_worker(**venue_environment, EXCHANGE_MAX_WAIT_SECONDS="3000")
        ban = wait_for(lambda: Pause.objects.filter(kind=PauseKind.BAN).first(), seconds=60)
        staffs = pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=timezone.now())
        [attempt] = attempts()[-1:]
        lift_pause(pause=staffs)
        wait_for(lambda: no_job_is_due() and attempts()[-1].next_step_at >= ban.until, seconds=60)
        ban.refresh_from_db()
        assert (ban.times, simulator.book(), attempts()[-1].state) == (1, [], AttemptState.NEW)
        staffs = pause_buying(coin=None, reason="looking into it", set_by=admin_user, now=timezone.now())
        end_pauses()
        wait_for(lambda: self.kinds() == ["staff"], seconds=60)
        settle_batch_later(batch_id=attempt.batch_id)
        wait_for(no_job_is_due, seconds=60)
        assert (self.kinds(), simulator.book(), states()) == (["staff"], [], ["settling"])
        lift_pause(pause=staffs)
        wait_for(lambda: states() == ["completed"], seconds=60)


@pytest.mark.django_db(transaction=True)
class TestTheMigrationOfPauses:
    def test_keeps_the_pauses_that_are_there(self, coin, admin_user, now):
        with by_owner():
            call_command("migrate", "settlement", "0007", verbosity=0)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "INSERT INTO settlement_pause (coin_id, until, reason, times, is_of_calls, set_by_id, set_at) "
                        "VALUES (NULL, NULL, 'staff', 1, true, %s, now()), "
                        "(%s, now() + interval '1 hour', 'trouble', 1, false, NULL, now())",
                        [admin_user.pk, coin.pk],
                    )
            finally:
                call_command("migrate", "settlement", verbosity=0)
        kept = Pause.objects.order_by("reason").values_list("reason", "kind", "stops_all_calls")
        assert list(kept) == [("staff", "staff", False), ("trouble", "trouble", False)]

    def test_is_undone_with_one_pause_left(self, coin, admin_user, now):
        for paused in (coin, None):
            pause_for_trouble(venue="binance", coin=paused, reason="no answer", at_least_seconds=9, now=now)
            pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
        with by_owner():
            call_command("migrate", "settlement", "0007", verbosity=0)
            call_command("migrate", "settlement", verbosity=0)
        assert sorted(Pause.objects.values_list("kind", flat=True)) == ["staff", "staff"]


class TestStaff:
    def test_pause_a_coin_or_all_coins_and_lift_the_pause(self, place, claim, coin, admin_user, now, venue, simulator):
        place("60.00")
        batch = claim()
        for paused in (coin, None):
            pause_buying(coin=paused, reason="looking into it", set_by=admin_user, now=now)
            pause_for_trouble(venue="binance", coin=paused, reason="trouble", at_least_seconds=1, now=now)
            place("12.00")
            assert claim(at=now + timedelta(days=1)) is None
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
            assert attempts()[0].state == AttemptState.NEW
            ProcrastinateJob.objects.all()._raw_delete("default")
            lift_pause(pause=Pause.objects.get(kind=PauseKind.TROUBLE))
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
            assert attempts()[0].state == AttemptState.NEW, "staff's own pause stays"
            ProcrastinateJob.objects.all()._raw_delete("default")
            lift_pause(pause=Pause.objects.get())
            assert {job.task_name for job in ProcrastinateJob.objects.all()} == {CLAIM_TASK, "settlement.settle_batch"}
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed", "pending", "pending"]

    def test_close_and_open_the_shop_with_immediate_effect(self, api, shopper, coin):
        for is_open in (False, True, False):
            open_or_close_shop(is_open=is_open, reason="maintenance")
            answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
            expected = (201, None) if is_open else (503, "price_unavailable")
            assert (answer.status_code, answer.json().get("code")) == expected
            assert api("GET", "exchanges/crypto-currencies/ABAN/").status_code == 200


class TestABan:
    def test_begins_when_the_venue_asks_for_it_however_long_the_call_took(self, transactional_db):
        def read():
            raise VenueAway("too many", retry_after_seconds=15)

        before_a_long_call = database_now() - timedelta(seconds=40)
        with pytest.raises(VenueAway):
            call(venue="binance", read=read, now=before_a_long_call)
        assert Pause.objects.get().until > database_now() + timedelta(seconds=5)
