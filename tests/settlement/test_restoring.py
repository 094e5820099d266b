"""A database that comes back older than the world. The venue is a simulator in another process, and keeps its book."""

import threading
import uuid
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from exchange_site.database.owner import as_owner
from settlement.exceptions import NotAnUnknownOrder, SendingStopped, UnknownOrderUndecided
from settlement.models import (
    Attempt,
    AttemptState,
    DatabaseWatch,
    Finding,
    FindingDecision,
    FindingKind,
    Installation,
    Pause,
    PauseKind,
    begin_watch,
    load_installation_code,
    new_client_order_id,
)
from settlement.order_ids import is_ours, make_client_order_id
from settlement.services import adopting, recognising
from settlement.services.adopting import CannotAdopt, adopt, carry_out_decision, list_unknown
from settlement.services.findings import Contradiction, close_finding, decide_about_order, raise_finding
from settlement.services.recognising import ensure_may_send, watch_database
from settlement.services.reconciling import comparing
from settlement.services.restoring import asking
from settlement.services.restoring.after import SEQUENCE_STEP, put_right
from settlement.services.stepping import take_next_step
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from settlement.venues.protocol import PurchaseRequest
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.settlement.conftest import attempts, end_pauses, new_venue, states
from tests.simulators import opened_book
from tests.staff import make_chief
from tests.typed import give_password
from trading.models import Coin
from wallets.models import Proposal, ProposalRecord, TokenFamily, User, Wallet, WalletRole
from wallets.runtime.redis_store import with_redis
from wallets.services.proposals import approve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(settings):
    """Requests reach the venue within half a second, so that a doubt is soon resolved."""
    configure(settings, "VENUE", recv_window=timedelta(milliseconds=500))
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0))


@pytest.fixture
def get_venue(venue):
    """Return the venue of the calling thread, as in a worker."""
    of_thread = threading.local()

    def get(name):
        if not hasattr(of_thread, "venue"):
            of_thread.venue = new_venue()
            of_thread.venue._client.enableRateLimit = False
        return of_thread.venue

    return get


@pytest.fixture
def keep_watch(get_venue):
    return lambda: asking.keep_watch(get_venue=get_venue)


@pytest.fixture
def buy(simulator, venue):
    """Buy at the venue without an attempt of ours, and return the client order id."""

    def at_the_venue(quantity="5", *, name=None, coin="ABAN", price="4.1"):
        name = name or new_client_order_id()
        purchase = PurchaseRequest(
            coin=coin,
            client_order_id=name,
            quantity=Decimal(quantity),
            limit_price=Decimal(price),
            signed_at=venue.read_time(),
            window=timedelta(seconds=5),
        )
        assert venue.buy(purchase=purchase).quantity == Decimal(quantity)
        return name

    return at_the_venue


@pytest.fixture
def edit_the_book(simulator, tmp_path):
    """Change the venue's orders and trades."""

    def run(statement):
        with opened_book(tmp_path / "book.sqlite") as book:
            book.execute(statement)

    return run


@pytest.fixture
def after_restore(get_venue):
    """Put things right, as the owner unless told otherwise: only the owner can do without drawing a million numbers."""
    return lambda as_owner=as_owner: put_right(get_venue=get_venue, tell=lambda _: None, as_owner=as_owner)


def bring_back_a_dump():
    """Write the installation's row anew, as a dump does that is restored into the same database."""
    run_as_owner(
        "CREATE TEMP TABLE kept AS SELECT * FROM settlement_installation; DELETE FROM settlement_installation;"
        " INSERT INTO settlement_installation SELECT * FROM kept"
    )


def watch():
    return DatabaseWatch.objects.get()


def inventory(coin="ABAN"):
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset=coin).balance


def is_recognised():
    try:
        ensure_may_send()
    except SendingStopped:
        return False
    return True


