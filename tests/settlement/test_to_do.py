"""The to-do page lists everything that has waited beyond its limit, and nothing earlier."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import (
    Attempt,
    Batch,
    DatabaseWatch,
    FindingDecision,
    FindingKind,
    Intervention,
    InterventionAction,
    begin_watch,
)
from settlement.selectors.pauses import pauses_in_force
from settlement.services.findings import Contradiction, close_finding, decide_about_order, raise_finding
from settlement.services.intervening.requests import request_intervention
from settlement.services.pausing import lift_pause, pause_buying, pause_for_trouble
from settlement.to_do import buying
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import count_to_do, list_to_do
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.wallets.returned import receive
from trading.models import Coin, CoinPrice, Headroom, Order
from trading.offers import load_offer
from trading.services.prices import record_price
from trading.services.reviewing import release_within_transaction
from wallets.models import User

pytestmark = pytest.mark.django_db(transaction=True)

A_MOMENT = timedelta(milliseconds=1)


def kinds(now):
    return [concern.kind for concern in list_to_do(now=now)]


@pytest.fixture
def beyond(settings):
    """Check that exactly one concern of a kind appears when the limit is reached, and return it."""

    def check(kind, since, limit):
        assert kind not in kinds(since + limit - A_MOMENT)
        [concern] = [each for each in list_to_do(now=since + limit) if each.kind == kind]
        assert concern.since == since
        return concern

    return check


class TestOrders:
    def test_that_are_pending_for_too_long_are_listed(self, place, beyond, now, settings, coin):
        place("60.00")
        place("30.00", at=now + timedelta(seconds=1))
        concern = beyond(ConcernKind.PENDING, now, settings.TO_DO.pending_limit)
        assert concern.subject == "1 order of ABAN"
        [concern] = list_to_do(now=now + settings.TO_DO.pending_limit + timedelta(seconds=1))
        assert (concern.subject, concern.count) == ("2 orders of ABAN", 2)
        assert concern.target.filters == {"state__exact": "pending", "coin__id__exact": coin.pk}

    def test_that_staff_released_wait_since_their_release(self, place, beyond, now, settings, admin_user):
        configure(settings, "RISK", max_value=Decimal(0))
        order = place("60.00")
        released = now + timedelta(hours=1)
        release_within_transaction(order_id=order.pk, decided_by=admin_user, note="known", now=released)
        beyond(ConcernKind.PENDING, released, settings.TO_DO.pending_limit)

    def test_that_are_settling_for_too_long_are_listed(self, place, claim, beyond, now, settings):
        place("60.00")
        batch = claim()
        concern = beyond(ConcernKind.SETTLING, now, settings.TO_DO.settling_limit)
        assert (concern.target.model, concern.target.pk) == ("settlement_batch", batch.pk)
        Attempt.objects.update(state="parked", ended_at=now)
        Batch.objects.update(state="parked")
        assert kinds(now + settings.TO_DO.settling_limit) == [ConcernKind.PARKED], (
            "a parked batch is listed instead of its orders"
        )

    def test_in_an_overdue_pool_are_listed(self, place, beyond, now, settings):
        place("6.00")
        concern = beyond(ConcernKind.POOL, now + settings.POOLS.max_age, settings.TO_DO.pool_limit)
        assert concern.subject == "1 order of ABAN"

    def test_that_are_held_for_too_long_are_listed(self, place, beyond, now, settings):
        configure(settings, "RISK", max_value=Decimal(0))
        order = place("60.00")
        concern = beyond(ConcernKind.HELD, now, settings.TO_DO.held_limit)
        assert (concern.target.model, concern.target.pk) == ("trading_review", order.pk)
        assert "USD" in concern.reason


class TestSettlement:
    def test_names_attempts_without_an_answer(self, place, claim, beyond, now, settings):
        place("60.00")
        claim()
        Attempt.objects.update(
            state="sent", signed_at=now, valid_until=now, quantity=15, limit_price=4, reason="no answer"
        )
        concern = beyond(ConcernKind.UNKNOWN, now, settings.TO_DO.unknown_limit)
        assert concern.target.model == "settlement_attempt"
        assert concern.reason.startswith("no answer (0 lookups). It is looked up again by itself; if it stays unknown")
        assert concern.reason.endswith(f"decide in batch {Batch.objects.get().pk}")

    def test_names_parked_batches_at_once(self, place, claim, now):
        place("60.00")
        batch = claim()
        Attempt.objects.update(state="parked", ended_at=now)
        Batch.objects.update(state="parked", reason="commission in BNB")
        [concern] = list_to_do(now=now)
        assert (concern.kind, concern.since, concern.reason) == (ConcernKind.PARKED, now, "commission in BNB")
        assert concern.subject == f"batch {batch.pk}, 15 ABAN for 60.00 USD"

    def test_names_interventions_that_no_worker_carries_out(self, place, claim, now, admin_user, beyond, settings):
        place("60.00")
        request_intervention(
            batch=claim(), action=InterventionAction.REFUND, reason="late", requested_by=admin_user, now=now
        )
        beyond(ConcernKind.INTERVENTION, now, settings.SETTLEMENT.sweep_after)
        Intervention.objects.update(outcome="refused", decided_at=now)
        assert ConcernKind.INTERVENTION not in kinds(now + settings.SETTLEMENT.sweep_after)

    def test_names_findings_until_they_are_closed(self, coin, now, admin_user):
        finding = raise_finding(
            contradiction=Contradiction(kind=FindingKind.MISSING, subject="attempt 7", ours="1 for 4", coin=coin),
            now=now,
        )
        [concern] = list_to_do(now=now)
        assert concern.kind == ConcernKind.FINDING
        assert concern.reason.startswith(
            "the venue does not know it: ours 1 for 4, theirs -. Compare the venue's history"
        )
        assert close_finding(finding=finding, closed_by=admin_user, note="a test of ours", now=now)
        assert not close_finding(finding=finding, closed_by=admin_user, note="again", now=now)
        assert list_to_do(now=now) == []

    def test_names_the_next_step_of_every_kind_of_finding(self, place, claim, coin, now, settings):
        place("60.00")
        attempt = claim().attempts.get()
        for kind in FindingKind:
            contradiction = Contradiction(
                kind=kind, subject=f"a {kind}", ours="1 for 4", theirs="15 for 60", coin=coin, attempt=attempt
            )
            raise_finding(contradiction=contradiction, now=now)
        rows = {each.subject: each.reason for each in list_to_do(now=now) if each.kind == ConcernKind.FINDING}
        assert len(rows) == len(FindingKind)
        steps = {subject: reason.split(". ", 1)[1] for subject, reason in rows.items()}
        assert len(set(steps.values())) == len(FindingKind), "each kind has a step of its own"
        assert f"in batch {attempt.batch_id}, look the purchase up again" in steps["a untrue"]
        assert "adopt it" in steps["a extra"]
        assert "why it denied the purchase, then close" in steps["a late_fill"]
        assert f"theirs 15 for 60 (ABAN, cost in {settings.VENUE.quote_asset}). " in rows["a late_fill"]

    def test_says_that_an_order_is_being_adopted(self, coin, now, admin_user):
        contradiction = Contradiction(kind=FindingKind.EXTRA, subject="order x 1", theirs="2 for 40", coin=coin)
        finding = raise_finding(contradiction=contradiction, now=now)
        adopt = FindingDecision.ADOPT
        decide_about_order(finding=finding, decision=adopt, decided_by=admin_user, note="ours", now=now)
        [concern] = list_to_do(now=now)
        assert concern.reason.endswith("admin adopts it: a worker books it once the venue's answer is plausible")

    def test_says_by_how_much_a_balance_differs_in_plain_figures(self, coin, now, settings):
        difference = Decimal("-0.00000010")
        for subject, of in (("balance of ABAN", coin), ("balance of the quote asset", None)):
            contradiction = Contradiction(kind=FindingKind.BALANCE, subject=subject, amount=difference, coin=of)
            raise_finding(contradiction=contradiction, now=now)
        of_coin, of_quote = (concern.reason for concern in list_to_do(now=now))
        assert "It is 0.0000001 ABAN less. Compare the venue's history" in of_coin
        assert f"It is 0.0000001 {settings.VENUE.quote_asset} less." in of_quote

    def test_names_why_the_database_is_in_doubt_and_what_to_run(self, now):
        begin_watch()
        DatabaseWatch.objects.update(
            doubted_at=now, doubt="it is another server", stopped_at=now, found=["order x 1, of ABAN"]
        )
        [concern] = list_to_do(now=now)
        assert concern.reason == (
            "the database is in doubt, because it is another server. Found: order x 1, of ABAN."
            " Run `manage.py after_restore`"
        )
        assert concern.target.model == "settlement_databasewatch"

    def test_names_pauses_while_they_last(self, coin, now, admin_user):
        pause_buying(coin=None, reason="a rumour", set_by=admin_user, now=now)
        until = pause_for_trouble(venue="binance", coin=coin, reason="no money", at_least_seconds=30, now=now)
        assert [concern.subject for concern in list_to_do(now=now)] == [
            "buying of everything",
            "buying of ABAN at binance",
        ]
        [pause] = pauses_in_force(now=until)
        assert "a rumour (paused by admin)" in list_to_do(now=until)[0].reason
        lift_pause(pause=pause)
        assert list_to_do(now=until) == []

    def test_names_jobs_that_failed_for_good(self, place, now):
        place("60.00")
        job = ProcrastinateJob.objects.get()
        assert list_to_do(now=now) == []
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 8")
        [concern] = list_to_do(now=now)
        assert (concern.kind, concern.target.pk) == (ConcernKind.JOB, job.pk)
        assert "after 8 runs" in concern.reason


def test_suspended_coins_are_named_unless_they_are_not_on_sale_or_have_a_fixed_price(coin, now):
    Coin.objects.update(fixed_price=None)
    record_price(coin=coin, value=Decimal("40.00"), source="binance", now=now)
    [concern] = list_to_do(now=now)
    assert (concern.kind, concern.reason) == (
        ConcernKind.SUSPENDED,
        "not sold: read 40 after 4. Only staff can accept it: until then its orders are not bought, and refunded in time",
    )
    Coin.objects.update(is_sold=False)
    assert list_to_do(now=now) == []
    Coin.objects.update(is_sold=True, fixed_price=4)
    assert list_to_do(now=now) == []


class TestStaffWithAWallet:
    """They had money before a rule of the database kept staff from it."""

    @pytest.fixture
    def ann(self, make_shopper, now):
        ann = make_shopper(None)
        receive(ann, now, amount=Decimal("12.00"))
        run_as_owner(f"UPDATE wallets_user SET is_staff = true WHERE id = {ann.user.pk}")
        return ann

    def test_are_named_in_one_sentence(self, ann, now):
        [concern] = list_to_do(now=now)
        assert (concern.kind, concern.subject) == (ConcernKind.STAFF_WALLET, ann.user.username)
        assert concern.reason == "is a member of staff with a wallet, which holds 12.00 USD"
        assert concern.target.pk == ann.user.pk

    def test_are_named_without_dollars_too(self, ann, now):
        run_as_owner(f"UPDATE wallets_wallet SET balance = 0 WHERE owner_id = {ann.user.pk}")
        assert kinds(now) == [ConcernKind.STAFF_WALLET]

    def test_are_not_named_once_they_have_no_powers(self, ann, now):
        User.objects.filter(pk=ann.user.pk).update(is_staff=False)
        assert list_to_do(now=now) == []

    def test_are_named_where_powers_need_two_persons_although_they_are_the_seeds(self, shopper, now, settings):
        run_as_owner(f"UPDATE wallets_user SET is_superuser = true WHERE id = {shopper.user.pk}")
        assert list_to_do(now=now) == []
        configure(settings, "PROPOSALS", kinds={"powers": Decimal(0)})
        assert kinds(now) == [ConcernKind.STAFF_WALLET]


@pytest.mark.parametrize("time", ["read_at", "quoted_at"])
def test_coins_without_a_current_price_are_named_by_the_time_that_offers_go_by(coin, now, time):
    Coin.objects.update(fixed_price=None)
    record_price(coin=coin, value=Decimal("4.00"), source="binance", now=now)
    assert list_to_do(now=now) == []
    old = now - timedelta(seconds=61)
    CoinPrice.objects.update(**{time: old})
    if time == "read_at":
        CoinPrice.objects.update(details_at=old)
    assert not load_offer(coin_name="ABAN").is_available(now=now)
    [concern] = list_to_do(now=now)
    assert (concern.kind, concern.since) == (ConcernKind.SUSPENDED, old)
    CoinPrice.objects.update(read_at=now, details_at=old)
    assert list_to_do(now=now) == [], "the previous release has read a price since"


def test_coins_are_named_whose_smallest_order_is_above_a_customers_share_of_the_limit(coin, now):
    Coin.objects.update(minimum=3)
    for most, is_named in (("59.99", True), ("60.00", False), ("0.00", False)):
        figures = {"used": 0, "room": Decimal(most), "most": Decimal(most), "counted_at": now}
        Headroom.objects.update_or_create(coin=coin, defaults=figures)
        assert [concern.kind for concern in list_to_do(now=now)] == ([ConcernKind.SUSPENDED] if is_named else [])
        if is_named:
            assert "the smallest order costs 12.00 USD" in list_to_do(now=now)[0].reason


def test_the_page_is_empty_when_nothing_waits(coin, now):
    assert list_to_do(now=now) == []
    assert set(count_to_do(now=now).values()) == {0}


class TestCost:
    def test_is_one_query_per_kind_however_many_rows_there_are(
        self, place, now, make_shopper, settings, claim, admin_user
    ):
        late = now + timedelta(days=2)
        counts = []
        for _ in range(2):
            for total in ("60.00", "3.00", "2.00"):
                place(total, of=make_shopper())
            configure(settings, "RISK", max_value=Decimal(0))
            place("12.00", of=make_shopper())
            configure(settings, "RISK", max_value=Decimal(1000))
            pause_buying(coin=make_coin(f"C{len(counts)}A", "1.00"), reason="x", set_by=admin_user, now=now)
            with CaptureQueriesContext(connection) as captured:
                assert len(set(kinds(late))) >= 4
            counts.append(len(captured))
        assert counts[0] == counts[1] == len(ConcernKind)

    def test_is_bounded_by_a_number_of_rows_per_kind(self, now, coin, monkeypatch):
        monkeypatch.setattr(buying, "MAX_PER_KIND", 3)
        for number in range(5):
            raise_finding(
                contradiction=Contradiction(kind=FindingKind.EXTRA, subject=f"order {number}", coin=coin), now=now
            )
        assert [concern.subject for concern in list_to_do(now=now)] == ["order 0", "order 1", "order 2"]

    def test_does_not_grow_with_history(self, place, now, claim):
        """Statements can use the partial indexes of open orders. Sequential scans are off: the tables are small here."""
        place("60.00")
        run_as_owner("ANALYZE trading_order")  # or the plans follow the rows of an earlier test
        with connection.cursor() as cursor, CaptureQueriesContext(connection) as captured:
            list_to_do(now=now)
            about_orders = [query["sql"] for query in captured if 'FROM "trading_order"' in query["sql"]]
            cursor.execute("SET enable_seqscan = off")
            try:
                plans = []
                for statement in about_orders:
                    cursor.execute(f"EXPLAIN {statement}")
                    plans.append("\n".join(row[0] for row in cursor.fetchall()))
            finally:
                cursor.execute("RESET enable_seqscan")
        assert len(plans) == 4
        for plan in plans:
            assert any(
                name in plan for name in ("waiting_orders", "pooled_orders", "settling_orders", "held_orders")
            ), plan
        assert Order.objects.count() == 1
