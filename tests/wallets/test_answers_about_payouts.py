"""What came of payouts: the bank's answers in statements, staff's, and faults that verify_ledger finds."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import transaction

from exchange_site.stack.processes import PROJECT
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.wallets.bank import DAY, camt, entry, head, import_file, table
from tests.wallets.payees import OUR_ACCOUNT, add, ask, decide, make_staff, pay_from, state_of
from wallets.exceptions import NotFound, PayoutDecided, ProposalRefused
from wallets.models import Deposit, Payout, PayoutState, Statement, StatementLine, Transaction, WalletRole
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.payouts.answers import mark_line_seen
from wallets.services.payouts.exporting import export_payouts
from wallets.services.payouts.outcomes import note_outcome
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(db):
    return make_staff()


@pytest.fixture
def sent(shopper, ann, settings):
    pay_from(settings)
    add(shopper)
    payout = ask(shopper, "30")
    decide(payout, "approved", by=ann)
    export_payouts(by=ann)
    payout.refresh_from_db()
    return payout


def named(payout):
    """Return the details of an entry that names the payout end to end, as banks do."""
    return f"<TxDtls><Refs><EndToEndId>{payout.end_to_end_id}</EndToEndId></Refs></TxDtls>"


def code_of_bank(name):
    """Return the bank's code for a kind of payment."""
    return f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>{name}</SubFmlyCd></Fmly></Domn></BkTxCd>"


def debit(payout, amount="30.00", **more):
    return entry(amount, sign="DBIT", reference=more.pop("reference", "bank 1"), details=named(payout), **more)


def credit(payout, amount="30.00", **more):
    return entry(amount, reference=more.pop("reference", "bank 2"), details=named(payout), **more)


def tell(*entries, by, opening="100", closing):
    """Import, approve and credit a statement of our account."""
    content = camt(*entries, opening=opening, closing=closing, account=OUR_ACCOUNT)
    statement = import_file(content, by=by).statement
    approve_statement(statement_id=statement.pk, by=by, approved_by=None)
    credit_statement(statement_id=statement.pk)
    assert Statement.objects.get(pk=statement.pk).state == "credited"
    return statement


def contradictions():
    return [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.PAYOUT_LINE]


def read(client, model, pk):
    return client.get(f"/admin/wallets/{model}/{pk}/change/").content.decode()