class TestClientOrderIds:
    def test_begin_with_the_installations_code(self):
        code = load_installation_code()
        made = new_client_order_id()
        assert (made[:10], len(made)) == (f"ce{code}", 32)
        assert is_ours(made, installation=code)
        assert len({new_client_order_id() for _ in range(100)}) == 100

    def test_of_before_stay_ours_and_those_of_another_installation_do_not(self):
        code = load_installation_code()
        assert is_ours(f"ce{uuid.uuid4().hex}", installation=code)
        for _ in range(200):
            assert not is_ours(make_client_order_id(installation="0" * 8), installation=code)
        assert not is_ours(f"xx{code}{'0' * 24}", installation=code)

    def test_of_another_installation_are_no_findings(self, coin, buy, venue):
        buy(name=make_client_order_id(installation="deadbeef"))
        own, of_before = buy(), buy(name=f"ce{uuid.uuid4().hex}")
        comparing.reconcile(venue=venue, since=timezone.now() - timedelta(days=1), now=timezone.now())
        found = Finding.objects.filter(kind=FindingKind.EXTRA).order_by("id").values_list("subject", flat=True)
        assert [subject.split()[1] for subject in found] == [own, of_before]

    def test_keep_their_code(self):
        code = load_installation_code()
        begin_watch()
        assert (load_installation_code(), Installation.objects.count()) == (code, 1)


class TestTheDatabase:
    def test_is_in_doubt_after_a_dump_was_restored_into_it(self, coin):
        bring_back_a_dump()
        assert not is_recognised()
        assert watch().doubt == "its data was written anew"

    @pytest.mark.parametrize("hinted", ["by this process", "by Redis"])
    def test_stays_trusted_if_another_worker_beats_while_it_is_compared(self, coin, monkeypatch, hinted):
        watch_database()
        read, others = recognising.read_watch, []

        def beat_after_reading():
            old = read()
            if not others:
                others.append(1)
                assert watch_database() is None
                if hinted == "by Redis":
                    recognising._seen.clear()
                else:
                    with_redis(lambda client: client.flushall())
            return old

        monkeypatch.setattr(recognising, "read_watch", beat_after_reading)
        assert watch_database() is None
        assert (watch().doubted_at, watch().beat) == (None, 3)

    def test_that_has_purchases_and_no_watch_yet_is_asked_about(self, place, settle):
        place("60.00")
        settle()
        run_as_owner("DELETE FROM settlement_databasewatch")
        assert not is_recognised()
        assert watch().doubt == "no venue has been asked yet"


class TestNothingIsSent:
    def test_while_the_database_is_in_doubt(self, place, claim, venue, simulator):
        place("60.00")
        batch = claim()
        bring_back_a_dump()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert [attempt.state for attempt in attempts()] == [AttemptState.NEW]
        assert simulator.book() == []

    def test_when_the_database_changes_between_the_check_and_the_sending(
        self, place, claim, venue, simulator, monkeypatch
    ):
        place("60.00")
        batch = claim()
        read_time = CcxtVenue.read_time

        def restore_meanwhile(self):
            bring_back_a_dump()
            return read_time(self)

        monkeypatch.setattr(CcxtVenue, "read_time", restore_meanwhile)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert [attempt.state for attempt in attempts()] == [AttemptState.NEW]
        assert simulator.book() == []


