"""Deposits of nobody: booked at once, and then assigned or sent back, once."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import run_as_owner
from tests.processes import at_once
from wallets.exceptions import DepositDecided, NotFound, OnePersonTwice, OwnAccount, SecondPersonNeeded
from wallets.models import Deposit, Transaction, User, Wallet, WalletRole
from wallets.services.deposits import IncomingMoney, assign_deposit, receive_deposit, send_deposit_back
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
    assign_deposit(
        deposit_id=deposit.pk, customer_id=shopper.user.pk, by=by, approved_by=approved_by, note="the bank told us"
    )


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
        send_deposit_back(deposit_id=deposit.pk, by=staff[0], approved_by=None, note="unknown sender")
        assert (unassigned(), sum_house_wallet(role=WalletRole.FUNDING), list_to_do(now=now)) == (0, 0, [])
        assert verify_everything() == []

    def test_is_decided_about_once(self, deposit, shopper, staff):
        assign(deposit, shopper, by=staff[0])
        with pytest.raises(DepositDecided, match="it is credited"):
            send_deposit_back(deposit_id=deposit.pk, by=staff[1], approved_by=None, note="again")
        assert (unassigned(), shopper.wallet.balance) == (0, 125)

    def test_has_one_outcome_when_staff_decide_at_once(self, deposit, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(3)]

        def decide(number):
            try:
                if number < 3:
                    assign(deposit, shoppers[number], by=staff[0])
                else:
                    send_deposit_back(deposit_id=deposit.pk, by=staff[1], approved_by=None, note="x")
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
    def test_do_not_approve_their_own_decision(self, deposit, shopper, staff):
        with pytest.raises(OnePersonTwice):
            assign(deposit, shopper, by=staff[0], approved_by=staff[0])
        assert is_untouched(deposit, shopper)

    @pytest.mark.parametrize("as_approver", [False, True])
    def test_do_not_assign_money_to_themselves(self, deposit, shopper, staff, as_approver):
        by, approved_by = (staff[0], shopper.user) if as_approver else (shopper.user, staff[0])
        with pytest.raises(OwnAccount):
            assign(deposit, shopper, by=by, approved_by=approved_by)
        assert is_untouched(deposit, shopper)

    def test_are_two_where_that_is_configured(self, deposit, shopper, staff, settings):
        configure(settings, "DEPOSITS", need_second_person=True)
        with pytest.raises(SecondPersonNeeded):
            assign(deposit, shopper, by=staff[0])
        with pytest.raises(SecondPersonNeeded):
            send_deposit_back(deposit_id=deposit.pk, by=staff[0], approved_by=None, note="x")
        assert is_untouched(deposit, shopper)
        assign(deposit, shopper, by=staff[0], approved_by=staff[1])
        assert shopper.wallet.balance == 125

    def test_cannot_assign_to_a_user_without_a_wallet(self, deposit, shopper, staff):
        with pytest.raises(NotFound):
            assign_deposit(deposit_id=deposit.pk, customer_id=staff[1].pk, by=staff[0], approved_by=None, note="x")
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
        assert f"Assigned to {shopper.user.username}" in answer.content.decode()
        assert shopper.wallet.balance == 125

    def test_asks_again_for_a_customer_that_there_is_not(self, admin_client, deposit, shopper):
        answer = self.send(admin_client, deposit, "assign", customer="nobody")
        assert "There is no such customer." in answer.content.decode()
        assert is_untouched(deposit, shopper)

    def test_sends_back(self, admin_client, deposit):
        self.send(admin_client, deposit, "send_back")
        assert Deposit.objects.get(pk=deposit.pk).state == "sent_back"

    def test_shows_the_refusal_of_a_single_person(self, admin_client, deposit, shopper, settings):
        configure(settings, "DEPOSITS", need_second_person=True)
        answer = self.send(admin_client, deposit, "assign", customer=shopper.user.username)
        assert "a second person has to approve" in answer.content.decode()
        assert is_untouched(deposit, shopper)

    def test_offers_nothing_without_the_permission(self, client, deposit, shopper, staff):
        client.force_login(staff[0])
        assert self.send(client, deposit, "assign", customer=shopper.user.username).status_code == 403
        assert is_untouched(deposit, shopper)
