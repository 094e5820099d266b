"""Lines of bank statements by which the bank took deposits back: each becomes a return, or waits for staff."""

import re
import subprocess
import sys
from decimal import Decimal

import pytest

from exchange_site.stack.processes import PROJECT
from settlement.services.sweeping import sweep
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.conftest import process_environment
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.staff import let_do_everything
from tests.wallets.bank import DAY, IBAN, camt, detail, entry, head, import_file, table
from tests.wallets.payees import add, ask, state_of
from tests.wallets.returned import owed, spend
from wallets.exceptions import ProposalRefused, ReturnRefused
from wallets.models import Deposit, Return, Statement, StatementLine
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.crediting_statements import approve_statement, credit_approved_statements, credit_statement
from wallets.services.deposit_kinds import DEPOSIT, IMPORT
from wallets.services.money_kinds import RETURN, WON_BACK
from wallets.services.proposals import propose
from wallets.services.returns.winning import win_return_back

pytestmark = pytest.mark.django_db(transaction=True)


def approved(content, staff, **more):
    statement = import_file(content, by=staff[0], **more).statement
    approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1])
    return statement


def credited(content, staff, **more):
    statement = approved(content, staff, **more)
    credit_statement(statement_id=statement.pk)
    return Statement.objects.get(pk=statement.pk)


def reference_of(shopper):
    return payment_reference(subject=shopper.user.subject)


def paid_in(shopper, *, reference="bank-1", amount="25", text="", name=""):
    return entry(amount, reference=reference, text=f"{reference_of(shopper)} {text}", name=name)


def taken_back(*, reference="bank-1", amount="25", text="", name="", original=""):
    details = detail(name=name, text=text, reference=original)
    return entry(amount, sign="DBIT", reversal=True, reference=reference, details=details)


def rows():
    return list(Return.objects.order_by("id").values_list("state", "reference", "amount"))


