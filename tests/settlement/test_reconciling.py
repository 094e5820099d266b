"""Reconciliation with a venue in another process, whose order book the tests edit."""

import threading
import time
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from settlement import tasks
from settlement.models import IN_FLIGHT, Attempt, AttemptState, Finding, FindingKind, new_client_order_id
from settlement.selectors.findings import count_open_findings
from settlement.services import sending, stepping
from settlement.services.claiming import claim_waiting_orders
from settlement.services.reconciling import comparing
from settlement.services.stepping import recheck_attempt, take_next_step
from settlement.venues.profiles.words import Reply
from settlement.venues.protocol import CLIENT_ORDER_ID_PREFIX, PurchaseRequest, VenueAway
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.settlement.conftest import attempts, end_pauses, new_venue
from tests.simulators import opened_book
from wallets.models import Transaction, Wallet, WalletRole

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def no_lag(settings):
    configure(settings, "SETTLEMENT", not_found_margin=timedelta(0))


@pytest.fixture
def venue(venue):
    venue._client.enableRateLimit = False  # else each page of a list would wait
    return venue


@pytest.fixture
def reconcile(venue):
    def run(days=2, of=None):
        now = timezone.now()
        return comparing.reconcile(venue=of or venue, since=now - days * DAY, now=now)

    return run


@pytest.fixture
def edit_book(simulator, tmp_path):
    """Change the orders in the venue's book."""

    def run(statement, *rows):
        with opened_book(tmp_path / "book.sqlite") as book:
            book.executemany(statement, rows or [()])

    return run


@pytest.fixture
def buy(simulator, venue):
    """Buy at the venue without an attempt of ours."""

    def at_the_venue(quantity="5", *, name=None):
        name = name or new_client_order_id()
        purchase = PurchaseRequest(
            coin="ABAN",
            client_order_id=name,
            quantity=Decimal(quantity),
            limit_price=Decimal("4.1"),
            signed_at=venue.read_time(),
            window=timedelta(seconds=5),
        )
        assert venue.buy(purchase=purchase).quantity == Decimal(quantity)
        return name

    return at_the_venue


def command(*arguments):
    """Run `manage.py reconcile`, and return its exit code and output."""
    out = StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out)
    except SystemExit as stopped:
        return stopped.code, out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def at_our_venue(venue, monkeypatch):
    monkeypatch.setattr("settlement.management.commands.reconcile.get_venue", lambda _: venue)


def found(**wanted):
    """Return the open findings, as (kind, subject)."""
    return [(row.kind, row.subject) for row in Finding.objects.filter(closed_at=None, **wanted).order_by("id")]


def subject_of(attempt):
    return f"attempt {attempt.client_order_id}"


