"""Returns: deposits that banks take back, what customers owe then, and what pays it."""

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from exchange_site.stack.processes import PROJECT
from settlement.services.claiming import claim_waiting_orders
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.staff import let_do_everything
from tests.wallets.returned import IBAN, buy, money_taken, owed, receive, spend, take
from trading.models import Order, OrderState
from trading.services.settling import refund_orders
from wallets.exceptions import (
    AccountFrozen,
    CustomerOwes,
    DepositDecided,
    NeedsAnotherPerson,
    ReturnDecided,
    ReturnDiffers,
    ReturnRefused,
)
from wallets.models import (
    Deposit,
    Proposal,
    ProposalRecord,
    Receivable,
    Return,
    ReturnState,
    Transaction,
    Wallet,
    WalletRole,
)
from wallets.runtime import clock
from wallets.services.accounts import unfreeze_within_transaction
from wallets.services.cash import withdraw
from wallets.services.deposits import Decision, assign_deposit, send_deposit_back
from wallets.services.ledger.crediting import OrderCredit, improve_prices
from wallets.services.money_kinds import PUT_ASIDE
from wallets.services.proposals import approve, propose
from wallets.services.returns.receiving import receive_return
from wallets.services.returns.winning import mark_seen, put_aside, win_return_back
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


def to_do(now):
    return [concern.kind for concern in list_to_do(now=now)]


def movements(shopper):
    """Return kind, amount and the balance after each of the customer's movements, oldest first."""
    rows = Transaction.objects.filter(customer=shopper.user, asset="USD").order_by("id")
    return [(row.kind, row.amount, row.balance_after) for row in rows]


class TestTakeReturn:
    def test_takes_the_dollars_from_the_wallet_and_freezes_it(self, bank_deposit, shopper, now):
        row = take(bank_deposit, now)
        assert (row.state, row.taken, row.owed, shopper.wallet.balance) == ("taken", 25, 0, 100)
        assert shopper.wallet.frozen
        assert Deposit.objects.get(pk=bank_deposit.pk).returned == 25
        assert movements(shopper)[-1] == ("return", 25, 100)
        assert to_do(now) == [ConcernKind.RETURN]
        assert verify_everything() == []
        with pytest.raises(AccountFrozen):
            withdraw(principal=shopper.principal, amount=Decimal(1), key=None)

    def test_lets_the_customer_owe_what_the_wallet_does_not_hold(self, debtor, now):
        assert (debtor.wallet.balance, owed(debtor)) == (0, 15)
        assert sum_house_wallet(role=WalletRole.RECEIVABLE) == -15
        assert to_do(now) == [ConcernKind.RETURN, ConcernKind.DEBT]
        assert verify_everything() == []

    def test_takes_parts_one_after_the_other_and_never_more_than_the_deposit(self, bank_deposit, shopper, now):
        take(bank_deposit, now, amount="10.00")
        take(bank_deposit, now, amount="14.99", reference="r2")
        with pytest.raises(ReturnRefused, match=r"Only 0\.01 USD"):
            take(bank_deposit, now, amount="0.02", reference="r3")
        assert (shopper.wallet.balance, Return.objects.count()) == (Decimal("100.01"), 2)
        assert verify_everything() == []

    def test_takes_the_same_return_once(self, bank_deposit, shopper, now):
        assert take(bank_deposit, now, amount="10.00").pk == take(bank_deposit, now, amount="10.00").pk
        assert shopper.wallet.balance == 115

    def test_refuses_another_amount_under_the_same_reference(self, bank_deposit, shopper, now):
        take(bank_deposit, now, amount="10.00")
        with pytest.raises(ReturnDiffers):
            take(bank_deposit, now, amount="11.00")
        assert (shopper.wallet.balance, Return.objects.count()) == (115, 1)

    def test_refuses_a_deposit_that_went_back_to_its_sender(self, now, staff):
        deposit = receive(None, now)
        send_deposit_back(deposit_id=deposit.pk, decision=Decision(by=staff[0], approved_by=None, note="unknown"))
        with pytest.raises(ReturnRefused):
            take(deposit, now)
        assert not Return.objects.exists()

    def test_takes_what_the_deposit_has_when_fifty_come_at_once(self, bank_deposit, shopper, now):
        def run(number):
            while True:
                try:
                    take(bank_deposit, now, amount="1.00", reference=f"r{number}")
                except ReturnRefused:
                    return False
                except OperationalError:  # waited too long for the wallet on a busy machine
                    connection.close()
                else:
                    return True

        assert sum(at_once(50, run)) == 25
        assert (shopper.wallet.balance, Deposit.objects.get(pk=bank_deposit.pk).returned) == (100, 25)
        assert verify_everything() == []

    def test_takes_the_same_return_once_when_fifty_tell_it(self, bank_deposit, shopper, now):
        def run(_):
            while True:
                try:
                    return take(bank_deposit, now, amount="20.00").pk
                except OperationalError:
                    connection.close()

        assert len(set(at_once(50, run))) == 1
        assert shopper.wallet.balance == 105
        assert verify_everything() == []


