"""References that a bank uses again: no payment is credited twice, none is lost, and none stops the others."""

import pytest

from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.wallets.bank import IBAN, camt, entry, import_file
from wallets.exceptions import StatementDecided
from wallets.models import Deposit, Statement, User, WalletRole
from wallets.payment_references import payment_reference
from wallets.services.crediting_statements import (
    approve_statement,
    credit_approved_statements,
    credit_statement,
    reject_statement,
)
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(db):
    return User.objects.create_user("ann", is_staff=True)


def reference_of(shopper):
    return payment_reference(subject=shopper.user.subject)


@pytest.fixture
def credited(ann):
    """Import, approve and credit a statement, and return it."""

    def credited(content, **options):
        statement = import_file(content, by=ann, **options).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        credit_approved_statements()
        return Statement.objects.get(pk=statement.pk)

    return credited


def of_nobody():
    return sum_house_wallet(role=WalletRole.UNASSIGNED)


def received():
    """Return what our account has received, by what the deposits say."""
    return sum(Deposit.objects.filter(source=IBAN).values_list("amount", flat=True))


class TestAReferenceThatComesAgain:
    def test_with_one_of_several_earlier_amounts_stops_no_statement(self, credited, shopper, now):
        own = reference_of(shopper)
        twice = [entry(amount, reference="X", text=own) for amount in ("10", "20")]
        credited(camt(*twice, closing="30"))
        second = credited(camt(entry("20", reference="X", text=own), opening="30", closing="50"))
        third = credited(camt(entry("7", reference="Y", text=own), opening="50", closing="57"))
        assert (second.state, third.state, received()) == ("credited", "credited", 57)
        assert (shopper.wallet.balance, of_nobody()) == (137, 20)
        assert {concern.kind.value for concern in list_to_do(now=now)} == {"unassigned"}
        assert verify_everything() == []

    def test_in_three_files_stops_no_statement(self, credited, shopper):
        opening = 0
        for amount in (10, 20, 20):
            line = entry(str(amount), reference="X", text=reference_of(shopper))
            done = credited(camt(line, opening=str(opening), closing=str(opening + amount)))
            opening += amount
            assert done.state == "credited"
        assert (shopper.wallet.balance, of_nobody(), received()) == (110, 40, 50)
        assert verify_everything() == []

    def test_in_the_words_of_another_name_is_neither_lost_nor_stops_anything(self, credited, make_shopper):
        shoppers = [make_shopper() for _ in range(2)]
        twice = [entry(amount, reference="X", text=reference_of(shoppers[0])) for amount in ("10", "20")]
        credited(camt(*twice, closing="30"))
        for number, amount in enumerate(("20", "21")):
            line = entry(amount, reference="X#2", text=reference_of(shoppers[1]))
            done = credited(camt(line, opening=str(30 + 20 * number), closing=str(30 + 20 * number + int(amount))))
            assert done.state == "credited"
        assert (shoppers[0].wallet.balance, received()) == (130, 71)
        assert shoppers[1].wallet.balance - 100 + of_nobody() == 41
        assert verify_everything() == []


class TestAnApprovedStatement:
    @pytest.fixture
    def approved(self, ann, shopper):
        content = camt(entry("5", reference="b", text=reference_of(shopper)), closing="5")
        statement = import_file(content, by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        return statement

    def test_of_which_nothing_is_booked_can_be_rejected(self, approved, ann, shopper):
        reject_statement(statement_id=approved.pk, by=ann)
        credit_approved_statements()
        assert (Statement.objects.get().state, shopper.wallet.balance, received()) == ("rejected", 100, 0)

    def test_of_which_something_is_booked_cannot(self, approved, ann, shopper):
        credit_statement(statement_id=approved.pk)
        Statement.objects.update(state="approved")
        with pytest.raises(StatementDecided):
            reject_statement(statement_id=approved.pk, by=ann)
        assert (Statement.objects.get().state, shopper.wallet.balance) == ("approved", 105)

    def test_that_cannot_be_credited_does_not_stop_the_next(self, ann, approved, shopper, monkeypatch):
        other = import_file(camt(account="GB33BUKB20201555555555", closing="0"), by=ann).statement
        approve_statement(statement_id=other.pk, by=ann, approved_by=None)
        monkeypatch.setattr("wallets.services.crediting_statements.take_answers", _fail_for(approved.pk))
        credit_approved_statements()
        assert [Statement.objects.get(pk=each.pk).state for each in (approved, other)] == ["approved", "credited"]
        assert shopper.wallet.balance == 100


def _fail_for(statement_id):
    def take_answers(*, statement_id: int):
        if statement_id == failing:
            raise StatementDecided(state="a test")

    failing = statement_id
    return take_answers