class TestNothingToFind:
    def test_after_ordinary_settlements(self, place, settle, simulator, reconcile, make_shopper):
        place("60.00")
        settle()
        simulator.fail({"on": "place", "action": "partial", "fraction": "0.5", "times": 1})
        place("40.00")
        settle(steps=2)
        simulator.fail({"on": "place", "action": "partial", "fraction": "0", "times": 1})
        place("20.00", of=make_shopper())
        settle(steps=2)
        simulator.fail()
        done = reconcile()
        assert (done.findings, done.unasked, done.late_fills) == ([], [], 0)
        assert done.purchases == done.attempts == len(simulator.book()) == len(attempts()) == 5

    def test_after_refusals_and_lost_answers(self, place, settle, simulator, reconcile):
        place("12.00")
        simulator.fail({"on": "place", "action": "reject"})
        settle()
        place("12.00")
        simulator.fail(
            {"on": "place", "action": "reject", "code": -1013, "msg": "Filter failure: LOT_SIZE", "times": 1}
        )
        settle(steps=2)
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("12.00")
        settle(steps=2)
        assert [attempt.state for attempt in attempts()] == ["refused", "not_placed", "filled", "filled"]
        assert reconcile().findings == []

    def test_when_commission_is_part_of_the_cost(self, place, settle, simulator, reconcile):
        simulator.set_account(commission_asset="USDT")
        place("60.00")
        settle()
        assert attempts()[0].cost > Decimal(simulator.book()[0]["cummulativeQuoteQty"])
        assert reconcile().findings == []

    def test_while_a_batch_waits_for_staff(self, place, settle, simulator, reconcile):
        simulator.set_account(balances={"BNB": "1000"}, commission_asset="BNB")
        place("60.00")
        settle()
        assert attempts()[0].state == AttemptState.PARKED
        [finding] = reconcile().findings
        assert (finding.kind, finding.theirs) == ("untrue", "commission in BNB"), "of the gate, and no other"

    def test_for_a_coin_that_the_venue_does_not_list(self, reconcile, coin, simulator):
        make_coin("NOLIST", "1.00")
        done = reconcile()
        assert (done.findings, done.unasked) == ([], [])

    def test_when_others_placed_orders_at_the_venue(self, buy, coin, reconcile):
        buy(name="web_1234")
        done = reconcile()
        assert (done.purchases, done.findings) == (0, [])

    def test_in_purchases_before_the_window(self, place, settle, simulator, edit_book, reconcile):
        place("60.00")
        settle()
        edit_book("DELETE FROM trade")
        edit_book("DELETE FROM venue_order")
        Attempt.objects.update(signed_at=timezone.now() - 2 * DAY - timedelta(minutes=1))
        assert reconcile().findings == []
        assert len(reconcile(days=3).findings) == 1
        assert len(reconcile().findings) == 1, "this run did not look there"


class TestExtra:
    def test_is_an_order_that_we_do_not_know(self, place, settle, coin, buy, reconcile):
        place("60.00")
        settle()
        name = buy("5")
        [finding] = reconcile().findings
        assert (finding.kind, finding.subject) == (FindingKind.EXTRA, f"order {name} 2")
        assert (finding.coin, finding.attempt, finding.theirs) == (coin, None, "5 for 20")
        assert finding.amount == 5
        assert verify_everything() == []

    def test_is_a_purchase_made_twice_under_one_id(self, place, settle, buy, reconcile):
        place("60.00")
        settle()
        name = buy("15.02", name=attempts()[0].client_order_id)
        reconcile()
        assert found() == [("extra", f"order {name} 2")]

    def test_is_not_an_order_that_bought_nothing(self, coin, buy, simulator, reconcile, edit_book):
        buy()
        edit_book("UPDATE venue_order SET executed = '0', quote = '0', status = 'EXPIRED'")
        assert reconcile().findings == []

    def test_stays_if_only_the_venues_list_leaves_the_order_out(self, coin, buy, reconcile, venue, monkeypatch):
        buy()
        reconcile()
        monkeypatch.setattr(venue, "list_purchases", lambda **_: [])
        assert len(reconcile().findings) == 1

    def test_closes_when_the_venue_no_longer_knows_the_order(self, coin, buy, reconcile, edit_book):
        buy()
        reconcile()
        edit_book("DELETE FROM trade")
        edit_book("DELETE FROM venue_order")
        done = reconcile()
        assert (done.findings, done.closed) == ([], 1)
        finding = Finding.objects.get()
        assert finding.closed_at is not None
        assert finding.closed_by is None


