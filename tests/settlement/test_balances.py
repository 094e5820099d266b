"""The balances of the account at the venue are compared with what was bought there and not moved."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from settlement import tasks
from settlement.exceptions import MoveRefused
from settlement.models import (
    AccountMove,
    AccountMoveKind,
    Attempt,
    AttemptState,
    BalanceReading,
    DatabaseWatch,
    FailingItem,
    Finding,
    Pause,
    PurchaseSum,
)
from settlement.selectors.balances import AssetBook, difference_of, read_asset_books
from settlement.selectors.purchases import NO_SUMS, load_kept_sums
from settlement.services.account_moves import book_move
from settlement.services.findings import close_finding
from settlement.services.outcomes import presume_not_placed
from settlement.services.pausing import ask_to_call
from settlement.services.reconciling import comparing, judging
from settlement.services.reconciling.balances import READINGS_APART, begin_comparing, compare_balances
from settlement.services.reconciling.comparing import reconcile
from settlement.services.stepping import recheck_attempt
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.profiles.dialects import binance
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.settlement.conftest import attempts, new_venue
from tests.simulators import opened_book

pytestmark = pytest.mark.django_db(transaction=True)

AMPLE = Decimal(1_000_000_000)
Kind = AccountMoveKind


@pytest.fixture(autouse=True)
def no_lag(settings):
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0))


@pytest.fixture
def venue(venue):
    venue._client.enableRateLimit = False
    return venue


@pytest.fixture
def compare(venue):
    return lambda: compare_balances(venue=venue)


@pytest.fixture
def begun(coin, compare):
    """The comparison has begun, before anything was bought."""
    compare()


@pytest.fixture
def buy(place, settle, begun, make_shopper):
    """Buy 15.02 coins for 60.08, and receive 15.00498."""

    def run():
        place("60.00", of=make_shopper(), at=timezone.now())
        return settle()

    return run


@pytest.fixture
def bought(buy):
    buy()
    minutes_pass()


@pytest.fixture
def move(admin_user):
    def run(amount, *, asset="ABAN", kind=Kind.MOVE):
        return book_move(
            move=AccountMove(
                venue="binance", asset=asset, kind=kind, amount=Decimal(amount), reason="to the cold wallet"
            ),
            booked_by=admin_user,
            now=timezone.now(),
        )

    return run


def minutes_pass(*, attempts_too=True):
    """Let the readings so far be older than two readings have to be apart, and the attempts older still."""
    age = READINGS_APART + timedelta(seconds=1)
    BalanceReading.objects.update(read_at=F("read_at") - age, steady_since=F("steady_since") - age)
    if attempts_too:
        Attempt.objects.filter(ended_at__isnull=False).update(ended_at=F("ended_at") - 2 * age)


def found():
    return [
        (finding.kind, finding.subject, finding.amount)
        for finding in Finding.objects.filter(closed_at=None).order_by("id")
    ]


def read(asset="ABAN"):
    return BalanceReading.objects.get(asset=asset)


def openings():
    return {
        row.asset: (row.amount, row.reason, row.booked_by_id) for row in AccountMove.objects.filter(kind=Kind.OPENING)
    }


def concerns(kind):
    return [concern for concern in list_to_do(now=timezone.now()) if concern.kind is kind]


class TestTheComparison:
    def test_begins_by_itself_where_nothing_was_bought(self, begun):
        assert openings() == {"USDT": (AMPLE, "first reading", None), "ABAN": (0, "first reading", None)}
        assert concerns(ConcernKind.OPENING) == []

    def test_begins_with_the_first_reading_of_the_funds(self, coin, venue, monkeypatch):
        monkeypatch.setattr(tasks, "get_venue", lambda _: venue)
        tasks.read_account(timestamp=0)
        assert openings()["USDT"] == (AMPLE, "first reading", None)
        monkeypatch.setattr(venue, "read_balances", lambda: pytest.fail("it has begun"))
        begin_comparing(venue=venue)

    def test_agrees_after_purchases_with_commission_in_the_coin_or_the_quote_asset(self, buy, compare, simulator):
        buy()
        simulator.set_account(commission_asset="USDT")
        buy()
        simulator.fail({"on": "place", "action": "partial", "fraction": "0.5", "times": 1})
        buy()
        minutes_pass()
        assert (compare().unread, found()) == (set(), [])
        received = sum(attempt.executed - attempt.commission for attempt in attempts())
        assert (read().amount, read().expected, read().difference) == (received, received, 0)
        cost = sum(attempt.cost for attempt in attempts())
        assert (read("USDT").expected, read("USDT").difference) == (AMPLE - cost, 0)
        assert {attempt.venue for attempt in attempts()} == {"binance"}

    def test_counts_attempts_from_before_venues_were_recorded(self, bought, compare):
        run_as_owner("UPDATE settlement_attempt SET venue = ''")
        compare()
        assert read().difference == 0
        run_as_owner("UPDATE settlement_attempt SET venue = 'kraken'")
        compare()
        assert read().difference == Decimal("15.00498")

    def test_is_part_of_reconciliation_and_leaves_nothing_open(self, bought, venue, monkeypatch, capsys):
        monkeypatch.setattr("settlement.management.commands.reconcile.get_venue", lambda _: venue)
        for _ in range(2):
            call_command("reconcile")
            assert "0 open" in capsys.readouterr().out
            minutes_pass()
        assert read().agreed_at is not None
        assert verify_everything() == []

    def test_is_a_job(self, begun, venue, monkeypatch):
        monkeypatch.setattr(tasks, "get_venue", lambda _: venue)
        tasks.compare_balances(timestamp=0)
        assert read().difference == 0


class TestSumsOfPurchases:
    """What is kept about purchases that ended long ago always equals the sum over all of them."""

    def hours_pass(self):
        age = timedelta(hours=3)
        Attempt.objects.filter(ended_at__isnull=False).update(ended_at=F("ended_at") - age)
        PurchaseSum.objects.update(until=F("until") - age, last_ended=F("last_ended") - age)

    def assert_they_are_right(self, *, kept):
        assert PurchaseSum.objects.count() == kept
        assert read_asset_books(venue="binance", kept=load_kept_sums(venue="binance")) == read_asset_books(
            venue="binance"
        )
        assert (read().difference, read("USDT").difference) == (0, 0)

    def test_are_kept_and_moved_on(self, buy, compare):
        buy()
        compare()
        self.assert_they_are_right(kept=0)
        self.hours_pass()
        buy()
        compare()
        self.assert_they_are_right(kept=1)
        assert (PurchaseSum.objects.get().count, PurchaseSum.objects.get().received) == (1, Decimal("15.00498"))
        self.hours_pass()
        compare()
        self.assert_they_are_right(kept=1)
        assert PurchaseSum.objects.get().count == 2

    def test_are_used_and_made_anew_by_reconciliation(self, bought, compare, venue):
        self.hours_pass()
        compare()
        run_as_owner("UPDATE settlement_attempt SET executed = executed - 1")
        compare()
        assert read().difference == 0
        reconcile(venue=venue, since=timezone.now(), now=timezone.now())
        assert read().difference == 1

    def test_prove_no_difference(self, bought, compare):
        self.hours_pass()
        compare()
        PurchaseSum.objects.update(received=F("received") + 1)
        self.hours_pass()
        compare()
        self.assert_they_are_right(kept=1)

    def test_are_kept_while_an_order_of_the_coin_is_being_placed(self, bought, compare):
        self.hours_pass()
        compare()
        before = PurchaseSum.objects.get().until
        self.hours_pass()

        def compare_in_another_session():
            try:
                compare()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            with connection.cursor() as cursor:  # as the foreign key of a new order does
                cursor.execute("SELECT FROM trading_coin FOR KEY SHARE")
            pool.submit(compare_in_another_session).result(timeout=20)
        assert PurchaseSum.objects.get().until >= before

    def test_leave_out_a_late_fill_which_is_added_when_it_is_booked(self, buy, compare, simulator, venue):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        batch = buy()
        presume_not_placed(attempt=attempts()[0], reason="given up")
        self.hours_pass()
        compare()
        assert PurchaseSum.objects.get().count == 0
        recheck_attempt(attempt_id=batch.attempts.get(number=1).pk, get_venue=lambda _: venue)
        compare()
        assert found() == [("late_fill", f"attempt {attempts()[0].client_order_id}", Decimal("15.00498"))]
        self.assert_they_are_right(kept=1)

    @pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.PARKED])
    def test_leave_out_what_is_undecided_however_old_it_is(self, bought, buy, compare, simulator, state):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        buy()
        if state == AttemptState.PARKED:
            Attempt.objects.filter(state="sent").update(state=state, ended_at=timezone.now())
        self.hours_pass()
        compare()
        books = read_asset_books(venue="binance", kept=load_kept_sums(venue="binance"))
        assert (books["ABAN"].undecided, books) == (1, read_asset_books(venue="binance"))

    def test_of_two_runs_that_wrote_by_turns_are_not_believed(self, bought, buy, compare):
        from tests.conftest import make_coin

        buy()
        other = make_coin("ETH", "3000.00")
        run_as_owner(f"UPDATE settlement_attempt SET coin_id = {other.pk} WHERE id = {attempts()[0].pk}")
        self.hours_pass()
        compare()
        assert len(load_kept_sums(venue="binance").by_coin) == 2
        PurchaseSum.objects.filter(coin=other).update(until=F("until") + timedelta(minutes=1), received=99)
        assert load_kept_sums(venue="binance") == NO_SUMS
        self.hours_pass()
        compare()
        assert len(load_kept_sums(venue="binance").by_coin) == 2
        assert read_asset_books(venue="binance", kept=load_kept_sums(venue="binance")) == read_asset_books(
            venue="binance"
        )


class TestAnAssetThatWasBoughtBefore:
    @pytest.fixture
    def unopened(self, place, settle, compare, simulator):
        place("60.00")
        settle()
        minutes_pass()
        simulator.set_account(balances={"ABAN": "20.00498"})  # it held 5 before
        compare()

    def test_gets_a_proposal_that_rests_on_no_kept_sums(self, unopened, compare):
        age = timedelta(hours=3)
        Attempt.objects.update(ended_at=F("ended_at") - age)
        compare()
        PurchaseSum.objects.update(received=F("received") + 1, until=F("until") - age, last_ended=F("last_ended") - age)
        compare()
        assert read().proposed == 5

    def test_is_not_compared_until_staff_book_the_proposed_opening(
        self, unopened, compare, admin_client, admin_user, simulator
    ):
        assert (openings(), found()) == ({}, [])
        [aban, usdt] = concerns(ConcernKind.OPENING)
        assert "20.00498 ABAN read at" in aban.reason
        assert "purchases and moves explain 15.00498; is an opening of 5 right? Then book it" in aban.reason
        assert "an opening of 1000000000 right" in usdt.reason
        for reading in (read(), read("USDT")):
            chosen = {"action": "open", "_selected_action": reading.pk, "reason": "from before"}
            assert admin_client.post("/admin/settlement/balancereading/", chosen).status_code == 302
        assert openings() == {
            "ABAN": (5, "from before", admin_user.pk),
            "USDT": (AMPLE, "from before", admin_user.pk),
        }
        assert concerns(ConcernKind.OPENING) == []
        compare()
        assert (read().difference, read("USDT").difference) == (0, 0)
        simulator.set_account(balances={"ABAN": "15.00498"})
        compare()
        minutes_pass()
        compare()
        assert found() == [("balance", "balance of ABAN at binance", -5)]

    def test_gets_no_opening_from_a_reading_during_a_purchase(
        self, unopened, place, settle, simulator, compare, admin_client, make_shopper
    ):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("40.00", of=make_shopper(), at=timezone.now())
        settle()
        compare()
        [aban, _] = concerns(ConcernKind.OPENING)
        assert "wait for the next reading" in aban.reason
        chosen = {"action": "open", "_selected_action": read().pk, "reason": "x"}
        said = admin_client.post("/admin/settlement/balancereading/", chosen, follow=True).content.decode()
        assert "Wait for the next one" in said
        assert openings() == {}

    def test_is_opened_by_nobody_while_the_database_is_in_doubt(self, coin, compare):
        DatabaseWatch.objects.update(doubted_at=timezone.now(), doubt="restored")
        compare()
        assert openings() == {}


class TestADifference:
    @pytest.mark.parametrize(
        ("held", "asset", "amount"),
        [("10", "ABAN", "-5.00498"), ("16.00498", "ABAN", "1"), ("999999900", "USDT", "-39.92")],
        ids=["a coin missing", "a coin too many", "dollars missing"],
    )
    def test_is_a_finding_after_two_readings_minutes_apart(self, bought, compare, simulator, held, asset, amount):
        simulator.set_account(balances={asset: held})
        compare()
        compare()
        assert found() == [], "seconds apart"
        minutes_pass()
        compare()
        assert found() == [("balance", f"balance of {asset} at binance", Decimal(amount))]
        finding = Finding.objects.get()
        assert (Decimal(finding.theirs), finding.closed_by) == (Decimal(held), None)
        [concern] = concerns(ConcernKind.FINDING)
        assert "holds more or less than it should: ours " in concern.reason
        assert "Compare the venue's history of orders, deposits and withdrawals" in concern.reason

    def test_closes_when_the_books_agree_again(self, bought, compare, simulator, venue):
        simulator.set_account(balances={"ABAN": "10"})
        compare()
        minutes_pass()
        compare()
        simulator.set_account(balances={"ABAN": "15.00498"})
        now = timezone.now()
        done = comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        assert (done.findings, done.closed, done.unasked) == ([], 1, [])

    def test_is_none_if_it_was_moved_and_a_move_is_booked(self, bought, compare, simulator, move):
        simulator.set_account(balances={"ABAN": "5.00498", "USDT": "1000000939.92"})
        compare()
        minutes_pass()
        move("-10")
        move("1000", asset="USDT")
        compare()
        assert found() == []
        assert (read().difference, read("USDT").difference) == (0, 0)

    def test_is_explained_by_a_move_that_is_booked_later(self, bought, compare, simulator, move):
        simulator.set_account(balances={"ABAN": "5.00498"})
        compare()
        minutes_pass()
        compare()
        assert len(found()) == 1
        move("-10")
        assert compare().closed == 1
        assert found() == []

    def test_has_to_be_the_same_in_both_readings(self, bought, compare, simulator):
        for held in ("10", "11", "12"):
            simulator.set_account(balances={"ABAN": held})
            compare()
            minutes_pass()
            assert found() == []
        compare()
        assert found() == [("balance", "balance of ABAN at binance", Decimal("-3.00498"))]

    def test_is_none_while_a_purchase_is_between_the_readings(self, bought, buy, compare, simulator):
        simulator.set_account(balances={"ABAN": "10"})
        compare()
        minutes_pass()
        buy()
        compare()
        assert (found(), read().steady_since) == ([], read().read_at)
        minutes_pass()
        compare()
        assert len(found()) == 1

    def test_is_none_if_a_purchase_ended_before_the_first_reading_by_less_than_the_margin(
        self, buy, compare, simulator, settings
    ):
        configure(settings, "SETTLEMENT", not_found_margin=timedelta(minutes=1))
        buy()
        simulator.set_account(balances={"ABAN": "10"})
        compare()
        assert read().steady_since is None
        minutes_pass(attempts_too=False)
        compare()
        assert found() == []

    @pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.PARKED])
    def test_is_none_while_a_purchase_is_in_flight_or_in_doubt(self, bought, buy, compare, simulator, state):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        buy()
        if state == AttemptState.PARKED:
            Attempt.objects.filter(state="sent").update(state=state, ended_at="2020-01-01T00:00Z")
        for _ in range(3):
            compare()
            minutes_pass()
        assert found() == []
        assert {reading.steady_since for reading in BalanceReading.objects.all()} == {None}

    def test_of_another_coin_is_found_while_only_the_funds_have_to_wait(self, bought, buy, compare, simulator):
        from tests.conftest import make_coin

        make_coin("ETH", "3000.00")
        compare()
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        buy()
        simulator.set_account(balances={"ETH": "1", "USDT": "5"})
        compare()
        minutes_pass()
        compare()
        assert found() == [("balance", "balance of ETH at binance", 1)]

    def test_that_staff_closed_is_found_again_only_if_it_changes_or_comes_again(
        self, bought, compare, simulator, admin_user
    ):
        def differ(held):
            simulator.set_account(balances={"ABAN": held})
            compare()
            minutes_pass()
            compare()

        differ("10")
        close_finding(finding=Finding.objects.get(), closed_by=admin_user, note="known", now=timezone.now())
        differ("10")
        assert found() == []
        differ("9")
        assert len(found()) == 1
        differ("15.00498")
        assert found() == []
        differ("10")
        assert found() == [("balance", "balance of ABAN at binance", Decimal("-5.00498"))]

    def test_is_one_finding_of_two_workers_at_once(self, bought, simulator, compare):
        simulator.set_account(balances={"ABAN": "10"})
        at_once(2, lambda _: compare_balances(venue=new_venue()))
        minutes_pass()
        at_once(2, lambda _: compare_balances(venue=new_venue()))
        assert len(found()) == 1
        assert Finding.objects.count() == 1

    def test_is_not_made_by_an_older_reading_that_comes_late(self, bought, compare, simulator):
        compare()
        later = timezone.now() + timedelta(minutes=1)
        BalanceReading.objects.update(read_at=later, steady_since=later)
        simulator.set_account(balances={"ABAN": "10"})
        compare()
        assert (read().read_at, read().difference) == (later, 0)


class TestABalance:
    @pytest.mark.parametrize(
        "lie",
        [
            {"balances.0.free": "-1"},
            {"balances.0.free": "NaN"},
            {"balances.0.free": "1e30"},
            {"balances.0.free": "Infinity"},
            {"balances.0.free": ""},
            {"balances.0.free": None},
            {"balances.0.free": "many"},
            {"balances.0": {"deleted": True}},
            {"balances.0.asset": "XYZ"},
            {"balances": []},
            {"balances": "none"},
            {"balances": {"deleted": True}},
        ],
        ids=str,
    )
    def test_that_cannot_be_believed_is_no_reading(self, bought, compare, simulator, lie):
        compare()
        before = (read().read_at, read().amount)
        simulator.fail({"on": "account", "action": "lie", "changes": lie})
        for _ in range(2):
            done = compare()
            assert done.unread & {"balance of ABAN", "balances"}
            assert (read().read_at, read().amount) == before
            minutes_pass()
            before = (read().read_at, read().amount)
        assert found() == []
        if "balance of ABAN" in done.unread:
            assert FailingItem.objects.filter(what="balances", item="ABAN").exists()
        simulator.fail()
        compare()
        assert (found(), FailingItem.objects.count()) == ([], 0)
        assert verify_everything() == []

    def test_of_a_coin_may_be_missing_if_there_should_be_none(self, begun, compare):
        assert compare().unread == set()
        assert (read().amount, read().difference) == (0, 0)

    def test_with_more_than_eight_places_is_rounded_once(self, bought, compare, simulator):
        simulator.fail({"on": "account", "action": "lie", "changes": {"balances.0.free": "15.004980019999"}})
        compare()
        assert (read().amount, read().difference) == (Decimal("15.00498001"), 0)

    @pytest.mark.parametrize(
        ("amount", "difference"),
        [
            ("10.000000029", "0"),
            ("10.00000003", "0.00000003"),
            ("10.000000031", "0.00000003"),
            ("9.999999999", "-0.00000001"),
            ("10", "0"),
            ("10.00000001", "0.00000001"),
        ],
    )
    def test_may_hold_what_our_rounding_left_there(self, amount, difference):
        book = AssetBook(asset="ABAN", opening=Decimal(0), bought=Decimal(10), purchases=1)
        assert difference_of(book=book, amount=Decimal(amount)) == Decimal(difference)

    def test_is_not_asked_for_during_a_ban(self, bought, compare, simulator):
        simulator.fail({"on": "account", "action": "rate_limit", "status": 418, "retry_after": "30"})
        assert compare().unread == {"balances"}
        [ban] = Pause.objects.all()
        assert (ban.kind, ask_to_call(venue="binance", now=timezone.now()).wait_until) == ("ban", ban.until)
        simulator.fail()
        assert compare().unread == {"balances"}
        assert not BalanceReading.objects.exclude(read_at__lt=ban.set_at).exists()


class TestAMove:
    def test_is_booked_by_staff_in_the_admin(self, begun, admin_client, admin_user):
        wanted = {"asset": "ABAN", "kind": "move", "amount": "-2.5", "reason": "to the cold wallet"}
        assert admin_client.post("/admin/settlement/accountmove/add/", wanted).status_code == 302
        move = AccountMove.objects.get(kind="move")
        assert (move.venue, move.asset, move.amount) == ("binance", "ABAN", Decimal("-2.5"))
        assert (move.reason, move.booked_by) == ("to the cold wallet", admin_user)
        assert "to the cold wallet" in admin_client.get("/admin/settlement/accountmove/").content.decode()

    @pytest.mark.parametrize(
        "changes",
        [{"amount": "0"}, {"amount": "NaN"}, {"asset": "XYZ"}, {"reason": ""}, {"kind": "opening"}, {"kind": "gift"}],
    )
    def test_is_refused_in_the_admin_if_it_is_not_plausible(self, begun, admin_client, changes):
        wanted = {"asset": "ABAN", "kind": "move", "amount": "1", "reason": "x"} | changes
        assert admin_client.post("/admin/settlement/accountmove/add/", wanted).status_code == 200
        assert not AccountMove.objects.filter(kind="move").exists()
        assert openings()["ABAN"][0] == 0

    @pytest.mark.parametrize(("asset", "kind"), [("XYZ", Kind.MOVE), ("ABAN", Kind.OPENING)])
    def test_is_refused_by_the_service_too(self, begun, move, asset, kind):
        with pytest.raises(MoveRefused):
            move("1", asset=asset, kind=kind)
        with pytest.raises(MoveRefused):
            move("0")
        assert AccountMove.objects.count() == 2

    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"kind": "gift"}, "account_move_kind_is_known"),
            ({"reason": ""}, "account_moves_say_where_and_why"),
            ({"venue": ""}, "account_moves_say_where_and_why"),
            ({"amount": 0}, "moves_move_something"),
            ({"booked_by": None}, "staff_book_all_but_first_readings"),
            ({"kind": "opening"}, "an_account_opens_once_per_asset"),
        ],
    )
    def test_breaks_no_rule_of_the_database(self, begun, admin_user, changes, constraint):
        values = {
            "venue": "binance",
            "asset": "ABAN",
            "kind": "move",
            "amount": 1,
            "reason": "x",
            "booked_by": admin_user,
            "booked_at": timezone.now(),
        }
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            AccountMove.objects.create(**values | changes)

    def test_cannot_be_changed_or_deleted(self, begun):
        for change in (
            lambda: AccountMove.objects.update(amount=1),
            lambda: AccountMove.objects.all()._raw_delete("default"),
        ):
            with by_owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()

    def test_leaves_the_ledger_alone(self, bought, move):
        move("-10")
        assert verify_everything() == []


class TestCommission:
    @pytest.fixture
    def edit_book(self, simulator, tmp_path):
        def run(statement):
            with opened_book(tmp_path / "book.sqlite") as book:
                book.execute(statement)

        return run

    @pytest.fixture
    def reconcile(self, venue):
        def run():
            now = timezone.now()
            return comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)

        return run

    @pytest.fixture
    def lookups(self, venue, monkeypatch):
        """The ids of the orders that reconciliation looks up."""
        seen, inner = [], venue.look_up
        monkeypatch.setattr(venue, "look_up", lambda **given: seen.append(given) or inner(**given))
        return seen

    def test_that_the_venue_took_and_we_did_not_book_is_a_finding(self, bought, reconcile, edit_book):
        edit_book("UPDATE trade SET commission = '0.02502'")
        [finding] = reconcile().findings
        assert (finding.kind, finding.ours, finding.theirs, finding.amount) == (
            "differs",
            "filled, 15.02 for 60.08, commission 0.01502",
            "closed, 15.02 for 60.08, commission 0.02502",
            Decimal("-0.01"),
        )
        edit_book("UPDATE trade SET commission = '0.01502'")
        assert (reconcile().findings, Finding.objects.filter(closed_by=None).count()) == ([], 1)

    def test_in_the_quote_asset_that_we_did_not_book_is_a_finding(self, buy, reconcile, edit_book, simulator):
        simulator.set_account(commission_asset="USDT")
        buy()
        edit_book("UPDATE trade SET commission = '0.07'")
        [finding] = reconcile().findings
        assert (finding.kind, finding.ours, finding.theirs) == (
            "differs",
            "filled, 15.02 for 60.14008",
            "closed, 15.02 for 60.15",
        )

    @pytest.mark.parametrize("asset", ["", "USDT"])
    def test_that_agrees_costs_no_lookups(self, buy, reconcile, simulator, lookups, asset, monkeypatch):
        monkeypatch.setattr(binance, "_TRADES_AT_ONCE", 2)
        simulator.set_account(commission_asset=asset)
        for _ in range(5):
            buy()
        assert reconcile().findings == []
        assert lookups == []

    def test_of_purchases_on_several_days_costs_no_lookups(self, buy, venue, edit_book, simulator, lookups):
        simulator.set_account(commission_asset="USDT")  # the list of orders leaves it out
        for days in (4, 2, 0):
            buy()
            for table in ("venue_order", "trade"):
                newest = f"(SELECT max(id) FROM {table})"
                edit_book(f"UPDATE {table} SET time = time - {days * 86_400_000} WHERE id = {newest}")
        now = timezone.now()
        done = comparing.reconcile(venue=venue, since=now - timedelta(days=5), now=now)
        assert (done.purchases, done.findings, done.unasked, lookups) == (3, [], [], [])

    def test_that_differs_everywhere_costs_a_bounded_number_of_lookups(
        self, buy, reconcile, edit_book, lookups, monkeypatch
    ):
        monkeypatch.setattr(judging, "_MOST_LOOKUPS", 2)
        for _ in range(4):
            buy()
        edit_book("UPDATE trade SET commission = '0.02502'")
        done = reconcile()
        assert (len(done.findings), len(lookups), done.unasked) == (2, 2, ["ABAN"])

    def test_cannot_be_compared_without_the_trades(self, bought, reconcile, simulator, lookups):
        for rule in ({"action": "not_found"}, {"action": "reject"}):
            simulator.fail({"on": "trades", **rule})
            done = reconcile()
            assert (done.findings, done.unasked, lookups) == ([], ["ABAN"], [])

    def test_in_trades_that_contradict_their_order_is_looked_up(self, bought, reconcile, simulator, lookups):
        simulator.fail({"on": "trades", "action": "lie", "changes": {"0.qty": "99"}})
        [finding] = reconcile().findings
        assert (finding.kind, len(lookups)) == ("differs", 1)
        assert finding.theirs.startswith("untrue: ")

    def test_of_trades_that_are_said_twice_counts_once(self, bought, reconcile, venue, lookups, monkeypatch):
        rows = venue._profile._trades
        monkeypatch.setattr(type(venue._profile), "_trades", lambda _, *given: [*rows(*given), *rows(*given)])
        assert (reconcile().findings, lookups) == ([], [])


def test_a_comparison_takes_few_queries_and_leaves_no_transaction_open(begun, compare, django_assert_max_num_queries):
    with django_assert_max_num_queries(60):
        compare()
    assert connection.in_atomic_block is False