class TestADepositOfNobody:
    def test_is_taken_from_what_is_unassigned(self, now):
        deposit = receive(None, now)
        take(deposit, now)
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 0
        assert to_do(now) == [ConcernKind.RETURN]
        assert verify_everything() == []

    def test_is_decided_about_with_what_is_left_of_it(self, shopper, staff, now):
        deposit = receive(None, now)
        take(deposit, now, amount="10.00")
        assign_deposit(
            deposit_id=deposit.pk,
            customer_id=shopper.user.pk,
            decision=Decision(by=staff[0], approved_by=None, note="x"),
        )
        assert (shopper.wallet.balance, sum_house_wallet(role=WalletRole.UNASSIGNED)) == (115, 0)
        assert verify_everything() == []
        win_return_back(return_id=Return.objects.get().pk)
        assert shopper.wallet.balance == 125
        assert verify_everything() == []

    def test_is_sent_back_with_what_is_left_of_it(self, staff, now):
        deposit = receive(None, now)
        take(deposit, now, amount="10.00")
        send_deposit_back(deposit_id=deposit.pk, decision=Decision(by=staff[0], approved_by=None, note="unknown"))
        assert sum_house_wallet(role=WalletRole.FUNDING) == 0
        with pytest.raises(ReturnRefused, match="gone back to its sender"):
            win_return_back(return_id=Return.objects.get().pk)
        assert Return.objects.get().state == ReturnState.TAKEN
        assert verify_everything() == []

    def test_is_nobodys_to_decide_about_once_all_is_taken(self, shopper, staff, now):
        deposit = receive(None, now)
        row = take(deposit, now)
        with pytest.raises(DepositDecided, match="taken back by its bank"):
            assign_deposit(
                deposit_id=deposit.pk,
                customer_id=shopper.user.pk,
                decision=Decision(by=staff[0], approved_by=None, note="x"),
            )
        win_return_back(return_id=row.pk)
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 25
        assert ConcernKind.UNASSIGNED in to_do(now)
        assert verify_everything() == []