class TestADoubt:
    def test_ends_by_itself_when_the_venue_has_nothing_unknown(
        self, place, settle, claim, venue, keep_watch, make_shopper
    ):
        place("60.00")
        settle()
        bring_back_a_dump()
        place("60.00", of=make_shopper())
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        keep_watch()
        assert (watch().doubted_at, is_recognised(), list_to_do(now=timezone.now())) == (None, True, [])
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert states() == ["completed", "completed"]

    def test_goes_on_while_the_venue_does_not_answer_and_is_on_the_to_do_page_then(
        self, place, settle, keep_watch, simulator, settings
    ):
        place("60.00")
        settle()
        bring_back_a_dump()
        simulator.fail({"action": "down"})
        keep_watch()
        assert not is_recognised()
        [concern] = list_to_do(now=timezone.now() + settings.TO_DO.pending_limit)
        assert concern.kind == ConcernKind.DATABASE
        simulator.fail()
        keep_watch()
        assert is_recognised()

    def test_stops_sending_when_the_venue_has_an_unknown_order(self, coin, buy, keep_watch):
        name = buy("5")
        bring_back_a_dump()
        keep_watch()
        assert not is_recognised()
        keep_watch()  # a second look changes nothing
        [concern] = list_to_do(now=timezone.now())
        assert (concern.kind, name in concern.reason, "5 for 20" in concern.reason) == (
            ConcernKind.DATABASE,
            True,
            True,
        )

    def test_stops_sending_when_an_attempt_that_was_never_sent_is_at_the_venue(self, place, claim, buy, keep_watch):
        place("60.00")
        claim()
        [attempt] = attempts()
        buy("15", name=attempt.client_order_id)
        bring_back_a_dump()
        keep_watch()
        assert (watch().stopped_at is None, attempt.client_order_id in watch().found[0]) == (False, True)

    def test_asks_for_each_asset_that_the_account_holds(self, coin, buy, simulator, keep_watch):
        simulator.set_prices(GONE="2.00")
        name = buy("10", coin="GONE", price="2.1")
        bring_back_a_dump()
        keep_watch()
        assert name in watch().found[0]

    @pytest.mark.parametrize("statement", ["UPDATE market SET symbol = 'XYZUSDT'", "DELETE FROM market"])
    @pytest.mark.parametrize("is_bought", [False, True], ids=["on sale", "bought before"])
    def test_goes_on_while_the_list_of_markets_lacks_a_coin_of_ours(
        self, coin, place, settle, buy, keep_watch, simulator, edit_the_book, statement, is_bought
    ):
        if is_bought:
            place("60.00")
            settle()
            Coin.objects.update(is_sold=False)
        simulator.set_prices(BETA="1.00")
        name = buy("5")
        bring_back_a_dump()
        edit_the_book(f"{statement} WHERE symbol = 'ABANUSDT'" if "XYZ" in statement else statement)
        markets.forget()
        keep_watch()
        assert (is_recognised(), watch().stopped_at) == (False, None)
        simulator.set_prices(ABAN="4.00")
        markets.forget()
        keep_watch()
        assert (is_recognised(), name in watch().found[0]) == (False, True)

    @pytest.mark.parametrize(
        "stays", [None, "bought long ago", "on sale", "held", "with an open order", "bought lately"]
    )
    def test_ends_without_a_market_only_of_a_coin_that_nobody_can_buy(
        self, coin, place, settle, keep_watch, simulator, stays
    ):
        if stays == "with an open order":
            place("60.00")
        elif stays in {"bought long ago", "held", "bought lately"}:
            place("60.00")
            settle()
        if stays in {"bought long ago", "held"}:
            run_as_owner("UPDATE settlement_attempt SET created_at = '2026-01-01T00:00Z'")
        if stays != "held":
            simulator.set_account(balances={"ABAN": "0"})
        Coin.objects.update(is_sold=stays == "on sale")
        simulator.set_prices(BETA="1.00")
        simulator.delist("ABAN")
        markets.forget()
        bring_back_a_dump()
        keep_watch()
        assert is_recognised() == (stays in {None, "bought long ago"})

    @pytest.mark.parametrize("status", [418, 429])
    def test_goes_on_without_a_call_while_the_venue_wants_none(self, coin, simulator, keep_watch, status):
        names = [f"CO{letter}" for letter in "ABCDEFGH"]
        for name in names:
            make_coin(name, "1.00")
        simulator.set_prices(**dict.fromkeys(names, "1.00"))
        bring_back_a_dump()
        simulator.fail({"on": "query", "action": "rate_limit", "status": status, "retry_after": "15"})
        keep_watch()
        [ban] = Pause.objects.all()
        assert (ban.kind, ban.until - ban.set_at >= timedelta(seconds=15)) == (PauseKind.BAN, True)
        [asked] = [rule["applied"] for rule in simulator.faults()]
        assert 1 <= asked <= 4, "one call of each thread"
        simulator.fail({"action": "delay", "wait": 0.001})  # counts every call
        keep_watch()
        assert ([rule["applied"] for rule in simulator.faults()], is_recognised()) == ([0], False)
        end_pauses()
        keep_watch()
        assert (Pause.objects.exists(), is_recognised()) == (False, True), "the probe's answer ends the ban"

    def test_finds_nothing_in_the_orders_of_another_installation(self, coin, buy, keep_watch):
        buy(name=make_client_order_id(installation="deadbeef"))
        bring_back_a_dump()
        keep_watch()
        assert is_recognised()


