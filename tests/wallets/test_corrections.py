"""Corrections of what staff booked wrongly, goodwill, and write-offs of debts."""

from decimal import Decimal

import pytest
from django.test import Client

from exchange_site.configuration.persons import KINDS
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.staff import give_powers_before_the_rule, let_do_everything, make_chief
from tests.wallets.returned import buy, owed, receive, spend, take
from wallets.exceptions import DomainError, InsufficientFunds, NotCorrectable, NotFound, OwesLess
from wallets.models import Deposit, Proposal, ProposalRecord, Receivable, Transaction, WalletRole
from wallets.services.correcting import correct_movement, give_goodwill
from wallets.services.deposits import Decision, assign_deposit
from wallets.services.ledger.debts import write_debt_off
from wallets.services.money_kinds import GOODWILL, WRITE_OFF
from wallets.services.proposals import approve, propose
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


FIRST = "SELECT min(id) FROM wallets_transaction"


def last(shopper):
    return Transaction.objects.filter(customer=shopper.user, asset="USD").latest("id")


def correct(movement, staff):
    return correct_movement(movement_id=movement.pk, by=staff[0], approved_by=staff[1], note="the wrong customer")


def give(shopper, amount, name="sorry"):
    give_goodwill(customer_id=shopper.user.pk, amount=Decimal(amount), name=name)


class TestACorrectionOfADeposit:
    def test_leaves_the_dollars_to_nobody_and_they_are_assigned_again(self, bank_deposit, shopper, make_shopper, staff):
        correction = correct(last(shopper), staff)
        row = Deposit.objects.get(pk=bank_deposit.pk)
        assert (row.state, row.note, shopper.wallet.balance) == ("unassigned", "corrected: the wrong customer", 100)
        assert (correction.kind, correction.amount, correction.balance_after) == ("correction", 25, 100)
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 25
        assert verify_everything() == []
        right = make_shopper("")
        for customer in (shopper, right):
            assign_deposit(
                deposit_id=bank_deposit.pk,
                customer_id=customer.user.pk,
                decision=Decision(by=staff[0], approved_by=staff[1], note="found"),
            )
            if customer is shopper:
                correct(last(shopper), staff)
        assert (shopper.wallet.balance, right.wallet.balance) == (100, 25)
        assert verify_everything() == []

    def test_is_refused_when_the_wallet_does_not_hold_the_dollars_any_more(self, bank_deposit, shopper, staff):
        movement = last(shopper)
        spend(shopper, "110.00")
        with pytest.raises(InsufficientFunds):
            correct(movement, staff)
        assert (shopper.wallet.balance, Deposit.objects.get(pk=bank_deposit.pk).state) == (15, "credited")

    def test_is_refused_after_a_return(self, bank_deposit, shopper, staff, now):
        movement = last(shopper)
        take(bank_deposit, now, amount="1.00")
        with pytest.raises(NotCorrectable, match="taken a part"):
            correct(movement, staff)
        assert shopper.wallet.balance == 124

    def test_happens_once(self, bank_deposit, shopper, staff):
        movement = last(shopper)

        def run(_):
            try:
                correct(movement, staff)
            except NotCorrectable:
                return False
            return True

        assert sum(at_once(6, run)) == 1
        assert shopper.wallet.balance == 100
        assert verify_everything() == []


class TestACorrection:
    def test_gives_a_withdrawal_back(self, shopper, staff):
        spend(shopper, "30.00")
        correct(last(shopper), staff)
        assert shopper.wallet.balance == 100
        assert verify_everything() == []

    def test_of_a_withdrawal_pays_first_what_is_owed(self, debtor, staff):
        withdrawal = Transaction.objects.get(kind="withdrawal")
        correct(withdrawal, staff)
        assert (debtor.wallet.balance, owed(debtor)) == (100, 0)
        assert verify_everything() == []

    def test_takes_goodwill_back(self, shopper, staff):
        give(shopper, "5.00")
        correct(last(shopper), staff)
        assert (shopper.wallet.balance, sum_house_wallet(role=WalletRole.GOODWILL)) == (100, 0)
        assert verify_everything() == []

    def test_never_reverses_a_movement_of_an_order_or_a_return_or_a_correction(
        self, bank_deposit, shopper, coin, staff, now
    ):
        buy(shopper, "20.00", now)
        of_order = last(shopper)
        take(bank_deposit, now, amount="1.00")
        of_return = last(shopper)
        give(shopper, "5.00")
        corrected = correct(last(shopper), staff)
        before = shopper.wallet.balance
        for movement in (of_order, of_return, corrected):
            with pytest.raises(NotCorrectable):
                correct(movement, staff)
        with pytest.raises(NotFound):
            correct_movement(movement_id=10**9, by=staff[0], approved_by=None, note="x")
        assert shopper.wallet.balance == before


class TestGoodwill:
    def test_is_a_gift_of_the_house_that_the_customer_sees(self, shopper, api):
        give(shopper, "5.00")
        give(shopper, "5.00")
        assert (shopper.wallet.balance, sum_house_wallet(role=WalletRole.GOODWILL)) == (105, -5)
        shown = api("GET", "transactions/", by=shopper).json()[0]
        assert (shown["type"], shown["kind"], shown["amount"]) == ("deposit", "goodwill", "5.00")
        assert verify_everything() == []

    def test_pays_first_what_is_owed(self, debtor):
        give(debtor, "20.00")
        assert (debtor.wallet.balance, owed(debtor)) == (5, 0)
        assert verify_everything() == []