class TestMissing:
    @pytest.fixture
    def forgotten(self, place, settle, edit_book):
        place("60.00")
        settle()
        edit_book("DELETE FROM trade")
        edit_book("DELETE FROM venue_order")
        return attempts()[0]

    def test_is_a_fill_that_the_venue_does_not_know(self, forgotten, reconcile):
        [finding] = reconcile().findings
        assert (finding.kind, finding.subject, finding.attempt) == ("missing", subject_of(forgotten), forgotten)
        assert (finding.ours, finding.amount) == ("15.02 for 60.08", Decimal("-15.02"))

    def test_is_not_a_fill_that_only_the_list_leaves_out(self, place, settle, reconcile, venue, monkeypatch):
        place("60.00")
        settle()
        monkeypatch.setattr(venue, "list_purchases", lambda **_: [])
        assert reconcile().findings == []

    def test_is_not_a_fill_that_could_not_be_looked_up(self, forgotten, simulator, reconcile, venue, monkeypatch):
        monkeypatch.setattr(venue, "list_purchases", lambda **_: [])
        simulator.fail({"on": "query", "action": "down"})
        done = reconcile()
        assert (done.findings, done.unasked) == ([], ["ABAN"])

    def test_is_not_a_recent_fill(self, forgotten, reconcile, settings):
        configure(settings, "SETTLEMENT", not_found_margin=timedelta(seconds=30))
        assert reconcile().findings == []
        Attempt.objects.update(ended_at=timezone.now() - timedelta(seconds=31))
        assert len(reconcile().findings) == 1

    def test_closes_when_the_venue_knows_the_fill_again(self, place, settle, edit_book, reconcile):
        place("60.00")
        settle()
        edit_book("UPDATE venue_order SET symbol = 'XABANUSDT'")
        assert [finding.kind for finding in reconcile().findings] == ["missing"]
        edit_book("UPDATE venue_order SET symbol = 'ABANUSDT'")
        done = reconcile()
        assert (done.findings, done.closed) == ([], 1)


class TestDiffers:
    @pytest.mark.parametrize(
        ("statement", "amount"),
        [
            ("UPDATE settlement_attempt SET cost = cost + 1", 0),
            ("UPDATE settlement_attempt SET executed = executed - 1", 1),
            ("UPDATE settlement_attempt SET state = 'empty', executed = 0, commission = 0", Decimal("15.02")),
            (
                "UPDATE settlement_attempt SET state = 'new', executed = 0, commission = 0, ended_at = NULL",
                Decimal("15.02"),
            ),
            ("UPDATE settlement_attempt SET venue_order_id = '77'", 0),
        ],
        ids=["cost", "quantity", "empty", "never sent", "another order"],
    )
    def test_is_an_attempt_with_other_figures_than_the_venue(self, place, settle, reconcile, statement, amount):
        place("60.00")
        settle()
        run_as_owner(statement)
        reconcile()
        [finding] = Finding.objects.filter(kind="differs")
        assert (finding.subject, finding.amount) == (subject_of(attempts()[0]), amount)

    def test_is_an_order_whose_figures_changed_at_the_venue(self, place, settle, edit_book, reconcile):
        place("60.00")
        settle()
        edit_book("UPDATE trade SET quantity = '16.02', quote = '64.08'")
        edit_book("UPDATE venue_order SET executed = '16.02', quote = '64.08', quantity = '16.02'")
        [finding] = reconcile().findings
        assert (finding.kind, finding.ours, finding.theirs) == (
            "differs",
            "filled, 15.02 for 60.08",
            "closed, 16.02 for 64.08",
        )

    def test_is_an_order_that_is_still_open_at_the_venue(self, place, settle, edit_book, reconcile):
        place("60.00")
        settle()
        edit_book("UPDATE venue_order SET status = 'PARTIALLY_FILLED'")
        assert [finding.kind for finding in reconcile().findings] == ["differs"]

    def test_is_an_order_under_the_id_of_an_attempt_that_was_never_sent(self, place, claim, buy, reconcile):
        place("60.00")
        claim()
        ended = timezone.now() - timedelta(hours=1)
        Attempt.objects.update(state=AttemptState.NOT_PLACED, ended_at=ended, excused=True)
        [attempt] = attempts()
        buy("15.02", name=attempt.client_order_id)
        done = reconcile()
        assert (done.unasked, done.late_fills) == ([], 0)
        [finding] = done.findings
        assert (finding.kind, finding.subject, finding.ours) == (
            FindingKind.DIFFERS,
            subject_of(attempt),
            "not_placed, 0 for 0",
        )
        assert [(one.state, one.executed) for one in attempts()] == [(AttemptState.NOT_PLACED, 0)]

    def test_closes_when_the_figures_agree(self, place, settle, reconcile):
        place("60.00")
        settle()
        run_as_owner("UPDATE settlement_attempt SET cost = cost + 1")
        assert [finding.kind for finding in reconcile().findings] == ["differs", "ledger"]
        run_as_owner("UPDATE settlement_attempt SET cost = cost - 1")
        done = reconcile()
        assert (done.findings, done.closed) == ([], 2)

    def test_stays_if_only_the_venues_list_leaves_the_order_out(self, place, settle, reconcile, venue, monkeypatch):
        place("60.00")
        settle()
        run_as_owner("UPDATE settlement_attempt SET state = 'empty', executed = 0, commission = 0")
        reconcile()
        monkeypatch.setattr(venue, "list_purchases", lambda **_: [])
        reconcile()
        assert found(kind="differs") == [("differs", subject_of(attempts()[0]))]

    def test_is_a_late_fill_if_a_refused_attempt_was_bought(self, place, settle, simulator, buy, reconcile):
        simulator.fail({"on": "place", "action": "reject"})
        place("60.00")
        settle()
        simulator.fail()
        buy("15.02", name=attempts()[0].client_order_id)
        reconcile()
        assert found() == [("late_fill", subject_of(attempts()[0]))]


