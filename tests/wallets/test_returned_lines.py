"""Lines of bank statements by which the bank took deposits back: each becomes a return, or waits for staff."""

import subprocess
import sys

import pytest

from exchange_site.stack.processes import PROJECT
from settlement.verification import verify_everything
from tests.conftest import process_environment
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.wallets.bank import camt, entry, import_file
from wallets.models import Deposit, Return, Statement, StatementLine
from wallets.payment_references import payment_reference
from wallets.services.crediting_statements import approve_statement, credit_approved_statements, credit_statement

pytestmark = pytest.mark.django_db(transaction=True)


def approved(content, staff):
    statement = import_file(content, by=staff[0]).statement
    approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1])
    return statement


def credited(content, staff):
    statement = approved(content, staff)
    credit_statement(statement_id=statement.pk)
    return Statement.objects.get(pk=statement.pk)


def paid_in(shopper, *, reference="bank-1", amount="25"):
    return entry(amount, reference=reference, text=payment_reference(subject=shopper.user.subject))


def taken_back(*, reference="bank-1", amount="25", text=""):
    return entry(amount, sign="DBIT", reversal=True, reference=reference, text=text)


def rows():
    return list(Return.objects.order_by("id").values_list("state", "reference", "amount"))


class TestALineThatWasTakenBack:
    def test_takes_the_deposit_back_whose_reference_it_repeats(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        statement = credited(camt(taken_back(), opening="25", closing="0"), staff)
        assert (statement.state, shopper.wallet.balance, shopper.wallet.frozen) == ("credited", 100, True)
        assert rows() == [("taken", "bank-1", 25)]
        assert verify_everything() == []

    def test_takes_the_deposit_back_that_its_text_names(self, shopper, staff):
        credited(camt(paid_in(shopper), closing="25"), staff)
        line = taken_back(reference="bank-7", amount="10", text="RETURN OF bank-1")
        credited(camt(line, opening="25", closing="15"), staff)
        assert (rows(), shopper.wallet.balance) == ([("taken", "bank-7", 10)], 115)

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
        [violation] = verify_everything()
        assert (violation.rule, violation.subject.split(" of ")[0]) == (10, "line 1")


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
