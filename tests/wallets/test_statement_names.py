"""References that a bank uses again: no payment is credited twice, none is lost, and none stops the others."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection

from exchange_site.configuration.kinds import _parse_accounts
from exchange_site.stack.processes import PROJECT
from settlement.services.sweeping import sweep
from settlement.tasks import credit_statements
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import run_as_owner
from tests.wallets.bank import DAY, IBAN, camt, entry, head, import_file, table
from wallets.exceptions import StatementDecided, StatementRefused
from wallets.models import Deposit, Statement, User, WalletRole
from wallets.payment_references import payment_reference
from wallets.services.crediting_statements import (
    approve_statement,
    credit_approved_statements,
    credit_statement,
    reject_statement,
)
from wallets.services.deposit_kinds import DEPOSIT
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)

EARLIER = DAY - timedelta(days=1)


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
        Statement.objects.update(state="approved")  # as while its other lines are credited
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


class TestALineThatWasToldBefore:
    """Statements of an account follow one another by their balances."""

    def test_with_the_same_reference_and_another_day_is_of_nobody_under_a_name_of_its_own(self, credited, shopper):
        credited(camt(entry("10", reference="X", text=reference_of(shopper), day=EARLIER), closing="10"))
        credited(camt(entry("10", reference="X", text=reference_of(shopper)), opening="10", closing="20"))
        assert (shopper.wallet.balance, of_nobody()) == (110, 10)
        assert Deposit.objects.get(state="unassigned").reference == f"X@{DAY}"
        assert verify_everything() == []

    def test_with_the_same_reference_and_another_customer_is_of_nobody(self, credited, make_shopper):
        shoppers = [make_shopper() for _ in range(2)]
        for number, each in enumerate(shoppers):
            lines = [entry("10", reference="X", text=reference_of(each)), entry("10", sign="DBIT")]
            credited(camt(*lines, entry("1", reference=f"Y{number}"), opening=str(number), closing=str(number + 1)))
        assert ([each.wallet.balance for each in shoppers], of_nobody()) == ([110, 100], 12)
        assert verify_everything() == []

    def test_with_the_same_reference_and_another_payer_is_of_nobody(self, credited):
        for number, name in enumerate(("Ann", "Bob")):
            lines = [entry("10", reference="X", name=name, text="coins"), entry("10", sign="DBIT")]
            credited(camt(*lines, entry("1", reference=f"Y{number}"), opening=str(number), closing=str(number + 1)))
        assert (of_nobody(), received()) == (22, 22)
        assert verify_everything() == []

    def test_with_the_same_reference_is_another_payment_if_the_balances_say_so(self, credited, shopper):
        for opening in ("0", "10"):
            line = entry("10", reference="X", text=reference_of(shopper))
            credited(camt(line, opening=opening, closing=str(int(opening) + 10)))
        assert (shopper.wallet.balance, of_nobody(), received()) == (110, 10, 20)
        assert verify_everything() == []

    def test_with_the_same_reference_in_another_format_is_known(self, credited, shopper):
        own = reference_of(shopper)
        lines = [entry("10", reference="X", name="Jane Doe", text=own), entry("10", reference="d", sign="DBIT")]
        credited(camt(*lines, closing="0"))
        rows = [f"{DAY},10.00,USD,X,JANE DOE,{own},", f"{DAY},-10.00,USD,d,,,", f"{DAY},7.00,USD,Y,,{own},"]
        credited(table(*rows), head=head("7"))
        assert (shopper.wallet.balance, of_nobody(), received()) == (117, 0, 17)
        assert verify_everything() == []

    def test_without_a_reference_is_of_nobody_if_its_payer_is_spelled_differently(self, credited, shopper):
        own = reference_of(shopper)
        credited(camt(entry("500", name="Doe Ltd", text=own), entry("500", sign="DBIT"), closing="0"))
        rows = [f"{DAY},500.00,USD,,Doe Limited,{own},booked", f"{DAY},-500.00,USD,,,,"]
        credited(table(*rows), head=head("0"))
        assert (shopper.wallet.balance, of_nobody()) == (600, 500)

    @pytest.mark.parametrize("references", [("", ""), ("X", ""), ("", "X")])
    def test_in_a_file_of_the_day_after_one_of_the_morning_is_not_credited_again(self, credited, shopper, references):
        lines = [
            [entry("500", name="Doe", reference=each, text=reference_of(shopper)), entry("500", sign="DBIT")]
            for each in references
        ]
        new = entry("300", name="Doe", text=reference_of(shopper))
        credited(camt(*lines[0], closing="0"))
        credited(camt(*lines[1], new, closing="300"))
        assert (shopper.wallet.balance, of_nobody()) == (900, 500)
        assert verify_everything() == []

    def test_on_another_day_is_another_payment(self, credited, shopper):
        for day in (EARLIER, DAY):
            lines = [entry("500", day=day, text=reference_of(shopper)), entry("500", day=day, sign="DBIT")]
            credited(camt(*lines, closing="0"))
        assert (shopper.wallet.balance, of_nobody()) == (1100, 0)


class TestOurAccounts:
    OTHER = "12345698765432"

    @pytest.fixture
    def _listed(self, settings):
        configure(settings, "DEPOSITS", accounts=_parse_accounts(f"gb82 west 1234 5698 7654 32={self.OTHER}"))

    @pytest.mark.usefixtures("_listed")
    def test_have_one_name_whatever_a_file_calls_them(self, credited, shopper, ann):
        own = reference_of(shopper)
        lines = [entry("5", reference="b1", text=own), entry("5", sign="DBIT")]
        credited(camt(*lines, closing="0"))
        rows = [f"{DAY},5.00,USD,b1,,{own},", f"{DAY},-5.00,USD,,,,"]
        with pytest.raises(StatementRefused, match="imported before"):
            credited(table(*rows), head=head("0", account=self.OTHER))
        payload = DEPOSIT.payload_of(
            customer_id=shopper.user.pk, amount=Decimal(5), source=self.OTHER, reference="b1", received_on=DAY
        )
        assert (payload["source"], shopper.wallet.balance, received()) == (IBAN, 105, 5)

    @pytest.mark.usefixtures("_listed")
    def test_are_no_others_than_those_that_are_listed(self, credited, shopper):
        with pytest.raises(StatementRefused, match="none of our accounts"):
            credited(camt(entry("5", text=reference_of(shopper)), closing="5", account="GB33BUKB20201555555555"))
        assert (Statement.objects.count(), shopper.wallet.balance) == (0, 100)

    def test_are_none_without_a_list_in_production(self, credited, shopper, settings):
        configure(settings, "DEPOSITS", accounts={})
        with pytest.raises(StatementRefused, match="none of our accounts"):
            credited(camt(entry("5", text=reference_of(shopper)), closing="5"))
        assert (Statement.objects.count(), shopper.wallet.balance) == (0, 100)

    def test_may_have_files_of_the_same_bytes(self, ann):
        content = table(f"{DAY},5.00,USD,b1,,coins,")
        for account in (IBAN, "GB33BUKB20201555555555"):
            assert import_file(content, by=ann, head=head("5", account=account)).is_new
            assert not import_file(content, by=ann, head=head("5", account=account)).is_new
        assert Statement.objects.count() == 2


class TestStatementsThatFollowOneAnother:
    def test_are_approved_in_their_order(self, ann, shopper):
        first = import_file(camt(entry("5", reference="a", text=reference_of(shopper)), closing="5"), by=ann).statement
        content = camt(entry("6", reference="b", text=reference_of(shopper)), opening="5", closing="11")
        second = import_file(content, by=ann).statement
        with pytest.raises(StatementDecided, match="decide first"):
            approve_statement(statement_id=second.pk, by=ann, approved_by=None)
        credit_approved_statements()
        assert shopper.wallet.balance == 100
        for each in (second, first):
            reject_statement(statement_id=each.pk, by=ann)
        assert set(Statement.objects.values_list("state", flat=True)) == {"rejected"}

    def test_are_credited_for_some_seconds_and_the_rest_later(self, ann, shopper, monkeypatch):
        monkeypatch.setattr("wallets.services.crediting_statements._AT_ONCE", 1)
        lines = [entry("1", reference=f"a{n}", text=reference_of(shopper)) for n in range(3)]
        statement = import_file(camt(*lines, closing="3"), by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        credit_approved_statements(seconds=-1)
        assert (shopper.wallet.balance, Statement.objects.get().state) == (100, "approved")
        credit_statements(0)
        assert (shopper.wallet.balance, Statement.objects.get().state) == (103, "credited")

    def test_are_credited_by_a_job_of_which_one_runs_at_a_time_and_not_by_the_sweep(self, ann, shopper, now):
        statement = import_file(camt(entry("5", text=reference_of(shopper)), closing="5"), by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        sweep(now=now)
        assert shopper.wallet.balance == 100
        assert (credit_statements.lock, credit_statements.queueing_lock) == ("credit_statements", "credit_statements")


def test_customers_are_found_without_a_look_at_all_wallets(make_shopper, credited):
    """A join of the wallets would be hashed, which reads every wallet for each five hundred lines."""
    first, last = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
    values = {"references": ["RF00"], "firsts": [first], "lasts": [last], "asset": "USD"}
    text = (PROJECT / "wallets/sql/match_customers.sql").read_text()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + text, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "wallets_wallet" not in plan.partition("SubPlan")[0]
    assert "hashed SubPlan" not in plan


def test_the_command_prints_what_looks_like_a_mark_as_it_is(tmp_path, ann):
    ann.user_permissions.add(Permission.objects.get(codename="add_statement"))
    path = tmp_path / "a[red]b[c].xml"
    path.write_bytes(camt(entry("5", reference="a[/b]", text="[bold]:smile:"), closing="5"))
    out = StringIO()
    call_command("import_statement", str(path), "--by", "ann", stdout=out)
    assert "a[/b]" in out.getvalue()
    assert of_nobody() == 5


class TestVerifyLedger:
    def test_finds_a_line_of_another_customer_than_its_deposit(self, credited, make_shopper):
        shoppers = [make_shopper() for _ in range(2)]
        credited(camt(entry("5", reference="b", text=reference_of(shoppers[0])), closing="5"))
        assert verify_everything() == []
        run_as_owner(f"UPDATE wallets_statementline SET customer_id = {shoppers[1].user.pk}")
        [found] = verify_everything()
        assert (found.rule, "line 1 of statement" in found.subject) == (10, True)