class TestLateFill:
    @pytest.fixture
    def bought_twice(self, place, settle, simulator, settings):
        """An attempt that was executed, while the venue said "not found" until a second attempt was sent."""
        configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
        configure(settings, "SETTLEMENT", not_found_times=2)
        simulator.fail(
            {"on": "place", "action": "accept_then_drop", "times": 1},
            *({"on": each, "action": "not_found"} for each in ("query", "list", "trades")),
        )
        place("60.00")
        batch = settle()
        time.sleep(0.6)
        for _ in range(3):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: new_venue())
        simulator.fail()
        first, second = attempts()
        assert (first.state, second.state) == (AttemptState.NOT_PLACED, AttemptState.FILLED)
        assert len(simulator.book()) == 2
        return first

    def test_is_booked_to_inventory(self, bought_twice, reconcile):
        before = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance
        done = reconcile()
        bought_twice.refresh_from_db()
        assert (bought_twice.state, bought_twice.executed) == (AttemptState.FILLED, Decimal("15.02"))
        assert bought_twice.commission == Decimal("0.01502")
        after = Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN").balance
        assert after - before == Decimal("15.02") * Decimal("0.999")
        assert (done.late_fills, [finding.kind for finding in done.findings]) == (1, ["late_fill"])
        assert verify_everything() == []

    def test_stays_open_until_staff_close_it(self, bought_twice, reconcile):
        reconcile()
        done = reconcile()
        assert (done.late_fills, done.closed, found()) == (0, 0, [("late_fill", subject_of(bought_twice))])

    def test_is_booked_once_while_others_recheck_the_attempt(self, bought_twice, reconcile, venue):
        def run(number):
            if number == 0:
                reconcile()
            else:
                recheck_attempt(attempt_id=bought_twice.pk, get_venue=lambda _: new_venue())
            connection.close()

        at_once(3, run)
        assert Transaction.objects.filter(kind="fill").count() == 2
        assert found() == [("late_fill", subject_of(bought_twice))]

    def test_names_commission_in_a_third_asset(self, bought_twice, edit_book, reconcile):
        edit_book("UPDATE trade SET commission_asset = 'BNB' WHERE order_id = 1")
        reconcile()
        assert found() == [("late_fill", subject_of(bought_twice))]
        assert Finding.objects.get().theirs.endswith("commission in BNB")


def closing(call):
    """Wrap a call so that it closes its thread's database connection."""

    def run(**arguments):
        try:
            call(**arguments)
        finally:
            connection.close()

    return run


