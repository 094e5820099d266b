"""Deposits of nobody: booked at once, and then assigned or sent back, once."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from exchange_site.configuration.persons import KINDS
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.staff import give_powers_before_the_rule, let_do_everything, make_chief
from wallets.exceptions import DepositDecided, NeedsAnotherPerson, NotFound
from wallets.models import Deposit, Proposal, ProposalRecord, Transaction, User, Wallet, WalletRole
from wallets.services.deposit_kinds import ASSIGNMENT
from wallets.services.deposits import Decision, IncomingMoney, assign_deposit, receive_deposit, send_deposit_back
from wallets.services.proposals import approve, propose
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def deposit(now):
    """A deposit of 25.00 dollars that belongs to nobody."""
    money = IncomingMoney(
        amount=Decimal(25), source="GB82WEST12345698765432", reference="line 1", received_at=now, note="no reference"
    )
    with transaction.atomic():
        received = receive_deposit(money=money, wallet=None, now=now)
    return Deposit.objects.get(pk=received.deposit_id)


@pytest.fixture
def staff(db):
    return [User.objects.create_user(f"staff{number}", is_staff=True) for number in range(2)]


def unassigned():
    return sum_house_wallet(role=WalletRole.UNASSIGNED)


def assign(deposit, shopper, *, by, approved_by=None):
    decision = Decision(by=by, approved_by=approved_by, note="the bank told us")
    assign_deposit(deposit_id=deposit.pk, customer_id=shopper.user.pk, decision=decision)


def send_back(deposit, *, by):
    send_deposit_back(deposit_id=deposit.pk, decision=Decision(by=by, approved_by=None, note="unknown sender"))


def is_untouched(deposit, shopper):
    return (Deposit.objects.get(pk=deposit.pk).state, unassigned(), shopper.wallet.balance) == (
        "unassigned",
        25,
        100,
    ) and Transaction.objects.filter(reference__startswith=f"deposit:{deposit.pk}").count() == 1


class TestADepositOfNobody:
    def test_is_booked_and_waits_on_the_to_do_page(self, deposit, now):
        assert unassigned() == 25
        [concern] = list_to_do(now=now)
        assert (concern.kind, concern.reason, concern.target.pk) == (ConcernKind.UNASSIGNED, "no reference", deposit.pk)
        assert verify_everything() == []

    def test_is_assigned_as_a_deposit_that_the_customer_sees(self, deposit, shopper, staff, api, now):
        assign(deposit, shopper, by=staff[0], approved_by=staff[1])
        assert (unassigned(), shopper.wallet.balance, list_to_do(now=now)) == (0, 125, [])
        assert (
            api("GET", "transactions/", by=shopper).json()[0].items() >= {"kind": "deposit", "amount": "25.00"}.items()
        )
        assert api("GET", "accounts/deposits/", by=shopper).json()[0]["amount"] in {"25.00", "100.00"}
        row = Deposit.objects.get(pk=deposit.pk)
        assert (row.decided_by, row.approved_by, row.note) == (staff[0], staff[1], "the bank told us")
        assert verify_everything() == []

    def test_is_assigned_to_a_frozen_customer_because_it_is_theirs(self, deposit, shopper, staff):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        assign(deposit, shopper, by=staff[0])
        assert shopper.wallet.balance == 125

    def test_is_sent_back(self, deposit, staff, now):
        send_back(deposit, by=staff[0])
        assert (unassigned(), sum_house_wallet(role=WalletRole.FUNDING), list_to_do(now=now)) == (0, 0, [])
        assert verify_everything() == []

    def test_is_decided_about_once(self, deposit, shopper, staff):
        assign(deposit, shopper, by=staff[0])
        with pytest.raises(DepositDecided, match="it is credited"):
            send_back(deposit, by=staff[1])
        assert (unassigned(), shopper.wallet.balance) == (0, 125)

    def test_has_one_outcome_when_staff_decide_at_once(self, deposit, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(3)]

        def decide(number):
            try:
                if number < 3:
                    assign(deposit, shoppers[number], by=staff[0])
                else:
                    send_back(deposit, by=staff[1])
            except DepositDecided:
                return False
            return True

        assert sum(at_once(6, decide)) == 1
        assert unassigned() == 0
        assert verify_everything() == []

    def test_that_is_more_than_its_wallet_holds_is_found(self, deposit):
        run_as_owner("UPDATE wallets_deposit SET amount = 26")
        [violation] = verify_everything()
        assert (violation.rule, violation.subject) == (10, f"deposit {deposit.pk} (unassigned)")


class TestStaff:
    @pytest.fixture(autouse=True)
    def _two(self, settings):
        configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))

    def ask(self, deposit, customer, *, by):
        let_do_everything(by)
        payload = ASSIGNMENT.payload_of(deposit=deposit, customer_id=customer.pk, note="the bank told us")
        asked_by = User.objects.get(pk=by.pk)
        return propose(kind="assignment", payload=payload, reason="the bank told us", asked_by=asked_by)

    def test_do_not_approve_their_own_decision(self, deposit, shopper, staff):
        proposal = self.ask(deposit, shopper.user, by=staff[0])
        with pytest.raises(NeedsAnotherPerson):
            approve(proposal_id=proposal.pk, approved_by=staff[0])
        assert is_untouched(deposit, shopper)

    @pytest.mark.parametrize("as_approver", [False, True])
    def test_do_not_assign_money_to_themselves(self, deposit, shopper, staff, as_approver):
        give_powers_before_the_rule(shopper.user)
        let_do_everything(shopper.user)
        with pytest.raises(NeedsAnotherPerson):
            proposal = self.ask(deposit, shopper.user, by=staff[0] if as_approver else shopper.user)
            approve(proposal_id=proposal.pk, approved_by=shopper.user)
        assert is_untouched(deposit, shopper)

    def test_are_two_and_the_row_names_both(self, deposit, shopper, staff):
        proposal = self.ask(deposit, shopper.user, by=staff[0])
        assert is_untouched(deposit, shopper)
        let_do_everything(staff[1])
        approve(proposal_id=proposal.pk, approved_by=staff[1])
        row = Deposit.objects.get(pk=deposit.pk)
        assert (shopper.wallet.balance, row.decided_by, row.approved_by) == (125, staff[0], staff[1])
        assert verify_everything() == []

    def test_have_one_effect_of_two_proposals(self, deposit, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(2)]
        proposals = [self.ask(deposit, each.user, by=staff[0]) for each in shoppers]
        let_do_everything(staff[1])
        ends = [approve(proposal_id=each.pk, approved_by=staff[1]).outcome for each in proposals]
        assert ends == ["done", "refused"]
        assert [each.wallet.balance for each in shoppers] == [125, 100]

    def test_cannot_assign_to_a_user_without_a_wallet(self, deposit, shopper, staff):
        with pytest.raises(NotFound):
            self.ask(deposit, staff[1], by=staff[0])
        assert is_untouched(deposit, shopper)

    def test_are_recorded_by_rule(self, deposit, staff):
        changed = {"state": "sent_back", "decided_by": staff[0], "approved_by": staff[0]}
        with pytest.raises(IntegrityError, match="another_person_approves"), transaction.atomic():
            Deposit.objects.filter(pk=deposit.pk).update(**changed)


class TestTheAdmin:
    def send(self, client, deposit, action, **fields):
        data = {"action": action, "_selected_action": [deposit.pk], "reason": "the bank told us", **fields}
        return client.post(reverse("admin:wallets_deposit_changelist"), data, follow=True)

    def test_assigns(self, admin_client, deposit, shopper):
        answer = self.send(admin_client, deposit, "assign", customer=shopper.user.username)
        assert f"Deposit {deposit.pk} is credited" in answer.content.decode()
        assert shopper.wallet.balance == 125

    def test_asks_again_for_a_customer_that_there_is_not(self, admin_client, deposit, shopper):
        answer = self.send(admin_client, deposit, "assign", customer="nobody")
        assert "There is no such customer." in answer.content.decode()
        assert is_untouched(deposit, shopper)

    def test_sends_back(self, admin_client, deposit):
        self.send(admin_client, deposit, "send_back")
        assert Deposit.objects.get(pk=deposit.pk).state == "sent_back"

    def test_lets_a_second_person_approve(self, admin_client, client, deposit, shopper, settings):
        configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))
        answer = self.send(admin_client, deposit, "assign", customer=shopper.user.username)
        assert "another member of staff has to approve" in answer.content.decode()
        assert is_untouched(deposit, shopper)
        client.force_login(make_chief("second"))
        data = {"action": "approve", "_selected_action": [Proposal.objects.get().pk], "reason": "I have seen it"}
        client.post(reverse("admin:wallets_proposal_changelist"), data)
        assert (shopper.wallet.balance, ProposalRecord.objects.get().outcome) == (125, "done")

    def test_offers_nothing_without_the_permission(self, client, deposit, shopper, staff):
        client.force_login(staff[0])
        assert self.send(client, deposit, "assign", customer=shopper.user.username).status_code == 403
        assert is_untouched(deposit, shopper)