class TestALineThatWasTakenBack:
    def test_takes_the_deposit_back_whose_reference_it_repeats(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        statement = credited(camt(taken_back(), opening="25", closing="0"), staff)
        assert (statement.state, shopper.wallet.balance, shopper.wallet.frozen) == ("credited", 100, True)
        assert rows() == [("taken", "bank-1", 25)]
        assert verify_everything() == []

    def test_takes_the_deposit_back_that_the_bank_names_beside_its_own_reference(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        line = taken_back(reference="bank-7", amount="10", original="bank-1")
        credited(camt(line, opening="25", closing="15"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-7", 10)], 115)
        assert verify_everything() == []

    @pytest.mark.parametrize(("status", "balance"), [("reversal", 100), ("booked", 125)])
    def test_takes_a_deposit_back_in_csv_by_the_status_of_the_line(self, shopper, staff, status, balance):
        credited(camt(paid_in(shopper), closing="25"), staff)
        content = table(f"{DAY},-25.00,USD,bank-1,Jane,,{status}")
        credited(content, staff, head=head("0", opening="25"), name="a.csv")
        assert (shopper.wallet.balance, shopper.wallet.frozen) == (balance, status == "reversal")
        assert verify_everything() == []

    def test_takes_back_what_the_same_statement_credits(self, shopper, staff):
        credited(camt(taken_back(), paid_in(shopper), closing="0"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-1", 25)], 100)
        assert verify_everything() == []

    def test_takes_each_part_of_one_statement(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        credited(camt(taken_back(amount="10"), taken_back(amount="10"), opening="25", closing="5"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-1", 10), ("taken", "bank-1#2", 10)], 105)

    def test_waits_for_staff_if_a_later_statement_repeats_its_reference(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        credited(camt(taken_back(amount="10"), opening="25", closing="15"), staff)
        credited(camt(taken_back(amount="10"), opening="15", closing="5"), staff)
        assert rows() == [("taken", "bank-1", 10), ("waiting", "bank-1#2", 10)]
        assert shopper.wallet.balance == 115
        assert verify_everything() == []

    @pytest.mark.parametrize("line", [taken_back(reference=""), taken_back(reference="other"), taken_back(amount="26")])
    def test_waits_for_staff_if_no_deposit_fits(self, shopper, staff, line):
        credited(camt(paid_in(shopper), closing="25"), staff)
        more, closing = paid_in(shopper, reference="b2", amount="75"), "74" if ">26<" in line else "75"
        statement = credited(camt(line, more, opening="25", closing=closing), staff)
        assert (statement.state, Return.objects.get().state, shopper.wallet.balance) == ("credited", "waiting", 200)
        assert verify_everything() == []

    def test_leads_to_its_return_and_a_deposit_to_its_line_in_the_admin(self, shopper, staff, admin_client):
        def read(model, pk):
            return admin_client.get(f"/admin/wallets/{model}/{pk}/change/").content.decode()

        credited(camt(paid_in(shopper), taken_back(), closing="0"), staff)
        deposit, row = Deposit.objects.get(reference="bank-1"), Return.objects.get()
        line = deposit.lines.get()
        assert f"/admin/wallets/statementline/{line.pk}/change/" in read("deposit", deposit.pk)
        assert f"/admin/wallets/deposit/{deposit.pk}/change/" in read("statementline", line.pk)
        assert f"/admin/wallets/return/{row.pk}/change/" in read("statementline", row.line_id)
        assert f"/admin/wallets/statementline/{row.line_id}/change/" in read("return", row.pk)
        with by_owner():
            StatementLine.objects.filter(pk=row.line_id).update(kind="credit", deposit=deposit)
        several = f"/admin/wallets/statementline/?deposit__id__exact={deposit.pk}"
        assert several in read("deposit", deposit.pk)
        assert admin_client.get(several).content.decode().count("field-in_statement") == 2

    def test_is_the_return_that_staff_have_booked_before(self, shopper, staff, admin_client):
        credited(camt(paid_in(shopper), closing="25"), staff)
        pk = Deposit.objects.get(reference="bank-1").pk
        told = {"amount": "25", "reference": "bank-1", "reason": "the bank called"}
        admin_client.post("/admin/wallets/deposit/", {"action": "take_back", "_selected_action": [pk], **told})
        credited(camt(taken_back(), opening="25", closing="0"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-1", 25)], 100)
        assert Return.objects.get().line is not None
        assert verify_everything() == []

    def test_waits_beside_another_return_of_its_reference(self, shopper, staff, admin_client):
        credited(camt(paid_in(shopper), closing="25"), staff)
        pk = Deposit.objects.get(reference="bank-1").pk
        told = {"amount": "5", "reference": "bank-1", "reason": "the bank called"}
        admin_client.post("/admin/wallets/deposit/", {"action": "take_back", "_selected_action": [pk], **told})
        statement = credited(camt(taken_back(), opening="25", closing="0"), staff)
        assert (statement.state, shopper.wallet.balance) == ("credited", 120)
        assert [state for state, _, _ in rows()] == ["taken", "waiting"]
        assert verify_everything() == []

    def test_has_one_effect_when_several_processes_credit(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        statement = approved(camt(taken_back(), opening="25", closing="0"), staff)
        at_once(6, lambda _: credit_statement(statement_id=statement.pk))
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-1", 25)], 100)

    def test_has_no_effect_before_the_statement_is_approved(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        import_file(camt(taken_back(), opening="25", closing="0"), by=staff[0])
        credit_approved_statements()
        assert (rows(), shopper.wallet.balance) == ([], 125)

    def test_without_its_return_is_found_by_the_verification(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        credited(camt(taken_back(reference="x-1"), opening="25", closing="0"), staff)
        run_as_owner("UPDATE wallets_return SET line_id = NULL")
        violations = verify_everything()
        assert {violation.rule for violation in violations} == {10}
        assert "line 1" in [violation.subject.split(" of ")[0] for violation in violations]


def test_a_process_that_is_killed_between_two_returns_has_one_effect(shopper, staff, tmp_path):
    credited(camt(paid_in(shopper), closing="25"), staff)
    statement = approved(camt(taken_back(amount="10"), taken_back(amount="5"), opening="25", closing="10"), staff)
    code = (
        "import django; django.setup();"
        "from wallets.services.crediting_statements import credit_statement as credit;"
        f"credit(statement_id={statement.pk})"
    )

    def run(shot):
        environment = process_environment(
            FAILPOINTS=shot, FAILPOINTS_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="exchange_site.settings"
        )
        return subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=False).returncode

    for point in ("statement.took_back", "return.taken", "statement.credited_some"):
        assert run(f"{point}=kill") == -9
        assert verify_everything() == []
    assert run("") == run("") == 0
    assert ([amount for _, _, amount in rows()], shopper.wallet.balance) == ([10, 5], 110)
    assert verify_everything() == []


class TestThePayersWords:
    """The payer writes the text of a payment, and the bank repeats it when it takes the payment back."""

    @pytest.fixture
    def thief(self, make_shopper):
        return make_shopper()

    def test_do_not_take_the_deposit_of_another_customer(self, shopper, thief, staff):
        of_thief = paid_in(thief, reference="1002", amount="40", text="invoice 1001")
        credited(camt(paid_in(shopper, reference="1001"), of_thief, closing="65"), staff)
        line = taken_back(reference="1003", amount="10", text=f"{reference_of(thief)} invoice 1001")
        credited(camt(line, opening="65", closing="55"), staff)
        assert rows() == [("waiting", "1003", 10)]
        assert (shopper.wallet.balance, shopper.wallet.frozen, thief.wallet.balance) == (125, False, 140)
        assert verify_everything() == []

    @pytest.mark.parametrize(
        ("amount", "text", "name"),
        [
            ("25", "{thief} bank-1", ""),
            ("25", "bank-1", ""),
            ("25", "bank-1", "Mallory Black"),
            ("25", "{owner} bank-1", "Mallory Black"),
            ("25", "{owner} {thief} bank-1", "Jane Doe"),
            ("10", "{owner} bank-1", "Jane Doe"),
            ("25", "{owner} bank-1 bank-2", "Jane Doe"),
        ],
    )
    def test_wait_for_staff_unless_customer_payer_and_amount_fit(self, shopper, thief, staff, amount, text, name):
        more = paid_in(thief, reference="bank-2")
        credited(camt(paid_in(shopper, name="Jane Doe"), more, closing="50"), staff)
        text = text.format(owner=reference_of(shopper), thief=reference_of(thief))
        line = taken_back(reference="bank-9", amount=amount, text=text, name=name)
        credited(camt(line, opening="50", closing=str(50 - int(amount))), staff)
        assert rows() == [("waiting", "bank-9", int(amount))]
        assert (shopper.wallet.balance, thief.wallet.balance) == (125, 125)
        sweep(now=clock.now())
        assert Return.objects.get().state == "waiting"

    @pytest.mark.parametrize(("text", "name"), [("{owner} bank-1", ""), ("return of bank-1", "Jane Doe")])
    def test_name_the_deposit_if_all_of_it_fits(self, shopper, staff, text, name):
        credited(camt(paid_in(shopper, name="Jane Doe"), closing="25"), staff)
        line = taken_back(reference="bank-9", text=text.format(owner=reference_of(shopper)), name=name)
        credited(camt(line, opening="25", closing="0"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-9", 25)], 100)

    def test_contradict_a_reference_of_the_bank_that_belongs_to_another(self, shopper, thief, staff):
        credited(camt(paid_in(shopper), paid_in(thief, reference="bank-2"), closing="50"), staff)
        line = taken_back(reference="bank-1", text=reference_of(thief))
        credited(camt(line, opening="50", closing="25"), staff)
        assert rows() == [("waiting", "bank-1", 25)]
        assert (shopper.wallet.balance, thief.wallet.balance) == (125, 125)

    def test_are_kept_encrypted_while_the_return_waits(self, shopper, staff):
        credited(camt(taken_back(text="from Jane Doe"), paid_in(shopper, reference="b2"), closing="0"), staff)
        assert Return.objects.get().named == "bank-1"


class TestAReferenceThatTheBankHasUsedTwice:
    def test_waits_for_staff(self, shopper, make_shopper, staff):
        other = make_shopper()
        credited(camt(paid_in(shopper), paid_in(other), closing="50"), staff)
        credited(camt(taken_back(text=reference_of(other)), opening="50", closing="25"), staff)
        assert rows() == [("waiting", "bank-1", 25)]
        assert "to several deposits" in Return.objects.get().note
        assert (shopper.wallet.balance, other.wallet.balance) == (125, 125)
        assert (shopper.wallet.frozen, other.wallet.frozen) == (False, False)

    def test_is_that_of_a_renamed_deposit_too(self, shopper, make_shopper, staff):
        other = make_shopper()
        credited(camt(paid_in(shopper), closing="25"), staff)
        credited(camt(paid_in(other, amount="30"), opening="25", closing="55"), staff)
        credited(camt(taken_back(), opening="55", closing="30"), staff)
        assert (rows(), shopper.wallet.balance) == ([("waiting", "bank-1", 25)], 125)


class TestAReturnThatStaffHaveBooked:
    @pytest.fixture
    def booked(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        deposit = Deposit.objects.get(reference="bank-1")
        payload = RETURN.payload_of(deposit_id=deposit.pk, amount=Decimal(10), reference="case 77", note="by phone")
        propose(kind="return", payload=payload, reason="by phone", asked_by=let_do_everything(staff[0]))
        assert shopper.wallet.balance == 115
        return Return.objects.get()

    def test_is_not_taken_again_by_a_line_of_the_same_amount(self, booked, shopper, staff):
        credited(camt(taken_back(amount="10"), opening="25", closing="15"), staff)
        assert rows() == [("taken", "case 77", 10), ("waiting", "bank-1", 10)]
        assert (shopper.wallet.balance, "Staff have booked" in Return.objects.last().note) == (115, True)
        sweep(now=clock.now())
        assert shopper.wallet.balance == 115
        assert verify_everything() == []

    def test_does_not_hold_a_line_of_another_amount(self, booked, shopper, staff):
        credited(camt(taken_back(amount="5"), opening="25", closing="20"), staff)
        assert shopper.wallet.balance == 110

    def test_is_named_by_the_proposal_of_another_one(self, booked, shopper, staff):
        payload = RETURN.payload_of(deposit_id=booked.deposit_id, amount=Decimal(10), reference="case 78", note="x")
        assert "compare with return" in RETURN.describe(payload=payload)[1]


class TestADisputeThatIsWon:
    @pytest.fixture
    def taken(self, shopper, staff):
        credited(camt(paid_in(shopper), taken_back(), closing="0"), staff)
        let_do_everything(staff[0])
        return Return.objects.get()

    def ask(self, taken, staff, *others):
        payload = WON_BACK.payload_of(return_id=taken.pk, others=others)
        return propose(kind="won_back", payload=payload, reason="the bank wrote", asked_by=staff[0])

    @pytest.mark.parametrize("is_named", [True, False])
    def test_is_credited_once_if_a_statement_has_told_it(self, taken, shopper, staff, is_named):
        text = reference_of(shopper) if is_named else "dispute won"
        credited(camt(entry("25", reference="b9", text=text), opening="0", closing="25"), staff)
        before = shopper.wallet.balance
        with pytest.raises(ReturnRefused, match="has come in since"):
            self.ask(taken, staff)
        with pytest.raises(ReturnRefused, match="has come in since"):
            win_return_back(return_id=taken.pk)
        assert (shopper.wallet.balance, Return.objects.get().state) == (before, "taken")

    def test_is_credited_once_if_a_statement_tells_it_afterwards(self, taken, shopper, staff):
        self.ask(taken, staff)
        assert shopper.wallet.balance == 125
        credited(camt(entry("25", reference="b9", text=reference_of(shopper)), opening="0", closing="25"), staff)
        deposit = Deposit.objects.get(reference="b9")
        assert (shopper.wallet.balance, deposit.state) == (125, "unassigned")
        assert "won back" in deposit.note
        assert verify_everything() == []

    def test_is_credited_beside_deposits_that_two_persons_call_other_payments(self, taken, shopper, staff):
        credited(camt(paid_in(shopper, reference="b9"), opening="0", closing="25"), staff)
        other = Deposit.objects.get(reference="b9")
        asked = self.ask(taken, staff, other.pk)
        assert f"other payments: deposits {other.pk}" in asked.new
        assert (shopper.wallet.balance, Return.objects.get().state) == (150, "won")
        assert verify_everything() == []

    def test_is_asked_about_in_the_admin(self, taken, shopper, staff, admin_client):
        credited(camt(paid_in(shopper, reference="b9"), opening="0", closing="25"), staff)
        told = {"action": "win_back", "_selected_action": [taken.pk], "reason": "the bank wrote"}
        page = admin_client.post("/admin/wallets/return/", told, follow=True).content.decode()
        assert "has come in since" in page
        assert shopper.wallet.balance == 125
        other = Deposit.objects.get(reference="b9").pk
        admin_client.post("/admin/wallets/return/", {**told, "others": f" {other} "})
        assert (shopper.wallet.balance, Return.objects.get().state) == (150, "won")


class TestADepositOfSomebodyElse:
    """Anybody can pay a cent in with the reference of a customer, and call it back."""

    @pytest.fixture
    def victim(self, shopper, staff):
        credited(camt(paid_in(shopper, reference="own", name="Jane Doe"), closing="25"), staff)
        return shopper

    def pay_and_take_back(self, victim, staff, *, name, amount="0.01"):
        total = str(25 + Decimal(amount))
        line = paid_in(victim, reference="m1", amount=amount, name=name)
        credited(camt(line, opening="25", closing=total), staff)
        credited(camt(taken_back(reference="m1", amount=amount), opening=total, closing="25"), staff)

    def test_is_taken_without_freezing_the_customer(self, victim, staff):
        self.pay_and_take_back(victim, staff, name="Mallory Black")
        assert (victim.wallet.balance, victim.wallet.frozen) == (125, False)
        [concern] = [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.RETURN]
        assert "not frozen" in concern.reason
        assert verify_everything() == []

    def test_is_taken_with_all_consequences_if_the_customer_has_spent_it(self, victim, staff):
        line = paid_in(victim, reference="m1", name="Mallory Black")
        credited(camt(line, opening="25", closing="50"), staff)
        spend(victim, "140")
        credited(camt(taken_back(reference="m1"), opening="50", closing="25"), staff)
        assert (victim.wallet.balance, victim.wallet.frozen, owed(victim)) == (0, True, 15)
        assert verify_everything() == []

    @pytest.mark.parametrize("name", ["Jane Doe", "Doe, Jane Mary", ""])
    def test_is_no_deposit_of_the_customers_own(self, victim, staff, name):
        self.pay_and_take_back(victim, staff, name=name)
        assert victim.wallet.frozen

    def test_never_reaches_a_customer_who_has_a_payee_of_another_name(self, shopper, staff):
        add(shopper, name="Jane Doe")
        payout = ask(shopper, "50")
        credited(camt(paid_in(shopper, reference="m1", name="Mallory Black"), closing="25"), staff)
        credited(camt(taken_back(reference="m1"), opening="25", closing="0"), staff)
        assert (shopper.wallet.balance, shopper.wallet.frozen, state_of(payout)) == (50, False, "requested")
        assert verify_everything() == []


class TestBeforeAStatementIsApproved:
    def test_staff_read_what_each_line_will_do(self, shopper, make_shopper, staff, admin_client):
        other = make_shopper()
        credited(camt(paid_in(shopper), paid_in(other, reference="b2"), closing="50"), staff)
        lines = [
            taken_back(amount="10"),
            taken_back(reference="b9", amount="1", text=f"{reference_of(other)} bank-1"),
            paid_in(other, reference="b3", amount="5"),
            entry("6", reference="b4", text="thanks"),
            taken_back(reference="b2", amount="26"),
        ]
        statement = import_file(camt(*lines, opening="50", closing="24"), by=staff[0]).statement
        page = admin_client.get(f"/admin/wallets/statementline/?statement__id__exact={statement.pk}").content.decode()
        deposit, second = (Deposit.objects.get(reference=each) for each in ("bank-1", "b2"))
        assert re.search(rf"takes back <a href=\"/admin/wallets/deposit/{deposit.pk}/change/\">", page)
        assert f'<a href="/admin/wallets/user/{shopper.user.pk}/change/">' in page
        assert "waits for staff (only the payer" in page
        assert "credits a customer:" in page
        assert "becomes a deposit of nobody (it names no payment reference)" in page
        assert re.search(rf"more than is left of <a href=\"/admin/wallets/deposit/{second.pk}/change/\">", page)
        told = IMPORT.describe(payload=IMPORT.payload_of(statement=statement))[1]
        assert "3 lines take deposits back" in told

    def test_staff_read_which_payouts_its_lines_name(self, shopper, staff, admin_client):
        add(shopper)
        payout = ask(shopper, "30")
        line = entry("30", sign="DBIT", reference="b1", text=payout.end_to_end_id)
        statement = import_file(camt(line, opening="30", closing="0"), by=staff[0]).statement
        page = admin_client.get(f"/admin/wallets/statementline/?statement__id__exact={statement.pk}").content.decode()
        assert "names a payout of 30.00 USD" in page
        assert f"/admin/wallets/payout/{payout.pk}/change/" in page
        assert "1 lines name payouts" in IMPORT.describe(payload=IMPORT.payload_of(statement=statement))[1]

    def test_staff_read_that_the_file_was_imported_for_another_account(self, shopper, staff):
        content = table(f"{DAY},25.00,USD,ref1,Jane,{reference_of(shopper)},booked")
        accounts = (IBAN, "DE89370400440532013000")
        first, second = (
            import_file(content, by=staff[0], head=head("25", account=each), name="a.csv").statement
            for each in accounts
        )
        told = IMPORT.describe(payload=IMPORT.payload_of(statement=second))[1]
        assert f"the same file is {first}" in told


class TestADepositByHand:
    @pytest.fixture
    def ask(self, shopper, staff):
        let_do_everything(staff[0])

        def ask(reference):
            day = clock.now().date()
            payload = DEPOSIT.payload_of(
                customer_id=shopper.user.pk, amount=Decimal(25), source=IBAN, reference=reference, received_on=day
            )
            return propose(kind="deposit", payload=payload, reason="seen", asked_by=staff[0])

        return ask

    @pytest.mark.parametrize("reference", ["ntrf-1", "NTRF 1", "something else"])
    def test_is_credited_once_if_a_statement_spells_its_reference_otherwise(self, ask, shopper, staff, reference):
        ask(reference)
        credited(camt(paid_in(shopper, reference="NTRF-1"), closing="25"), staff)
        assert shopper.wallet.balance == 125
        assert "by hand" in Deposit.objects.get(reference="NTRF-1").note
        assert verify_everything() == []

    def test_does_not_hold_payments_of_another_amount(self, ask, shopper, staff):
        ask("x")
        credited(camt(paid_in(shopper, reference="b1", amount="24"), closing="24"), staff)
        assert shopper.wallet.balance == 149

    def test_is_refused_if_a_statement_has_told_it_in_other_letters(self, ask, shopper, staff):
        credited(camt(paid_in(shopper, reference="NTRF-1"), closing="25"), staff)
        with pytest.raises(ProposalRefused, match="received before"):
            ask("ntrf-1")
        assert shopper.wallet.balance == 125

    def test_names_deposits_that_it_may_be(self, ask, shopper, staff):
        credited(camt(paid_in(shopper, reference="NTRF-1"), closing="25"), staff)
        assert "compare with deposit" in ask("other").new