class TestLedger:
    def test_raises_a_finding_until_its_rules_hold_again(self, place, settle, reconcile):
        place("60.00")
        settle()
        run_as_owner("UPDATE wallets_wallet SET balance = balance + 1 WHERE role = 'inventory'")
        done = reconcile()
        assert {finding.kind for finding in done.findings} == {"ledger"}
        assert ("ledger", "rule 4: ABAN: customers and inventory") in found()
        run_as_owner("UPDATE wallets_wallet SET balance = balance - 1 WHERE role = 'inventory'")
        done = reconcile()
        assert (done.findings, done.closed) == ([], 2)


class TestFindings:
    @pytest.fixture
    def one_of_each(self, place, settle, simulator, buy, edit_book):
        for _ in range(2):
            place("40.00")
            settle()
        buy()
        edit_book("UPDATE venue_order SET symbol = 'XABANUSDT' WHERE id = 1")
        run_as_owner("UPDATE settlement_attempt SET cost = cost + 1 WHERE number = 1 AND venue_order_id = '2'")
        run_as_owner("UPDATE wallets_wallet SET balance = balance + 1 WHERE role = 'inventory'")

    def test_are_not_raised_twice(self, one_of_each, reconcile):
        first = {finding.pk: finding.seen_at for finding in reconcile().findings}
        assert [kind for kind, _ in found()] == ["extra", "missing", "differs", "ledger", "ledger", "ledger"]
        second = {finding.pk: finding.seen_at for finding in reconcile().findings}
        assert first.keys() == second.keys()
        assert all(second[pk] > seen_at for pk, seen_at in first.items())
        assert Finding.objects.count() == 6

    def test_stay_open_when_the_venue_does_not_answer(self, one_of_each, reconcile, simulator):
        reconcile()
        before = found()
        simulator.fail({"on": "query", "action": "down"})
        done = reconcile()
        assert (found(), done.unasked, done.closed) == (before, ["ABAN"], 0)

    def test_are_counted_by_kind(self, one_of_each, reconcile, client):
        assert set(count_open_findings().values()) == {0}
        reconcile()
        assert count_open_findings() == {
            "missing": 1,
            "extra": 1,
            "differs": 1,
            "late_fill": 0,
            "untrue": 0,
            "ledger": 3,
            "balance": 0,
        }
        assert 'exchange_findings{kind="ledger"} 3.0' in client.get("/metrics/").content.decode()

    def test_that_staff_closed_are_raised_again_only_with_other_figures(
        self, coin, buy, reconcile, admin_user, edit_book
    ):
        buy()
        [finding] = reconcile().findings
        Finding.objects.update(closed_at=timezone.now(), closed_by=admin_user, note="bought by hand")
        assert reconcile().findings == []
        edit_book("UPDATE venue_order SET executed = '6'")
        [again] = reconcile().findings
        assert again.pk != finding.pk

    def test_of_a_later_run_are_not_closed_by_an_earlier_one(self, coin, buy, venue, reconcile, edit_book):
        begun = timezone.now()
        buy()
        reconcile()
        edit_book("DELETE FROM trade")
        edit_book("DELETE FROM venue_order")
        done = comparing.reconcile(venue=venue, since=begun - DAY, now=begun)
        assert (done.closed, len(done.findings)) == (0, 1)