class TestWaitingOrders:
    def test_are_cancelled_before_the_balance_is_taken(self, bank_deposit, shopper, coin, now, settings):
        large, small = buy(shopper, "60.00", now), buy(shopper, "4.00", now)
        configure(settings, "RISK", max_value=Decimal(1))
        held = buy(shopper, "40.00", now)
        assert held.state == OrderState.HELD
        spend(shopper, "20.00")
        row = take(bank_deposit, now)
        assert (row.taken, row.owed, shopper.wallet.balance) == (25, 0, 80)
        for order in (large, small, held):
            order.refresh_from_db()
            assert (order.state, order.reason) == ("cancelled", "deposit_returned")
        assert ConcernKind.HELD not in to_do(now + timedelta(days=2))
        assert verify_everything() == []

    def test_of_a_claim_are_left_to_it_and_pay_the_debt_when_they_are_refunded(self, bank_deposit, shopper, coin, now):
        buy(shopper, "60.00", now)
        spend(shopper, "65.00")
        batch = claim_waiting_orders(coin_id=coin.pk, now=now)
        row = take(bank_deposit, now)
        assert (row.taken, row.owed, Order.objects.get().state) == (0, 25, "settling")
        with transaction.atomic():
            refund_orders(batch_id=batch.pk, reason="x", now=now)
        assert (shopper.wallet.balance, owed(shopper)) == (35, 0)
        assert movements(shopper)[-2:] == [("refund", 60, 60), ("return", 25, 35)]
        assert sum_house_wallet(role=WalletRole.RECEIVABLE) == 0
        assert [each for each in verify_everything() if each.rule != 2] == []

    def test_that_a_claim_has_locked_are_not_waited_for_and_the_sweep_cancels_them(
        self, bank_deposit, shopper, coin, now
    ):
        order = buy(shopper, "60.00", now)
        spend(shopper, "65.00")
        is_locked, may_end = Event(), Event()

        def claim():
            with transaction.atomic():
                Order.objects.select_for_update().get(pk=order.pk)
                is_locked.set()
                may_end.wait(30)
            connection.close()

        claiming = Thread(target=claim)
        claiming.start()
        assert is_locked.wait(30)
        assert take(bank_deposit, now).owed == 25
        may_end.set()
        claiming.join()
        assert Order.objects.get().state == OrderState.PENDING
        sweep(now=now)
        assert (Order.objects.get().reason, shopper.wallet.balance, owed(shopper)) == ("deposit_returned", 35, 0)
        assert verify_everything() == []

    def test_end_once_while_claims_cancels_and_returns_run_at_once(self, make_shopper, coin, now):
        shoppers = [make_shopper() for _ in range(4)]
        deposits = [receive(shopper, now, reference=f"line {n}") for n, shopper in enumerate(shoppers)]
        for shopper in shoppers:
            for total in ("4.00", "20.00", "30.00"):
                buy(shopper, total, now)
            spend(shopper, "65.00")

        def run(number):
            for _ in range(20):
                try:
                    if number < 4:
                        take(deposits[number], now, reference=f"r{number}")
                    elif number < 6:
                        claim_waiting_orders(coin_id=coin.pk, now=now)
                    else:
                        sweep(now=now)
                except OperationalError:
                    connection.close()
                else:
                    return

        at_once(8, run)
        assert Return.objects.filter(state="taken").count() == 4
        for shopper in shoppers:
            assert shopper.wallet.frozen
            assert shopper.wallet.balance >= 0
        assert verify_everything() == []


class TestWhatReachesTheWallet:
    def test_pays_the_debt_in_the_same_transaction(self, debtor, now):
        receive(debtor, now, reference="line 2", amount="10.00")
        assert (debtor.wallet.balance, owed(debtor)) == (0, 5)
        receive(debtor, now, reference="line 3", amount="10.00")
        assert (debtor.wallet.balance, owed(debtor)) == (5, 0)
        assert movements(debtor)[-4:] == [("deposit", 10, 10), ("return", 10, 0), ("deposit", 10, 10), ("return", 5, 5)]
        assert verify_everything() == []

    def test_pays_the_debt_when_a_purchase_was_cheaper(self, debtor, make_shopper, coin, now):
        other = make_shopper()
        credits_ = [
            OrderCredit(order_id=number, customer_id=shopper.user.pk, amount=Decimal(amount))
            for number, (shopper, amount) in enumerate([(debtor, 4), (other, 4), (debtor, 20)], start=1)
        ]
        with transaction.atomic():
            improve_prices(credits_=credits_, now=now)
        assert (debtor.wallet.balance, owed(debtor), other.wallet.balance) == (9, 0, 104)
        assert [row[2] for row in movements(debtor)[-3:]] == [4, 24, 9]
        assert {violation.rule for violation in verify_everything()} == {2}  # without orders

    def test_pays_nothing_for_a_frozen_customer_who_owes_nothing(self, bank_deposit, shopper, now):
        take(bank_deposit, now)
        receive(shopper, now, reference="line 2", amount="10.00")
        assert shopper.wallet.balance == 110

    def test_costs_no_statement_for_those_who_owe_nothing(self, shopper, now):
        with CaptureQueriesContext(connection) as seen:
            receive(shopper, now)
        assert not any("receivable" in query["sql"] for query in seen.captured_queries)

    def test_pays_debts_of_several_returns(self, debtor, now):
        second = receive(debtor, now, reference="line 2", amount="5.00")
        assert owed(debtor) == 10
        take(second, now, amount="5.00", reference="r2")
        assert (debtor.wallet.balance, owed(debtor)) == (0, 15)
        assert verify_everything() == []