class TestAfterRestore:
    @pytest.fixture
    def lost(self, coin, buy, simulator):
        """Two purchases that the database has forgotten, one of them of a coin that it has forgotten too."""
        simulator.set_prices(GONE="2.00")
        names = [buy("5"), buy("10", coin="GONE", price="2.1")]
        bring_back_a_dump()
        return names

    def test_adopts_what_the_venue_has_and_lets_buying_go_on(self, lost, keep_watch, after_restore, venue):
        keep_watch()
        done = after_restore()
        assert [attempt.client_order_id for attempt in done.adopted] == lost
        assert {attempt.batch_id for attempt in attempts()} == {None}
        assert (done.is_complete, done.new_coins, is_recognised()) == (True, ["GONE"], True)
        assert (inventory(), inventory("GONE")) == (Decimal("4.995"), Decimal("9.99"))
        assert not Coin.objects.get(name="GONE").is_sold
        assert verify_everything() == []
        found = comparing.reconcile(venue=venue, since=timezone.now() - timedelta(days=1), now=timezone.now())
        assert (found.findings, found.unasked) == ([], [])
        closed = Finding.objects.filter(kind=FindingKind.EXTRA, note="adopted by after_restore")
        assert {finding.subject.split()[1] for finding in closed} == set(lost)

    def test_changes_no_more_when_it_is_run_again(self, lost, after_restore):
        after_restore()
        done = after_restore()
        assert (done.adopted, done.is_complete, len(attempts())) == ([], True, 2)
        assert verify_everything() == []

    def test_delivers_adopted_coins_to_orders_that_wait(self, place, claim, lost, after_restore, simulator):
        order = place("16.00")
        claim()
        after_restore()
        order.refresh_from_db()
        assert (order.state, len(simulator.book("ABAN"))) == ("completed", 1)
        assert verify_everything() == []

    def test_completes_the_orders_of_an_attempt_that_was_sent_before(self, place, claim, buy, after_restore, simulator):
        place("60.00")
        claim()
        [attempt] = attempts()
        buy("15.02", name=attempt.client_order_id)
        bring_back_a_dump()
        after_restore()
        assert (states(), len(simulator.book())) == (["completed"], 1)
        assert verify_everything() == []

    def test_leaves_nothing_to_staff_if_other_coins_completed_the_orders_of_such_an_attempt(
        self, place, claim, buy, after_restore, simulator, venue
    ):
        place("60.00")
        claim()
        [attempt] = attempts()
        buy("20")
        buy("15.02", name=attempt.client_order_id)
        bring_back_a_dump()
        done = after_restore()
        assert [each.executed for each in done.adopted] == [20, Decimal("15.02")]
        assert (states(), len(simulator.book())) == (["completed"], 2)
        assert verify_everything() == []
        found = comparing.reconcile(venue=venue, since=timezone.now() - timedelta(days=1), now=timezone.now())
        assert (found.findings, found.unasked) == ([], [])

    def test_adopts_the_second_of_two_orders_with_one_id(self, place, settle, buy, after_restore, venue):
        place("60.00")
        settle()
        [attempt] = attempts()
        buy("15", name=attempt.client_order_id)
        bring_back_a_dump()
        done = after_restore()
        assert [each.executed for each in done.adopted] == [15]
        assert verify_everything() == []
        found = comparing.reconcile(venue=venue, since=timezone.now() - timedelta(days=1), now=timezone.now())
        assert (found.findings, found.unasked) == ([], [])

    @pytest.mark.parametrize("as_owner", [as_owner, nullcontext], ids=["the owner", "the application"])
    def test_moves_every_sequence_on(self, lost, after_restore, place, as_owner):
        earlier = place("6.00").pk
        assert after_restore(as_owner).sequences > 15
        assert place("6.00").pk > earlier + SEQUENCE_STEP

    def test_ends_every_sign_in(self, lost, after_restore, shopper, api):
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        assert after_restore().sign_ins == 1
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401
        assert api("POST", "accounts/auth/refresh/", {"refresh": shopper.tokens.refresh}).status_code == 401
        assert not TokenFamily.objects.filter(ended_at=None).exists()

    def test_stays_stopped_if_an_order_cannot_be_adopted(self, coin, buy, simulator, after_restore, keep_watch):
        simulator.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
        buy("5")
        bring_back_a_dump()
        done = after_restore()
        assert (done.adopted, list(done.refused.values())) == ([], ["commission in BNB"])
        keep_watch()
        assert (is_recognised(), attempts(), inventory()) == (False, [], 0)
        assert "commission in BNB" in watch().found[0]

    def test_goes_on_if_staff_say_that_the_order_is_not_ours(
        self, coin, buy, simulator, after_restore, venue, admin_user
    ):
        simulator.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
        buy("5")
        now = timezone.now()
        comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        decide_about_order(
            finding=Finding.objects.get(),
            decision=FindingDecision.NOT_OURS,
            decided_by=admin_user,
            note="a test",
            now=now,
        )
        bring_back_a_dump()
        assert after_restore().is_complete

    def test_stays_stopped_if_the_venue_does_not_answer(self, lost, after_restore, simulator):
        simulator.fail({"action": "down"})
        done = after_restore()
        assert (done.is_complete, bool(done.unasked), is_recognised()) == (False, True, False)

    def test_as_a_command_prints_amounts_and_exits_with_0(self, lost, get_venue, monkeypatch, admin_user):
        monkeypatch.setattr("exchange_site.management.commands.after_restore.get_venue", get_venue)
        out = StringIO()
        call_command("after_restore", "--by", "admin", stdout=out)
        text = out.getvalue()
        assert ProposalRecord.objects.get().asked_by == admin_user
        assert all(name in text for name in lost)
        assert "2 purchases adopted for 40 USD" in text
        assert "The coin GONE was missing" in text

    def test_as_a_command_waits_for_a_second_person_and_sends_nothing(
        self, lost, get_venue, monkeypatch, admin_user, settings
    ):
        configure(settings, "PROPOSALS", kinds={"restoration": Decimal(0)})
        monkeypatch.setattr("exchange_site.management.commands.after_restore.get_venue", get_venue)

        def run():
            give_password(admin_user, monkeypatch)
            call_command("after_restore", "--by", "admin", "--password-stdin", stdout=StringIO())

        for _ in range(2):
            with pytest.raises(SystemExit) as ended:
                run()
            assert ended.value.code == 3
        assert not is_recognised()
        assert not Attempt.objects.filter(batch=None).exists()
        proposal = Proposal.objects.get()
        approve(proposal_id=proposal.pk, approved_by=make_chief("second"))
        run()
        assert Attempt.objects.filter(batch=None).count() == 2
        assert is_recognised()
        with pytest.raises(SystemExit):
            run()
        assert Proposal.objects.count() == 2, "the permission was for the doubt that has ended"

    @pytest.mark.parametrize(("by", "sentence"), [("clerk", "is missing"), ("nobody", "active member of staff")])
    def test_as_a_command_is_not_for_everybody(self, lost, by, sentence):
        User.objects.create_user("clerk", is_staff=True)
        with pytest.raises(CommandError, match=sentence):
            call_command("after_restore", "--by", by)
        assert not Proposal.objects.exists()