class TestList:
    def test_recognises_our_orders_by_the_prefix_of_their_ids(self):
        assert new_client_order_id().startswith(CLIENT_ORDER_ID_PREFIX)

    @pytest.fixture
    def many(self, simulator, edit_book):
        """1,300 orders placed in one millisecond, one before them and 100 after them."""
        now = int(time.time() * 1000)
        moments = [now - 40 * 3_600_000, *[now - 30 * 3_600_000] * 1300, *range(now - 100, now)]
        edit_book(
            "INSERT INTO venue_order (client_id, symbol, side, type, time_in_force, price, quantity, executed, quote,"
            " status, time) VALUES (?, 'ABANUSDT', 'BUY', 'LIMIT', 'IOC', '4', '1', '1', '4', 'FILLED', ?)",
            *((new_client_order_id(), moment) for moment in moments),
        )
        return simulator.book()

    def test_of_several_pages_is_complete(self, many, venue):
        listed = venue.list_purchases(coin="ABAN", since=timezone.now() - 2 * DAY)
        assert [order.client_order_id for order in listed] == [order["clientOrderId"] for order in many]
        assert {(order.quantity, order.cost, order.final) for order in listed} == {(1, 4, True)}

    def test_begins_at_the_given_time(self, many, venue):
        assert len(venue.list_purchases(coin="ABAN", since=timezone.now() - timedelta(hours=35))) == 1400
        assert len(venue.list_purchases(coin="ABAN", since=timezone.now() - timedelta(hours=1))) == 100
        assert len(venue.list_purchases(coin="ABAN", since=timezone.now() - timedelta(days=5))) == 1401

    def test_of_several_pages_is_reconciled(self, many, venue, coin, reconcile):
        done = reconcile()
        assert (done.purchases, len(done.findings)) == (1401, 1401)

    @pytest.mark.parametrize(
        "rule", [{"action": "down"}, {"action": "rate_limit"}, {"action": "reject", "code": -1021, "msg": "Timestamp"}]
    )
    def test_is_refused_when_a_page_is_missing(self, many, venue, simulator, rule):
        simulator.fail({"on": "query", "action": "delay", "wait": 0.01, "times": 2}, {"on": "query", **rule})
        with pytest.raises(VenueAway):
            venue.list_purchases(coin="ABAN", since=timezone.now() - 2 * DAY)
        simulator.fail()
        assert len(venue.list_purchases(coin="ABAN", since=timezone.now() - 2 * DAY)) == 1401

    @pytest.mark.parametrize("answer", [None, [{}], [None], {"orders": []}])
    def test_is_refused_when_a_proxy_answers_instead_of_the_venue(self, simulator, venue, monkeypatch, answer):
        monkeypatch.setattr(venue._wire, "send", lambda _: Reply(status=200, headers={}, body=answer))
        with pytest.raises(VenueAway):
            venue.list_purchases(coin="ABAN", since=timezone.now() - DAY)


@pytest.mark.usefixtures("at_our_venue")
class TestCommand:
    def test_succeeds_when_nothing_is_found(self, place, settle):
        place("60.00")
        settle()
        code, said = command()
        assert (code, "1 orders at the venue, 1 attempts" in said) == (0, True)
        assert command("--quiet") == (0, "")

    def test_names_what_it_finds(self, coin, buy):
        name = buy()
        code, said = command("--days", "1", "--quiet")
        assert code == 1
        assert name in said
        assert "ABAN" in said

    def test_says_that_the_venue_did_not_answer(self, coin, buy, simulator):
        name = buy()
        assert command()[0] == 1
        simulator.fail({"on": "query", "action": "down"})
        code, said = command("--quiet")
        assert code == 2
        assert name in said
        assert "could not be asked" in said
        assert "ABAN" in said.rsplit("asked", 1)[1]

    @pytest.mark.parametrize("days", ["0", "-1", "x", "99999999999"])
    def test_refuses_an_impossible_number_of_days(self, days):
        with pytest.raises(Exception, match="days"):
            call_command("reconcile", f"--days={days}")