class TestAReturnThatIsWonBack:
    def test_pays_first_what_is_owed(self, debtor, now):
        win_return_back(return_id=Return.objects.get().pk)
        assert (debtor.wallet.balance, owed(debtor), Return.objects.get().state) == (10, 0, "won")
        assert Deposit.objects.get(source=IBAN).returned == 0
        assert movements(debtor)[-2:] == [("return", 25, 25), ("return", 15, 10)]
        assert debtor.wallet.frozen
        assert verify_everything() == []

    def test_is_won_once(self, debtor):
        pk = Return.objects.get().pk

        def run(_):
            try:
                win_return_back(return_id=pk)
            except ReturnDecided:
                return False
            return True

        assert sum(at_once(6, run)) == 1
        assert debtor.wallet.balance == 10
        assert verify_everything() == []

    def test_lets_the_bank_take_the_deposit_back_again(self, bank_deposit, shopper, now):
        win_return_back(return_id=take(bank_deposit, now).pk)
        take(bank_deposit, now, reference="r2")
        assert shopper.wallet.balance == 100
        assert verify_everything() == []


class TestAReturnOfAnUnknownDeposit:
    def test_waits_on_the_to_do_page_and_moves_nothing(self, shopper, now):
        row = receive_return(money=money_taken(now, named="line-1"))
        assert (row.state, shopper.wallet.balance, shopper.wallet.frozen) == ("waiting", 100, False)
        [concern] = list_to_do(now=now)
        assert concern.kind is ConcernKind.RETURN
        assert "no money has moved" in concern.reason
        assert verify_everything() == []

    def test_is_taken_by_the_sweep_once_its_deposit_is_known(self, shopper, now):
        receive_return(money=money_taken(now, named="case-9 | line-1"))
        receive(shopper, now, reference="line-1")
        sweep(now=now)
        sweep(now=now)
        assert (Return.objects.get().state, shopper.wallet.balance) == ("taken", 100)
        assert verify_everything() == []

    def test_is_kept_once_however_often_it_is_told(self, now):
        told = at_once(8, lambda _: receive_return(money=money_taken(now, named="x")).pk)
        assert len(set(told)) == 1

    def test_of_more_than_the_deposit_waits_with_the_reason(self, shopper, now):
        receive(shopper, now, reference="line-1")
        row = receive_return(money=money_taken(now, named="line-1", amount="26.00"))
        assert (row.state, row.note) == ("waiting", "Only 25.00 USD of this deposit are left to be taken back.")
        assert shopper.wallet.balance == 125

    def test_does_not_guess_between_two_deposits(self, shopper, now):
        for reference in ("line-1", "line-2"):
            receive(shopper, now, reference=reference)
        assert receive_return(money=money_taken(now, named="line-1 | line-2")).state == "waiting"
        assert shopper.wallet.balance == 150

    def test_does_not_look_for_references_in_words(self, shopper, now):
        receive(shopper, now, reference="line-1")
        assert receive_return(money=money_taken(now, named="chargeback of line-1")).state == "waiting"
        assert shopper.wallet.balance == 125

    def test_is_seen_only_after_it_is_taken(self, staff, now):
        row = receive_return(money=money_taken(now))
        with pytest.raises(ReturnDecided):
            mark_seen(return_id=row.pk, by=staff[0])
        assert ConcernKind.RETURN in to_do(now)