def assert_open(order, *, reason):
    [finding] = Finding.objects.all()
    assert (finding.kind, finding.subject, finding.closed_at) == (FindingKind.EXTRA, order.subject, None)
    assert finding.ours.startswith("not adopted: ")
    assert reason in finding.ours


class TestAdopting:
    @pytest.fixture
    def stranger(self, coin, buy, venue):
        buy("5")
        listed = venue.list_purchases(coin="ABAN", since=timezone.now() - timedelta(hours=1))
        [order] = list_unknown(venue="binance", coin_name="ABAN", listed=listed)
        return order

    def test_is_done_once(self, stranger, venue):
        assert adopt(order=stranger, venue=venue, note="x") is not None
        assert adopt(order=stranger, venue=venue, note="x") is None
        assert (len(attempts()), inventory()) == (1, Decimal("4.995"))

    @pytest.mark.parametrize(
        ("statement", "reason"),
        [
            ("UPDATE venue_order SET executed = '50', quote = '200'", "executed 50, asked for 5"),
            ("UPDATE venue_order SET quote = '0'", "executed 5 for nothing"),
            ("UPDATE trade SET commission = '4'", "commission of 4 coins"),
            ("UPDATE trade SET commission = '-1'", "commission '-1.00000000'"),
            ("UPDATE venue_order SET quote = '2000'", "cost 2000, but its trades cost 20"),
        ],
    )
    def test_refuses_figures_that_cannot_be_true(self, stranger, venue, edit_the_book, statement, reason):
        edit_the_book(statement)
        if "executed" in statement:
            edit_the_book("UPDATE trade SET quantity = '50', quote = '200'")
        with pytest.raises(CannotAdopt, match=reason):
            adopt(order=stranger, venue=venue, note="x")
        assert (attempts(), inventory()) == ([], 0)
        assert_open(stranger, reason=reason)

    def test_keeps_an_answer_that_the_database_cannot_store(self, stranger, venue, simulator):
        changes = {"timeInForce": "a\x00b"}
        simulator.fail({"on": "query", "action": "lie", "changes": changes})
        attempt = adopt(order=stranger, venue=venue, note="x")
        assert "a/u0000b" in attempt.answer["text"]
        assert inventory() == Decimal("4.995")

    def test_makes_no_call_during_a_ban(self, stranger, venue, simulator):
        simulator.fail({"on": "query", "action": "rate_limit", "status": 418, "retry_after": "60"})
        for _ in range(2):
            with pytest.raises(CannotAdopt, match="does not say"):
                adopt(order=stranger, venue=venue, note="x")
        assert [rule["applied"] for rule in simulator.faults()] == [1]
        assert Pause.objects.get().kind == PauseKind.BAN
        assert (attempts(), inventory()) == ([], 0)

    @pytest.fixture
    def withdrawn(self, place, claim, buy, venue):
        """A batch's attempt that was never sent as far as we know, and its order at the venue."""
        place("60.00")
        claim()
        [attempt] = attempts()
        buy("15.02", name=attempt.client_order_id)
        listed = venue.list_purchases(coin="ABAN", since=timezone.now() - timedelta(hours=1))
        [order] = list_unknown(venue="binance", coin_name="ABAN", listed=listed)
        return order

    def test_books_no_attempt_that_is_sent_meanwhile(self, withdrawn, venue, monkeypatch):
        as_sent = adopting._as_sent

        def send_meanwhile(order, execution, now):
            Attempt.objects.update(state=AttemptState.SENT, **as_sent(order, execution, now))
            return as_sent(order, execution, now)

        monkeypatch.setattr(adopting, "_as_sent", send_meanwhile)
        with pytest.raises(CannotAdopt, match="not waiting any more"):
            adopt(order=withdrawn, venue=venue, note="x")
        assert (inventory(), states()) == (0, ["settling"])
        assert_open(withdrawn, reason="not waiting any more")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"quantity": "15", "signed_at": "2026-01-01T00:00Z"}, "asked for 15"),
            ({"limit_price": "3", "signed_at": "2026-01-01T00:00Z"}, "at most"),
            ({"venue_order_id": "999"}, "999"),
        ],
    )
    def test_closes_nothing_if_the_gate_refuses_the_fill_of_an_attempt(self, withdrawn, venue, changes, reason):
        sent = {"quantity": "15.02", "limit_price": "4.1", "budget": "100", "clock_offset": timedelta(0)}
        if "signed_at" in changes:
            changes = {**sent, "valid_until": changes["signed_at"], **changes}
        ended = {"state": AttemptState.NOT_PLACED, "ended_at": timezone.now()}
        Attempt.objects.update(**ended, **changes)
        with pytest.raises(CannotAdopt, match=reason):
            adopt(order=withdrawn, venue=venue, note="x")
        [attempt] = attempts()
        assert (attempt.state, attempt.executed, inventory()) == (AttemptState.NOT_PLACED, 0, 0)
        assert (attempt.signed_at is None) == ("signed_at" not in changes)
        assert_open(withdrawn, reason=reason)