class TestWhileSettlementGoesOn:
    def test_a_list_of_no_purchases_asks_for_no_trades(self, coin, reconcile, venue, monkeypatch):
        asked = []
        monkeypatch.setattr(venue, "list_figures", lambda **arguments: asked.append(arguments))
        reconcile()
        assert asked == []

    def test_no_connection_is_held_while_the_venue_is_asked(self, place, settle, reconcile, venue, monkeypatch):
        held = []
        for name in ("list_purchases", "list_figures", "look_up", "read_balances"):
            inner = getattr(venue, name)

            def watched(inner=inner, **arguments):
                held.append(connection.connection is not None)
                return inner(**arguments)

            monkeypatch.setattr(venue, name, watched)
        place("60.00")
        settle()
        run_as_owner("UPDATE settlement_attempt SET cost = cost + 1")
        reconcile()
        assert held == [False] * 4

    def test_purchases_before_and_after_the_list_raise_no_finding(self, place, settle, reconcile, venue, monkeypatch):
        inner = venue.list_purchases

        def settle_list_and_settle(**arguments):
            place("40.00")
            settle()
            listed = inner(**arguments)
            place("60.00")
            settle()
            return listed

        monkeypatch.setattr(venue, "list_purchases", settle_list_and_settle)
        done = reconcile()
        assert (done.attempts, done.purchases, done.findings) == (2, 1, [])

    @pytest.mark.parametrize(
        ("module", "step"),
        [(sending, "_commit_to_sending"), (stepping, "_react"), (stepping, "book_execution")],
        ids=lambda of: of if isinstance(of, str) else "",
    )
    def test_a_purchase_within_a_step_of_settlement_raises_no_finding(
        self, place, claim, reconcile, venue, monkeypatch, module, step
    ):
        """Reconcile before and after an inner function of the step, while the step still runs."""
        place("60.00")
        batch = claim()
        inner, seen = getattr(module, step), []

        def around(*arguments, **named):
            seen.append(reconcile(of=new_venue()).findings)
            answer = inner(*arguments, **named)
            seen.append(reconcile(of=new_venue()).findings)
            return answer

        monkeypatch.setattr(module, step, around)
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        assert seen == [[], []]
        assert attempts()[0].state == AttemptState.FILLED

    def test_an_attempt_without_an_outcome_raises_no_finding(self, place, settle, simulator, reconcile):
        simulator.fail({"on": "place", "action": "accept_then_drop", "times": 1})
        place("60.00")
        settle()
        assert (attempts()[0].state, len(simulator.book())) == (AttemptState.SENT, 1)
        assert reconcile().findings == []

    def test_raises_no_finding_while_orders_are_settled_at_the_same_time(
        self, coin, make_shopper, place, venue, simulator, reconcile, settings
    ):
        configure(settings, "RISK", max_orders=10_000)
        configure(settings, "VENUE", recv_window=timedelta(seconds=0.5))
        shopper, own, over = make_shopper("100000.00"), new_venue(), threading.Event()
        own._client.enableRateLimit = False
        simulator.fail(
            *(
                {"on": "place", "action": action, "times": 2}
                for action in ("accept_then_drop", "accept_then_500", "partial")
            ),
            {"on": "place", "action": "drop", "times": 1},
        )

        def settle_on():
            while not over.is_set():
                place("12.00", of=shopper, at=timezone.now())
                end_pauses()
                claim_waiting_orders(coin_id=coin.pk, now=timezone.now())
                for attempt in Attempt.objects.filter(state__in=IN_FLIGHT):
                    take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: own)

        settling = threading.Thread(target=closing(settle_on))
        settling.start()
        try:
            deadline = time.monotonic() + 60
            while (fills := Attempt.objects.filter(state=AttemptState.FILLED).count()) < 20:
                assert settling.is_alive()
                assert reconcile().findings == []
                assert time.monotonic() < deadline, f"{fills} purchases"
        finally:
            over.set()
            settling.join()
        assert reconcile().findings == []


def test_the_daily_task_looks_back_for_the_configured_days(coin, buy, venue, monkeypatch, settings):
    monkeypatch.setattr(tasks, "get_venue", lambda _: venue)
    asked, inner = [], venue.list_purchases
    monkeypatch.setattr(venue, "list_purchases", lambda **given: asked.append(given["since"]) or inner(**given))
    configure(settings, "SETTLEMENT", reconcile_days=5)
    buy()
    tasks.reconcile(timestamp=0)
    assert timedelta(0) < timezone.now() - asked[0] - 5 * DAY < timedelta(minutes=1)
    assert len(found()) == 1
    assert (tasks.reconcile.queue, tasks.reconcile.queueing_lock) == ("ops", "reconcile")