class TestAReturnThatIsPutAside:
    @pytest.fixture
    def waiting(self, now, settings):
        configure(settings, "PROPOSALS", kinds={"put_aside": Decimal(0)})
        return receive_return(money=money_taken(now, named="line-1"))

    @pytest.fixture
    def aside(self, waiting, staff):
        ann, bob = (let_do_everything(each) for each in staff[:2])
        asked = propose(
            kind="put_aside", payload=PUT_ASIDE.payload_of(return_id=waiting.pk), reason="never came", asked_by=ann
        )
        with pytest.raises(NeedsAnotherPerson):
            approve(proposal_id=asked.pk, approved_by=ann)
        assert ConcernKind.RETURN in to_do(clock.now())
        assert approve(proposal_id=asked.pk, approved_by=bob).outcome == "done"
        return Return.objects.get()

    def test_is_off_the_page_with_its_people_and_reason_and_books_nothing(self, aside, shopper, staff, now):
        before = Transaction.objects.count()
        assert ConcernKind.RETURN not in to_do(now)
        assert (aside.state, aside.seen_by, shopper.wallet.balance) == ("waiting", staff[1], 100)
        record = ProposalRecord.objects.get()
        assert (record.proposal.reason, record.asked_by, record.decided_by) == ("never came", staff[0], staff[1])
        assert Transaction.objects.count() == before
        assert verify_everything() == []

    def test_is_taken_and_there_again_once_its_deposit_comes(self, aside, shopper, now):
        receive(shopper, now, reference="line-1")
        sweep(now=now)
        row = Return.objects.get()
        assert (row.state, row.seen_at, shopper.wallet.balance) == ("taken", None, 100)
        assert ConcernKind.RETURN in to_do(now)
        assert verify_everything() == []

    def test_is_there_again_if_the_deposit_that_comes_refuses_it(self, aside, shopper, now):
        receive(shopper, now, reference="line-1", amount="20.00")
        sweep(now=now)
        row = Return.objects.get()
        assert (row.state, row.seen_at, row.seen_by, shopper.wallet.balance) == ("waiting", None, None, 120)
        assert "Only 20.00 USD" in row.note
        assert ConcernKind.RETURN in to_do(now)

    def test_stays_aside_while_nothing_happens(self, aside, now):
        sweep(now=now)
        assert Return.objects.get().seen_at == aside.seen_at

    def test_is_put_aside_once_and_only_while_it_waits(self, aside, shopper, staff, bank_deposit, now):
        for row in (aside, take(bank_deposit, now, reference="r2")):
            with pytest.raises(ReturnDecided):
                put_aside(return_id=row.pk, by=staff[0])

    def test_is_shown_as_such(self, aside, admin_client):
        page = admin_client.get(f"/admin/wallets/return/{aside.pk}/change/").content.decode()
        assert "put aside</span>" in page
        assert 'value="put_aside"' not in page
        assert 'value="take"' in page


class TestWhoeverOwes:
    def test_stays_frozen(self, debtor, now):
        with pytest.raises(CustomerOwes, match=r"15\.00 USD"):
            unfreeze_within_transaction(owner_id=debtor.user.pk)
        assert debtor.wallet.frozen
        receive(debtor, now, reference="line 2", amount="15.00")
        unfreeze_within_transaction(owner_id=debtor.user.pk)
        assert not debtor.wallet.frozen

    def test_stays_on_the_to_do_page_after_staff_have_seen_the_return(self, debtor, staff, now):
        mark_seen(return_id=Return.objects.get().pk, by=staff[0])
        assert to_do(now) == [ConcernKind.DEBT]