class TestAStatement:
    def test_marks_a_payout_as_paid(self, shopper, ann, sent):
        tell(debit(sent), by=ann, closing="70")
        sent.refresh_from_db()
        assert (sent.state, sent.bank_reference, shopper.wallet.balance) == ("paid", "bank 1", 70)
        assert StatementLine.objects.get().payout == sent
        assert verify_everything() == []

    @pytest.mark.parametrize("was_paid", [False, True])
    def test_brings_a_payout_back_once(self, shopper, ann, sent, was_paid):
        before = [debit(sent)] if was_paid else []
        tell(*before, credit(sent), by=ann, closing="100" if was_paid else "130")
        sent.refresh_from_db()
        assert (sent.state, sent.paid_at is not None, shopper.wallet.balance) == ("returned", was_paid, 100)
        assert not Deposit.objects.exclude(source="opening").exists()
        assert verify_everything() == []
        closing = "100" if was_paid else "130"
        later = str(int(closing) + 30)
        tell(credit(sent, reference="bank 3"), by=ann, opening=closing, closing=later)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        assert verify_everything() == []

    def test_says_why_a_payout_came_back_without_our_own_id(self, ann, sent):
        why = named(sent).replace("</TxDtls>", "<RmtInf><Ustrd>Account closed</Ustrd></RmtInf></TxDtls>")
        tell(debit(sent), entry("30.00", reference="bank 2", details=why), by=ann, closing="100")
        sent.refresh_from_db()
        assert (sent.state, sent.reason) == ("returned", "Account closed")

    def test_may_tell_the_return_first(self, shopper, ann, sent):
        tell(credit(sent), debit(sent), by=ann, closing="100")
        sent.refresh_from_db()
        assert (sent.state, sent.paid_at is not None, shopper.wallet.balance) == ("returned", True, 100)
        assert StatementLine.objects.filter(payout=sent).count() == 2
        assert verify_everything() == []

    def test_that_pays_twice_is_believed_once(self, shopper, ann, sent):
        tell(debit(sent), debit(sent, reference="bank 3"), by=ann, closing="40")
        assert (state_of(sent), StatementLine.objects.filter(payout=sent).count()) == ("paid", 1)
        assert verify_everything() == []

    def test_brings_a_payout_back_by_a_reversal(self, shopper, ann, sent):
        tell(debit(sent), credit(sent, reversal=True), by=ann, closing="100")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    @pytest.mark.parametrize(
        "mark", ["<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>", code_of_bank("RRTN"), code_of_bank("RPCR")]
    )
    def test_tells_of_a_returned_payment_that_is_no_deposit(self, shopper, ann, sent, mark):
        own = payment_reference(subject=shopper.user.subject)
        free = f"<RmtInf><Ustrd>{own}</Ustrd></RmtInf>"
        details = f"<TxDtls>{mark}{free}</TxDtls>"
        tell(entry("30.00", reference="bank 2", details=details), by=ann, closing="130")
        assert (StatementLine.objects.get().kind, shopper.wallet.balance) == ("given_back", 70)
        tell(credit(sent).replace("</TxDtls>", f"{mark}{free}</TxDtls>"), by=ann, opening="130", closing="160")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert not Deposit.objects.filter(source=OUR_ACCOUNT).exists()
        assert verify_everything() == []

    def test_tells_of_several_returned_payments_in_one_entry(self, shopper, ann, sent):
        share = '<Amt Ccy="USD">{}</Amt><RtrInf/></TxDtls>'
        details = named(sent).replace("</TxDtls>", share.format("30.00")) + f"<TxDtls>{share.format('5.00')}"
        tell(entry("35.00", reference="bank 2", details=details), by=ann, closing="135")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert not Deposit.objects.filter(source=OUR_ACCOUNT).exists()

    def test_with_a_return_of_a_deposit_takes_it_back(self, shopper, ann, sent):
        own = payment_reference(subject=shopper.user.subject)
        tell(entry("9.00", reference="in-77", text=own), by=ann, closing="109")
        assert shopper.wallet.balance == 79
        back = "<TxDtls><RtrInf/><RmtInf><Ustrd>in-77</Ustrd></RmtInf></TxDtls>"
        tell(entry("9.00", sign="DBIT", reference="out-78", details=back), by=ann, opening="109", closing="100")
        assert shopper.wallet.balance == 70
        assert verify_everything() == []

    @pytest.mark.parametrize("outcome", ["failed", "returned"])
    def test_of_a_payout_that_staff_have_brought_back_is_not_credited_besides(self, shopper, ann, sent, outcome):
        decide(sent, outcome, by=ann)
        own = payment_reference(subject=shopper.user.subject)
        free = f"<RmtInf><Ustrd>{own}</Ustrd></RmtInf></TxDtls>"
        tell(credit(sent).replace("</TxDtls>", free), by=ann, closing="130")
        assert (state_of(sent), shopper.wallet.balance) == (outcome, 100)
        assert not Deposit.objects.filter(source=OUR_ACCOUNT).exists()
        assert verify_everything() == []
        less = credit(sent, "28.00", reference="bank 3").replace("</TxDtls>", free)
        tell(less, by=ann, opening="130", closing="158")
        assert (shopper.wallet.balance, Deposit.objects.get(source=OUR_ACCOUNT).state) == (100, "unassigned")
        assert verify_everything() == []

    def test_answers_in_csv_too(self, shopper, ann, sent):
        content = table(f"{DAY},-30.00,USD,bank 1,Alice,{sent.end_to_end_id.lower()} payout,booked")
        given = import_file(content, by=ann, head=head("70", opening="100", account=OUR_ACCOUNT), name="a.csv")
        approve_statement(statement_id=given.statement.pk, by=ann, approved_by=None)
        credit_statement(statement_id=given.statement.pk)
        assert state_of(sent) == "paid"

    def test_says_nothing_before_it_is_approved(self, shopper, ann, sent):
        content = camt(credit(sent), opening="100", closing="130", account=OUR_ACCOUNT)
        statement = import_file(content, by=ann).statement
        credit_statement(statement_id=statement.pk)
        assert (state_of(sent), shopper.wallet.balance) == ("sent", 70)

    def test_with_another_amount_answers_nothing(self, shopper, ann, sent):
        tell(debit(sent, "29.00"), credit(sent, "28.00"), by=ann, closing="99")
        assert (state_of(sent), shopper.wallet.balance) == ("sent", 70)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        assert verify_everything() == []

    @pytest.mark.parametrize("told", ["another amount", "paid twice", "returned before it was sent"])
    def test_that_contradicts_a_payout_is_on_the_to_do_page_until_staff_have_seen_it(self, shopper, ann, sent, told):
        if told == "another amount":
            tell(debit(sent, "29.00"), by=ann, closing="71")
        elif told == "paid twice":
            tell(debit(sent), debit(sent, reference="bank 3"), by=ann, closing="40")
        else:
            other = ask(shopper, "30")
            tell(credit(other, reversal=True), by=ann, closing="130")
        before = (state_of(sent), shopper.wallet.balance)
        [row] = contradictions()
        line = StatementLine.objects.get(contradicts__isnull=False)
        assert str(line) in row.subject
        assert f"payout {line.contradicts_id}" in row.reason
        mark_line_seen(line_id=line.pk, by=ann)
        assert contradictions() == []
        line.refresh_from_db()
        assert (line.seen_by, (state_of(sent), shopper.wallet.balance)) == (ann, before)
        with pytest.raises(NotFound):
            mark_line_seen(line_id=line.pk, by=ann)
        assert verify_everything() == []

    def test_that_contradicts_a_payout_is_marked_in_the_admin(self, admin_client, ann, sent):
        tell(debit(sent, "29.00"), by=ann, closing="71")
        line = StatementLine.objects.get()
        page = f"/admin/wallets/statementline/{line.pk}/change/"
        shown = admin_client.get(page).content.decode()
        assert f"/admin/wallets/payout/{sent.pk}/change/" in shown
        assert 'value="mark_as_seen"' in shown
        fields = {"action": "mark_as_seen", "_selected_action": [line.pk], "reason": "the bank took a fee"}
        admin_client.post("/admin/wallets/statementline/", fields)
        assert 'value="mark_as_seen"' not in admin_client.get(page).content.decode()
        assert contradictions() == []
        assert LogEntry.objects.get().change_message == "Seen: the bank took a fee"

    def test_leads_from_a_payout_to_the_line_that_answers_it(self, admin_client, ann, sent):
        tell(debit(sent), by=ann, closing="70")
        line = StatementLine.objects.get()
        assert f"/admin/wallets/statementline/{line.pk}/change/" in read(admin_client, "payout", sent.pk)
        assert f"/admin/wallets/payout/{sent.pk}/change/" in read(admin_client, "statementline", line.pk)

    def test_that_names_several_payouts_answers_none(self, shopper, ann, sent):
        other = ask(shopper, "30")
        line = debit(sent).replace("</TxDtls>", f"<RmtInf><Ustrd>{other.end_to_end_id}</Ustrd></RmtInf></TxDtls>")
        tell(line, by=ann, closing="70")
        assert (state_of(sent), state_of(other)) == ("sent", "requested")

    @pytest.mark.parametrize("approved", [False, True])
    def test_shows_a_payout_that_a_restored_database_has_forgotten(self, shopper, ann, sent, approved):
        forgotten = ask(shopper, "20")
        if approved:
            decide(forgotten, "approved", by=ann)
        tell(debit(forgotten, "20.00"), by=ann, closing="80")
        forgotten.refresh_from_db()
        assert (forgotten.state, forgotten.sent_at, shopper.wallet.balance) == ("paid", forgotten.paid_at, 50)
        assert sum_house_wallet(role=WalletRole.PAYABLE) == 0
        assert verify_everything() == []
        assert export_payouts(by=ann).held == {}
        assert state_of(forgotten) == "paid"

    def test_of_a_cancelled_payout_changes_nothing(self, shopper, ann, sent):
        rejected = ask(shopper, "20")
        decide(rejected, "rejected", by=ann)
        tell(debit(rejected, "20.00"), by=ann, closing="80")
        assert (state_of(rejected), shopper.wallet.balance) == ("rejected", 70)
        assert verify_everything() == []

    def test_has_one_effect_when_several_processes_take_it(self, shopper, ann, sent):
        content = camt(debit(sent), credit(sent), opening="100", closing="100", account=OUR_ACCOUNT)
        statement = import_file(content, by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        at_once(8, lambda _: credit_statement(statement_id=statement.pk))
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    def test_is_taken_to_the_end_after_a_kill(self, shopper, ann, sent, tmp_path):
        content = camt(debit(sent), credit(sent), opening="100", closing="100", account=OUR_ACCOUNT)
        path, folder = tmp_path / "statement.xml", tmp_path / "shots"
        path.write_bytes(content)
        folder.mkdir()
        environment = process_environment(FAILPOINTS="payouts.answered=kill", FAILPOINTS_DIR=str(folder))
        command = [sys.executable, "manage.py", "import_statement", str(path), "--by", "ann"]
        codes = [
            subprocess.run(command, cwd=PROJECT, env=environment, check=False, timeout=60).returncode for _ in range(2)
        ]
        assert codes == [-9, 0]
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []


class TestStaff:
    @pytest.mark.parametrize("outcome", ["failed", "returned"])
    def test_say_that_it_came_back(self, shopper, ann, sent, outcome):
        decide(sent, outcome, by=ann, reason="closed account")
        sent.refresh_from_db()
        assert (sent.state, sent.reason, shopper.wallet.balance) == (outcome, "closed account", 100)
        with pytest.raises(ProposalRefused):
            decide(sent, "returned", by=ann)
        assert shopper.wallet.balance == 100
        assert verify_everything() == []

    def test_say_that_it_was_paid_and_then_that_it_came_back(self, shopper, ann, sent):
        decide(sent, "paid", by=ann)
        with pytest.raises(ProposalRefused):
            decide(sent, "failed", by=ann)
        decide(sent, "returned", by=ann)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    @pytest.mark.parametrize("outcome", ["paid", "failed", "returned"])
    def test_say_nothing_about_a_payout_that_was_not_sent(self, shopper, ann, sent, outcome):
        payout = ask(shopper, "10")
        with pytest.raises(ProposalRefused):
            decide(payout, outcome, by=ann)
        assert (state_of(payout), shopper.wallet.balance) == ("requested", 60)

    def test_bring_it_back_once_however_many_say_so(self, shopper, sent):
        def bring_back(_):
            try:
                with transaction.atomic():
                    note_outcome(payout_id=sent.pk, outcome=PayoutState.RETURNED)
            except PayoutDecided:
                return 0
            return 1

        assert sum(at_once(50, bring_back)) == 1
        assert shopper.wallet.balance == 100
        assert verify_everything() == []

    def test_are_told_of_payouts_without_an_answer(self, ann, sent, settings):
        def kinds(after):
            return {each.kind for each in list_to_do(now=clock.now() + after)}

        limit = settings.TO_DO.payout_answer_limit
        assert ConcernKind.PAYOUT_ANSWER not in kinds(timedelta(0))
        assert ConcernKind.PAYOUT_ANSWER in kinds(limit + timedelta(hours=1))


FAULTS = {
    "a payout that is paid without having been sent": "UPDATE wallets_payout SET state = 'paid', approved_at = now(), sent_at = now(), paid_at = now() WHERE state = 'requested'",
    "a payout that came back without its dollars": "UPDATE wallets_payout SET state = 'returned', returned_at = now() WHERE state = 'sent'",
    "a payout that was cancelled without its dollars": "UPDATE wallets_payout SET state = 'cancelled', cancelled_at = now(), approved_at = NULL WHERE state = 'requested'",
    "a payout of another amount": "UPDATE wallets_payout SET amount = 31 WHERE state = 'sent'",
    "a payout of another customer": "UPDATE wallets_payout SET customer_id = (SELECT id FROM wallets_user WHERE username = 'ann') WHERE state = 'sent'",
    "a payout that is gone": "DELETE FROM wallets_payout WHERE state = 'requested'",
    "a movement that is gone": "DELETE FROM wallets_transaction WHERE reference LIKE 'payout:%:sent'",
    "a file of another total": "UPDATE wallets_payoutfile SET total = 31",
    "a line that answers another amount": "UPDATE wallets_statementline SET deposit_id = NULL, payout_id = (SELECT id FROM wallets_payout WHERE state = 'requested')",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_ledger_finds(shopper, ann, sent, fault):
    ask(shopper, "10")
    tell(entry("1.00", reference="bank 9"), by=ann, closing="101")
    assert verify_everything() == []
    run_as_owner(FAULTS[fault])
    found = [each for each in verify_everything() if each.rule == 10]
    assert found, fault
    assert any("payout" in each.subject or "payable" in each.subject for each in found)


def test_a_dump_holds_no_readable_account(shopper, ann, sent, settings):
    configure(settings, "PAYOUTS", self_service=True)
    tables = ("payee", "payout", "payoutfile", "transaction", "proposal", "proposalrecord")
    rows = [row for name in tables for (row,) in run_as_owner(f"SELECT to_jsonb(t)::text FROM wallets_{name} t")]
    assert rows
    assert not [row for row in rows if "WEST12345698765432" in row or "Alice Example" in row]


def test_commands_tell_the_ledger_is_whole(shopper, ann, sent):
    tell(debit(sent), credit(sent), by=ann, closing="100")
    call_command("verify_ledger")
    assert Payout.objects.count() == 1
    assert Transaction.objects.filter(reference__startswith="payout:").count() == 3
