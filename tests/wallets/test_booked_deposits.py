"""Deposits that staff book by hand: each payment once, whoever else tells of it, and known by both people."""

from datetime import timedelta
from decimal import Decimal

import pytest

from settlement.verification import verify_everything
from tests.configure import configure
from tests.processes import at_once
from tests.staff import give_powers_before_the_rule, let_do_everything, make_chief
from tests.wallets.bank import DAY, IBAN, camt, entry, import_file
from wallets.exceptions import NeedsAnotherPerson, NotFound, ProposalRefused, StatementRefused
from wallets.models import Deposit, Proposal, User
from wallets.payment_references import payment_reference
from wallets.services.crediting_statements import approve_statement, credit_statement, reject_statement
from wallets.services.deposit_kinds import DEPOSIT
from wallets.services.proposals import approve, propose

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(db):
    return make_chief("ann")


@pytest.fixture
def bob(db):
    return make_chief("bob")


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds={"deposit": Decimal(0)})


@pytest.fixture
def ask(shopper, ann):
    """Ask for a deposit of 25.00 dollars that our account received as b1."""

    def ask(by=ann, **changes):
        given = {"customer_id": shopper.user.pk, "amount": Decimal(25), "source": IBAN, "reference": "b1"}
        payload = DEPOSIT.payload_of(**{**given, "received_on": DAY, **changes})
        return propose(kind="deposit", payload=payload, reason="seen on the account", asked_by=by)

    return ask


def from_bank():
    return Deposit.objects.filter(source=IBAN)


class TestADepositByStaff:
    @pytest.mark.usefixtures("_two")
    def test_is_credited_when_a_second_person_approves_it_and_names_both(self, ask, ann, bob, shopper):
        proposal = ask(source="gb82 west 1234 5698 7654 32", reference=" b1 ")
        assert (shopper.wallet.balance, from_bank().count()) == (100, 0)
        assert proposal.beneficiary == shopper.user
        approve(proposal_id=proposal.pk, approved_by=bob)
        row = from_bank().get()
        assert (shopper.wallet.balance, row.reference, row.received_at.date()) == (125, "b1", DAY)
        assert (row.decided_by, row.approved_by) == (ann, bob)
        assert verify_everything() == []

    def test_needs_one_person_where_one_suffices(self, ask, ann, shopper):
        ask()
        row = from_bank().get()
        assert (shopper.wallet.balance, row.decided_by, row.approved_by) == (125, ann, None)

    @pytest.mark.usefixtures("_two")
    def test_has_one_effect_when_several_are_approved_at_once(self, ask, shopper):
        proposals = [ask() for _ in range(6)]
        people = [make_chief(f"chief{number}") for number in range(6)]

        def approve_as(number):
            return approve(proposal_id=proposals[number].pk, approved_by=people[number]).outcome

        assert sorted(at_once(6, approve_as)) == ["done", *["refused"] * 5]
        assert (shopper.wallet.balance, from_bank().count()) == (125, 1)
        assert verify_everything() == []

    @pytest.mark.parametrize("state", ["waiting", "credited"])
    def test_is_refused_if_a_statement_tells_of_it(self, ask, ann, shopper, state):
        line = entry("25", reference="b1", text=payment_reference(subject=shopper.user.subject))
        statement = import_file(camt(line, closing="25"), by=ann).statement
        if state == "credited":
            approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
            credit_statement(statement_id=statement.pk)
        before = shopper.wallet.balance
        with pytest.raises(ProposalRefused):
            ask()
        assert (shopper.wallet.balance, Proposal.objects.count()) == (before, 0)

    def test_is_taken_if_that_statement_was_rejected(self, ask, ann, shopper):
        statement = import_file(camt(entry("25", reference="b1"), closing="25"), by=ann).statement
        reject_statement(statement_id=statement.pk, by=ann)
        ask()
        assert shopper.wallet.balance == 125

    @pytest.mark.parametrize(("told", "of_nobody"), [("25", 0), ("30", 1)])
    def test_is_not_credited_again_by_a_later_statement(self, ask, ann, bob, shopper, told, of_nobody):
        ask()
        line = entry(told, reference="b1", text=payment_reference(subject=shopper.user.subject))
        statement = import_file(camt(line, closing=told), by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=bob)
        credit_statement(statement_id=statement.pk)
        assert (shopper.wallet.balance, from_bank().filter(state="unassigned").count()) == (125, of_nobody)
        assert verify_everything() == []

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"amount": Decimal(0)}, ProposalRefused),
            ({"amount": Decimal(-1)}, ProposalRefused),
            ({"reference": "NONREF"}, ProposalRefused),
            ({"reference": " "}, ProposalRefused),
            ({"source": "sandbox"}, ProposalRefused),
            ({"source": "opening"}, ProposalRefused),
            ({"source": "GB82WEST12345698765433"}, StatementRefused),
            ({"received_on": DAY + timedelta(days=9)}, ProposalRefused),
        ],
    )
    def test_that_cannot_be_is_refused(self, ask, shopper, changes, refusal):
        before = Deposit.objects.count()
        with pytest.raises(refusal):
            ask(**changes)
        assert (shopper.wallet.balance, Deposit.objects.count(), Proposal.objects.count()) == (100, before, 0)

    def test_is_not_for_its_author(self, ask, ann, shopper):
        give_powers_before_the_rule(shopper.user)
        let_do_everything(shopper.user)
        with pytest.raises(NeedsAnotherPerson):
            ask(by=User.objects.get(pk=shopper.user.pk))
        assert (shopper.wallet.balance, Proposal.objects.count()) == (100, 0)

    def test_is_not_for_somebody_without_a_wallet(self, ask, bob):
        with pytest.raises(NotFound):
            ask(customer_id=bob.pk)
        assert not from_bank().exists()