class TestTheDatabase:
    @pytest.mark.parametrize(
        ("fields", "rule"),
        [
            ({"amount": 0, "taken": 0}, "return_amount_is_positive"),
            ({"taken": 1}, "parts_of_a_return_add_up"),
            ({"taken": 30, "owed": -5}, "parts_of_a_return_are_not_negative"),
            ({"state": "lost"}, "return_state_is_known"),
            ({"deposit_id": None}, "a_taken_return_has_its_deposit"),
            ({"source": ""}, "a_return_names_its_source"),
            ({"state": "won"}, "a_won_return_has_its_time"),
            ({"amount": 26, "taken": 26}, "a_deposit_is_returned_in_full_at_most"),
            ({"taken": 0, "owed": 25, "customer_id": None}, "what_is_owed_has_its_customer"),
        ],
    )
    def test_refuses_a_return_that_makes_no_sense(self, bank_deposit, now, fields, rule):
        usual = {
            "deposit_id": bank_deposit.pk,
            "customer_id": bank_deposit.customer_id,
            "amount": 25,
            "taken": 25,
            "source": "x",
            "reference": "y",
            "state": "taken",
        }
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Return.objects.create(received_at=now, **{**usual, **fields})
        assert not Return.objects.exists()

    def test_refuses_a_second_return_of_one_reference(self, bank_deposit, now):
        take(bank_deposit, now, amount="1.00")
        with pytest.raises(IntegrityError, match="each_return_is_taken_once"), transaction.atomic():
            Return.objects.create(source=IBAN, reference="r1", amount=1, state=ReturnState.WAITING, received_at=now)

    def test_refuses_to_unfreeze_whoever_owes(self, debtor):
        with pytest.raises(IntegrityError, match="stays frozen"), transaction.atomic():
            Wallet.objects.filter(owner=debtor.user).update(frozen=False)

    def test_refuses_a_debt_of_a_customer_who_is_not_frozen(self, shopper, now):
        with pytest.raises(IntegrityError, match="is not frozen"), transaction.atomic():
            Receivable.objects.create(customer=shopper.user, amount=1, since=now)


class TestVerifyLedger:
    @pytest.mark.parametrize(
        ("fault", "subject"),
        [
            ("UPDATE wallets_return SET taken = taken - 1, owed = owed + 1", "return "),
            ("UPDATE wallets_return SET state = 'won', won_at = now()", "return "),
            ("DELETE FROM wallets_return", "return "),
            ("UPDATE wallets_deposit SET returned = returned - 1 WHERE source LIKE 'GB%'", "deposit "),
            ("UPDATE wallets_receivable SET amount = amount + 1", "debt of customer "),
            ("DELETE FROM wallets_receivable", "debt of customer "),
            ("UPDATE wallets_wallet SET frozen = false", "debt of customer "),
            (
                "UPDATE wallets_return SET customer_id = (SELECT max(id) FROM wallets_user)",
                "return ",
            ),
            (
                "UPDATE wallets_transaction SET reference = 'return:0:owed' WHERE reference LIKE 'return:%:owed'",
                "return 0 (no return)",
            ),
        ],
    )
    def test_finds_and_names_what_was_changed_by_hand(self, debtor, make_shopper, fault, subject):
        make_shopper()
        assert verify_everything() == []
        run_as_owner(fault)
        found = verify_everything()
        assert 10 in {violation.rule for violation in found}
        assert any(violation.subject.startswith(subject) for violation in found)


class TestOverHttp:
    def test_returns_are_shown_with_their_direction(self, api, debtor, now):
        win_return_back(return_id=Return.objects.get().pk)
        listed = api("GET", "transactions/", by=debtor).json()
        assert [(row["type"], row["kind"], row["amount"], row["balance_after"]) for row in listed[:3]] == [
            ("withdrawal", "return", "15.00", "10.00"),
            ("deposit", "return", "25.00", "25.00"),
            ("withdrawal", "return", "10.00", "0.00"),
        ]
        incoming = api("GET", "transactions/?type=deposit", by=debtor).json()
        assert [row["kind"] for row in incoming] == ["return", "deposit", "deposit"]
        outgoing = api("GET", "transactions/?type=withdrawal", by=debtor).json()
        assert [row["kind"] for row in outgoing] == ["return", "return", "withdrawal"]
        assert api("GET", f"transactions/{listed[1]['id']}/", by=debtor).json() == listed[1]