class TestAWriteOff:
    def test_ends_a_part_of_the_debt(self, debtor, now):
        write_debt_off(customer_id=debtor.user.pk, amount=Decimal(5), name="a", now=now)
        assert (owed(debtor), sum_house_wallet(role=WalletRole.WRITTEN_OFF)) == (10, -5)
        assert sum_house_wallet(role=WalletRole.RECEIVABLE) == -10
        assert verify_everything() == []

    def test_is_never_more_than_the_debt(self, debtor, now):
        with pytest.raises(OwesLess):
            write_debt_off(customer_id=debtor.user.pk, amount=Decimal("15.01"), name="a", now=now)
        assert owed(debtor) == 15


class TestVerifyLedger:
    @pytest.mark.parametrize(
        ("fault", "subject"),
        [
            ("UPDATE wallets_transaction SET kind = 'purchase' WHERE kind = 'goodwill'", "goodwill"),
            ("UPDATE wallets_transaction SET reverses_id = 1 WHERE kind = 'correction'", "correction"),
            (f"UPDATE wallets_transaction SET reverses_id = ({FIRST}) WHERE kind = 'correction'", "correction"),
            ("UPDATE wallets_transaction SET amount = amount + 1 WHERE kind = 'correction'", "correction"),
            ("UPDATE wallets_transaction SET kind = 'fee' WHERE kind = 'write_off'", "written_off"),
        ],
    )
    def test_finds_and_names_what_was_changed_by_hand(self, debtor, staff, now, fault, subject):
        write_debt_off(customer_id=debtor.user.pk, amount=Decimal(5), name="a", now=now)
        give(debtor, "20.00")
        give(debtor, "3.00", name="again")
        correct(Transaction.objects.get(reference="goodwill:again"), staff)
        assert verify_everything() == []
        run_as_owner(fault)
        found = [violation for violation in verify_everything() if violation.rule == 5]
        assert any(violation.subject.startswith(subject) for violation in found)


class TestTwoPersons:
    @pytest.fixture(autouse=True)
    def _two(self, settings):
        configure(settings, "PROPOSALS", kinds={**dict.fromkeys(KINDS, Decimal(0)), "goodwill": Decimal(10)})

    @pytest.fixture
    def superusers(self, db):
        return [make_chief(name) for name in ("ann", "bob")]

    def ask(self, kind, payload, by):
        return propose(kind=kind.name, payload=payload, reason="because", asked_by=by)

    def test_are_needed_above_the_amount_that_is_configured(self, shopper, superusers):
        ann, bob = superusers
        small = self.ask(GOODWILL, GOODWILL.payload_of(customer_id=shopper.user.pk, amount=Decimal(10)), ann)
        assert (small.needs_two, shopper.wallet.balance) == (False, 110)
        large = self.ask(GOODWILL, GOODWILL.payload_of(customer_id=shopper.user.pk, amount=Decimal("10.01")), ann)
        assert (large.needs_two, shopper.wallet.balance) == (True, 110)
        approve(proposal_id=large.pk, approved_by=bob)
        assert shopper.wallet.balance == Decimal("120.01")

    def test_give_nothing_to_themselves(self, superusers, make_shopper):
        shopper = make_shopper()
        give_powers_before_the_rule(shopper.user)
        own = let_do_everything(shopper.user)
        with pytest.raises(DomainError, match="Somebody else has to decide"):
            self.ask(GOODWILL, GOODWILL.payload_of(customer_id=own.pk, amount=Decimal(5)), own)
        assert shopper.wallet.balance == 100

    def test_write_a_debt_off_as_it_is_at_the_approval(self, debtor, superusers, now):
        ann, bob = superusers
        asked = self.ask(WRITE_OFF, WRITE_OFF.payload_of(customer_id=debtor.user.pk, amount=Decimal(15)), ann)
        receive(debtor, now, reference="line 2", amount="1.00")
        assert approve(proposal_id=asked.pk, approved_by=bob).outcome == "refused"
        assert owed(debtor) == 14
        asked = self.ask(WRITE_OFF, WRITE_OFF.payload_of(customer_id=debtor.user.pk, amount=Decimal(14)), ann)
        approve(proposal_id=asked.pk, approved_by=bob)
        assert (owed(debtor), Receivable.objects.count()) == (0, 1)
        assert verify_everything() == []

    def test_have_one_effect_when_fifty_approve_at_once(self, shopper, superusers):
        ann, bob = superusers
        asked = self.ask(GOODWILL, GOODWILL.payload_of(customer_id=shopper.user.pk, amount=Decimal(50)), ann)

        def run(_):
            try:
                approve(proposal_id=asked.pk, approved_by=bob)
            except DomainError:
                return False
            return True

        assert sum(at_once(50, run)) == 1
        assert (shopper.wallet.balance, ProposalRecord.objects.count()) == (150, 1)

    def test_decide_about_corrections_and_goodwill_of_the_admin(self, shopper, superusers):
        ann, bob = (Client() for _ in superusers)
        for client, user in zip((ann, bob), superusers, strict=True):
            client.force_login(user)
        spend(shopper, "30.00")
        movement = last(shopper)
        for path, action, pk, more in (
            ("transaction", "correct", movement.pk, {}),
            ("wallet", "give_goodwill", shopper.wallet.pk, {"amount": "11.00"}),
        ):
            data = {"action": action, "_selected_action": [pk], "reason": "because", **more}
            shown = ann.post(f"/admin/wallets/{path}/", data, follow=True).content.decode()
            assert "another member of staff has to approve" in shown
        assert shopper.wallet.balance == 70
        for proposal in Proposal.objects.all():
            data = {"action": "approve", "_selected_action": [proposal.pk], "reason": "because"}
            bob.post("/admin/wallets/proposal/", data)
        assert shopper.wallet.balance == 111
        assert verify_everything() == []