class TestAFindingAboutAnUnknownOrder:
    @pytest.fixture
    def finding(self, coin, buy, venue):
        buy("5")
        now = timezone.now()
        comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        return Finding.objects.get()

    def test_cannot_only_be_closed(self, finding, admin_user, now):
        with pytest.raises(UnknownOrderUndecided):
            close_finding(finding=finding, closed_by=admin_user, note="x", now=now)
        finding.refresh_from_db()
        assert finding.closed_at is None

    def test_is_adopted_by_a_worker_when_staff_say_so(self, finding, admin_user, venue, now):
        decided = {"decision": FindingDecision.ADOPT, "decided_by": admin_user, "note": "ours", "now": now}
        assert decide_about_order(finding=finding, **decided)
        assert not decide_about_order(finding=finding, **decided)
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        assert (finding.closed_by, finding.note, finding.attempt) == (admin_user, "ours", Attempt.objects.get())
        assert (inventory(), verify_everything()) == (Decimal("4.995"), [])

    def test_waits_for_staff_again_if_the_order_cannot_be_adopted(self, finding, admin_user, venue, now, edit_the_book):
        edit_the_book("UPDATE trade SET commission_asset = 'BNB'")
        decide_about_order(finding=finding, decision=FindingDecision.ADOPT, decided_by=admin_user, note="ours", now=now)
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        assert (finding.closed_at, finding.decision, finding.ours) == (None, "", "not adopted: commission in BNB")
        comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        finding.refresh_from_db()
        assert finding.ours == "not adopted: commission in BNB"

    def test_is_decided_for_good_after_it_could_not_be_adopted(self, finding, admin_user, venue, now, edit_the_book):
        edit_the_book("UPDATE trade SET commission_asset = 'BNB'")
        for decision in (FindingDecision.ADOPT, FindingDecision.NOT_OURS):
            decide_about_order(finding=finding, decision=decision, decided_by=admin_user, note="x", now=now)
            carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        found = comparing.reconcile(venue=venue, since=now - timedelta(days=1), now=now)
        assert (found.findings, found.unasked) == ([], [])

    def test_is_the_only_kind_to_decide_about(self, coin, admin_user, now):
        other = raise_finding(contradiction=Contradiction(kind=FindingKind.LEDGER, subject="rule 1"), now=now)
        with pytest.raises(NotAnUnknownOrder):
            decide_about_order(finding=other, decision=FindingDecision.ADOPT, decided_by=admin_user, note="x", now=now)