class TestTheAdmin:
    def act(self, client, page, action, pk, **more):
        data = {"action": action, "_selected_action": [pk], "reason": "the bank says so", **more}
        return client.post(f"/admin/wallets/{page}/", data, follow=True).content.decode()

    def test_takes_a_deposit_back(self, admin_client, bank_deposit, shopper):
        told = {"amount": "5.00", "reference": "r9"}
        assert "Done" in self.act(admin_client, "deposit", "take_back", bank_deposit.pk, **told)
        assert (shopper.wallet.balance, Return.objects.get().note) == (120, "the bank says so")
        assert "return r9" not in self.act(admin_client, "deposit", "take_back", bank_deposit.pk, **told)
        assert (shopper.wallet.balance, Return.objects.count()) == (120, 1)
        for page in ("return", "deposit", "receivable"):
            assert admin_client.get(f"/admin/wallets/{page}/").status_code == 200
        assert admin_client.get(f"/admin/wallets/return/{Return.objects.get().pk}/change/").status_code == 200

    def test_finds_the_deposit_of_a_return_that_waits(self, admin_client, bank_deposit, shopper, now):
        row = receive_return(money=money_taken(now))
        self.act(admin_client, "return", "take", row.pk, deposit=bank_deposit.pk)
        assert (shopper.wallet.balance, Return.objects.get().state) == (100, "taken")
        assert Proposal.objects.get().kind == "return"
        self.act(admin_client, "return", "mark_as_seen", row.pk)
        assert list_to_do(now=now) == []

    def test_offers_search_and_filters_that_work(self, admin_client, debtor):
        name = debtor.user.username
        for page in ("return/?state=taken", "receivable/?debt=all"):
            for term in ("nothing-like-it", "1", "9" * 30, "<b>", name):
                assert admin_client.get(f"/admin/wallets/{page}&q={term}").status_code == 200
        assert "15.00" in admin_client.get(f"/admin/wallets/receivable/?q={name}").content.decode()
        assert "10.00 + 15.00" in admin_client.get(f"/admin/wallets/return/?q={name}").content.decode()

    def test_wins_a_return_back(self, admin_client, debtor):
        self.act(admin_client, "return", "win_back", Return.objects.get().pk)
        assert (debtor.wallet.balance, owed(debtor)) == (10, 0)


KILLED = """
import django; django.setup()
from decimal import Decimal
from wallets.models import Transaction, User
from wallets.runtime.clock import database_now
from wallets.services.returns.taking import ReturnedMoney, take_return
from wallets.services.returns.winning import win_return_back
from wallets.services.correcting import correct_movement, give_goodwill
money = ReturnedMoney(amount=Decimal(25), source="{iban}", reference="r1", received_at=database_now())
row = take_return(money=money, deposit_id={deposit})
if row.state == "taken":
    win_return_back(return_id=row.pk)
give_goodwill(customer_id={customer}, amount=Decimal(3), name="sorry")
gift = Transaction.objects.get(reference="goodwill:sorry")
if not Transaction.objects.filter(reverses=gift).exists():
    correct_movement(movement_id=gift.pk, by=User.objects.first(), approved_by=None, note="a slip")
"""


def test_a_process_that_is_killed_at_each_place_has_one_effect(bank_deposit, shopper, coin, now, tmp_path):
    buy(shopper, "60.00", now)
    code = KILLED.format(iban=IBAN, deposit=bank_deposit.pk, customer=shopper.user.pk)

    def run(shot):
        environment = process_environment(
            FAILPOINTS=shot, FAILPOINTS_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="exchange_site.settings"
        )
        return subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=False).returncode

    for point in ("return.given_back", "return.taken", "return.won", "goodwill.given", "correction.booked"):
        assert run(f"{point}=kill") == -9
        assert verify_everything() == []
    assert run("") == run("") == 0
    assert (shopper.wallet.balance, Order.objects.get().state, Return.objects.get().state) == (125, "cancelled", "won")
    assert verify_everything() == []
