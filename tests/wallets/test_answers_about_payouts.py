"""What came of payouts: the bank's answers in statements, staff's, and faults that verify_ledger finds."""

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import transaction

from exchange_site.configuration.persons import KINDS
from exchange_site.stack.processes import PROJECT
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.wallets.bank import DAY, camt, entry, head, import_file, table
from tests.wallets.payees import IBAN, OUR_ACCOUNT, add, ask, decide, make_staff, pay_from, state_of
from tests.wallets.returned import spend
from wallets.exceptions import (
    DepositDecided,
    ExportRefused,
    FundsOnHold,
    NotFound,
    PayoutDecided,
    ProposalRefused,
)
from wallets.models import Deposit, Payout, PayoutState, Statement, StatementLine, Transaction, WalletRole
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.closing import close_account
from wallets.services.correcting import give_goodwill
from wallets.services.crediting_statements import approve_statement, credit_approved_statements, credit_statement
from wallets.services.deposit_kinds import SEND_BACK
from wallets.services.money_kinds import CORRECTION, GOODWILL, debt_of
from wallets.services.payouts.exporting import export_payouts
from wallets.services.payouts.line_kinds import CAME_BACK, CHARGE_DEBIT, EXPLAIN_DEBIT
from wallets.services.payouts.outcomes import note_outcome
from wallets.services.proposals import approve, propose
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
    """Return a payment that only its payer's words name as the payout."""
    return entry(amount, reference=more.pop("reference", "bank 2"), details=named(payout), **more)


def back(payout, amount="30.00", **more):
    """Return a payment that the bank itself marks as the return of the payout."""
    return credit(payout, amount, reversal=True, **more)


def tell(*entries, by, opening="100", closing):
    """Import, approve and credit a statement of our account."""
    content = camt(*entries, opening=opening, closing=closing, account=OUR_ACCOUNT)
    statement = import_file(content, by=by).statement
    approve_statement(statement_id=statement.pk, by=by, approved_by=None)
    credit_statement(statement_id=statement.pk)
    assert Statement.objects.get(pk=statement.pk).state == "credited"
    return statement


def explain(line, *, by):
    payload = EXPLAIN_DEBIT.payload_of(line_id=line.pk)
    return propose(kind="explain_debit", payload=payload, reason="a fee", asked_by=by)


def charge(line, shopper, *, by):
    payload = CHARGE_DEBIT.payload_of(line_id=line.pk, customer_id=shopper.user.pk)
    return propose(kind="charge_debit", payload=payload, reason="the bank says so", asked_by=by)


def came_back(deposit, payout, *, by):
    payload = CAME_BACK.payload_of(deposit=deposit, payout_id=payout.pk, note="the bank says so")
    return propose(kind="came_back", payload=payload, reason="the bank says so", asked_by=by)


def contradictions():
    return [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.PAYOUT_LINE]


def unanswered(after):
    rows = list_to_do(now=clock.now() + after)
    return [each.reason for each in rows if each.kind is ConcernKind.PAYOUT_ANSWER]


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
        tell(*before, back(sent), by=ann, closing="100" if was_paid else "130")
        sent.refresh_from_db()
        assert (sent.state, sent.paid_at is not None, shopper.wallet.balance) == ("returned", was_paid, 100)
        assert not Deposit.objects.exclude(source="opening").exists()
        assert verify_everything() == []
        closing = "100" if was_paid else "130"
        later = str(int(closing) + 30)
        tell(back(sent, reference="bank 3"), by=ann, opening=closing, closing=later)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        assert verify_everything() == []

    def test_says_why_a_payout_came_back_without_our_own_id(self, ann, sent):
        why = named(sent).replace("</TxDtls>", "<RtrInf/><RmtInf><Ustrd>Account closed</Ustrd></RmtInf></TxDtls>")
        tell(debit(sent), entry("30.00", reference="bank 2", details=why), by=ann, closing="100")
        sent.refresh_from_db()
        assert (sent.state, sent.reason) == ("returned", "Account closed")

    def test_may_tell_the_return_first(self, shopper, ann, sent):
        tell(back(sent), debit(sent), by=ann, closing="100")
        sent.refresh_from_db()
        assert (sent.state, sent.paid_at is not None, shopper.wallet.balance) == ("returned", True, 100)
        assert StatementLine.objects.filter(payout=sent).count() == 2
        assert verify_everything() == []

    def test_that_pays_twice_is_believed_once(self, shopper, ann, sent):
        tell(debit(sent), debit(sent, reference="bank 3"), by=ann, closing="40")
        assert (state_of(sent), StatementLine.objects.filter(payout=sent).count()) == ("paid", 1)
        assert verify_everything() == []

    def test_brings_a_payout_back_by_a_reversal(self, shopper, ann, sent):
        tell(debit(sent), back(sent), by=ann, closing="100")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    @pytest.mark.parametrize(
        "mark", ["<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>", code_of_bank("RRTN"), code_of_bank("RPCR")]
    )
    def test_tells_of_a_returned_payment_that_is_no_deposit(self, shopper, ann, sent, mark):
        own = payment_reference(subject=shopper.user.subject)
        free = f"<RmtInf><Ustrd>{own}</Ustrd></RmtInf>"
        details = f"<TxDtls>{mark}{free}</TxDtls>"
        tell(entry("30.00", reference="bank 3", details=details), by=ann, closing="130")
        assert (StatementLine.objects.get().kind, shopper.wallet.balance) == ("given_back", 70)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        tell(credit(sent).replace("</TxDtls>", f"{mark}{free}</TxDtls>"), by=ann, opening="130", closing="160")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert Deposit.objects.filter(source=OUR_ACCOUNT).count() == 1
        assert verify_everything() == []

    def test_tells_of_several_returned_payments_in_one_entry(self, shopper, ann, sent):
        share = '<Amt Ccy="USD">{}</Amt><RtrInf/></TxDtls>'
        details = named(sent).replace("</TxDtls>", share.format("30.00")) + f"<TxDtls>{share.format('5.00')}"
        tell(entry("35.00", reference="bank 2", details=details), by=ann, closing="135")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        deposit = Deposit.objects.get(source=OUR_ACCOUNT)
        assert (deposit.state, deposit.amount) == ("unassigned", 5)

    def test_with_a_return_of_a_deposit_takes_it_back(self, shopper, ann, sent):
        own = payment_reference(subject=shopper.user.subject)
        tell(entry("9.00", reference="in-77", text=own), by=ann, closing="109")
        assert shopper.wallet.balance == 79
        back = "<TxDtls><Refs><AcctSvcrRef>in-77</AcctSvcrRef></Refs><RtrInf/></TxDtls>"
        tell(entry("9.00", sign="DBIT", reference="out-78", details=back), by=ann, opening="109", closing="100")
        assert shopper.wallet.balance == 70
        assert verify_everything() == []

    @pytest.mark.parametrize("outcome", ["failed", "returned"])
    def test_of_a_payout_that_staff_have_brought_back_is_not_credited_besides(self, shopper, ann, sent, outcome):
        decide(sent, outcome, by=ann)
        own = payment_reference(subject=shopper.user.subject)
        free = f"<RmtInf><Ustrd>{own}</Ustrd></RmtInf></TxDtls>"
        tell(back(sent).replace("</TxDtls>", free), by=ann, closing="130")
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

    @pytest.mark.parametrize(("status", "becomes"), [("reversal", "returned"), ("booked", "sent"), ("", "sent")])
    def test_brings_a_payout_back_in_csv_only_by_the_status_of_the_line(self, shopper, ann, sent, status, becomes):
        content = table(f"{DAY},30.00,USD,bank 2,Alice Example,{sent.end_to_end_id},{status}")
        given = import_file(content, by=ann, head=head("130", opening="100", account=OUR_ACCOUNT), name="a.csv")
        approve_statement(statement_id=given.statement.pk, by=ann, approved_by=None)
        credit_statement(statement_id=given.statement.pk)
        assert state_of(sent) == becomes
        assert shopper.wallet.balance == (100 if becomes == "returned" else 70)
        assert Deposit.objects.filter(state="unassigned").count() == (becomes == "sent")
        assert verify_everything() == []

    def test_says_nothing_before_it_is_approved(self, shopper, ann, sent):
        content = camt(back(sent), opening="100", closing="130", account=OUR_ACCOUNT)
        statement = import_file(content, by=ann).statement
        credit_statement(statement_id=statement.pk)
        assert (state_of(sent), shopper.wallet.balance) == ("sent", 70)

    def test_with_another_amount_answers_nothing(self, shopper, ann, sent):
        tell(debit(sent, "29.00"), back(sent, "28.00"), by=ann, closing="99")
        assert (state_of(sent), shopper.wallet.balance) == ("sent", 70)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        assert verify_everything() == []

    @pytest.mark.parametrize("told", ["another amount", "paid twice", "a payout that is not known", "several payouts"])
    def test_that_fits_no_payout_is_on_the_to_do_page_and_stops_exports_until_staff_decide(
        self, shopper, ann, sent, told
    ):
        other = ask(shopper, "30")
        decide(other, "approved", by=ann)
        lines = {
            "another amount": [debit(sent, "29.00")],
            "paid twice": [debit(sent), debit(sent, reference="bank 3")],
            "a payout that is not known": [debit(Payout(end_to_end_id="PO" + "0" * 30))],
            "several payouts": [
                debit(sent).replace("<TxDtls>", f"<TxDtls><RmtInf><Ustrd>{other.end_to_end_id}</Ustrd></RmtInf>")
            ],
        }[told]
        taken = {"another amount": "71", "paid twice": "40"}.get(told, "70")
        tell(*lines, by=ann, closing=taken)
        before = (state_of(sent), shopper.wallet.balance)
        [row] = contradictions()
        line = StatementLine.objects.get(kind="debit", payout=None)
        assert str(line) in row.subject
        with pytest.raises(ExportRefused, match="fits none"):
            export_payouts(by=ann)
        explain(line, by=ann)
        assert contradictions() == []
        line.refresh_from_db()
        assert (line.seen_by, (state_of(sent), shopper.wallet.balance)) == (ann, before)
        with pytest.raises(NotFound):
            explain(line, by=ann)
        assert verify_everything() == []
        export_payouts(by=ann)
        assert state_of(other) == "sent"

    def test_with_a_debit_that_names_nothing_is_on_the_to_do_page_and_stops_no_export(self, shopper, ann, sent):
        tell(entry("2.00", sign="DBIT", reference="fee", text="charges"), by=ann, closing="98")
        assert [each.kind for each in list_to_do(now=clock.now())].count(ConcernKind.DEBIT) == 1
        assert export_payouts(by=ann).held == {}
        explain(StatementLine.objects.get(), by=ann)
        assert not [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.DEBIT]
        assert verify_everything() == []

    def test_needs_two_persons_for_its_debits(self, shopper, ann, sent, settings):
        configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))
        statement = import_file(
            camt(debit(sent, "29.00"), opening="100", closing="71", account=OUR_ACCOUNT), by=ann
        ).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        credit_statement(statement_id=statement.pk)
        line = StatementLine.objects.get()
        assert explain(line, by=ann).needs_two
        assert len(contradictions()) == 1

    def test_is_decided_about_in_the_admin(self, admin_client, ann, sent):
        tell(debit(sent, "29.00"), by=ann, closing="71")
        line = StatementLine.objects.get()
        page = f"/admin/wallets/statementline/{line.pk}/change/"
        shown = admin_client.get(page).content.decode()
        assert f"/admin/wallets/payout/{sent.pk}/change/" in shown
        assert 'value="explain"' in shown
        assert 'value="charge"' in shown
        fields = {"action": "explain", "_selected_action": [line.pk], "reason": "the bank took a fee"}
        admin_client.post("/admin/wallets/statementline/", fields)
        assert 'value="explain"' not in admin_client.get(page).content.decode()
        assert contradictions() == []
        assert "the bank took a fee" in LogEntry.objects.get().change_message

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

    @pytest.mark.parametrize("spent", ["0", "90"])
    def test_of_a_payout_that_was_given_back_is_charged_to_its_customer(self, shopper, ann, sent, spent):
        rejected = ask(shopper, "20")
        decide(rejected, "rejected", by=ann)
        tell(debit(rejected, "20.00"), by=ann, closing="80")
        assert (state_of(rejected), shopper.wallet.balance, len(contradictions())) == ("rejected", 70, 1)
        if Decimal(spent):
            spend(shopper, "60")
        charge(StatementLine.objects.get(), shopper, by=ann)
        owed = Decimal(10) if Decimal(spent) else Decimal(0)
        assert (state_of(rejected), contradictions()) == ("paid", [])
        assert (shopper.wallet.balance, debt_of(customer_id=shopper.user.pk)) == (0 if owed else 50, owed)
        assert shopper.wallet.frozen is bool(owed)
        assert verify_everything() == []
        tell(back(rejected, "20.00"), by=ann, opening="80", closing="100")
        assert (state_of(rejected), shopper.wallet.balance) == ("returned", 10 if owed else 70)
        assert verify_everything() == []

    def test_of_a_payout_that_a_restored_database_lacks_is_charged_to_its_customer(self, shopper, make_shopper, ann):
        gone = Payout(end_to_end_id="PO" + "A" * 30)
        tell(debit(gone), by=ann, closing="70")
        assert [each.reason for each in contradictions()] == [
            f"it names a payout that is not known here: {gone.end_to_end_id}"
        ]
        charge(StatementLine.objects.get(), shopper, by=ann)
        payout = Payout.objects.get()
        assert (payout.end_to_end_id, payout.state, shopper.wallet.balance) == (gone.end_to_end_id, "paid", 70)
        assert contradictions() == []
        assert verify_everything() == []
        tell(back(payout), by=ann, opening="70", closing="100")
        assert (state_of(payout), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    def test_charges_nobody_but_the_customer_of_the_payout(self, shopper, make_shopper, ann, sent):
        rejected = ask(shopper, "20")
        decide(rejected, "rejected", by=ann)
        tell(debit(rejected, "20.00"), by=ann, closing="80")
        other = make_shopper()
        with pytest.raises(ProposalRefused, match="another customer"):
            charge(StatementLine.objects.get(), other, by=ann)
        assert (state_of(rejected), other.wallet.balance, len(contradictions())) == ("rejected", 100, 1)

    def test_of_a_payout_that_staff_have_marked_as_paid_meanwhile_is_charged_to_nobody(self, shopper, ann, sent):
        decide(sent, "failed", by=ann)
        tell(debit(sent), by=ann, closing="70")
        line = StatementLine.objects.get()
        decide(sent, "paid", by=ann)
        with pytest.raises(ProposalRefused, match="its own debit"):
            charge(line, shopper, by=ann)
        assert (state_of(sent), shopper.wallet.balance, Payout.objects.count()) == ("paid", 70, 1)
        explain(line, by=ann)
        assert (contradictions(), verify_everything()) == ([], [])

    def test_that_brings_back_what_staff_have_given_back_is_charged_to_nobody(self, shopper, ann, sent):
        decide(sent, "failed", by=ann)
        tell(debit(sent), back(sent), by=ann, closing="100")
        line = StatementLine.objects.get(kind="debit")
        with pytest.raises(ProposalRefused, match="its own debit"):
            charge(line, shopper, by=ann)
        assert (state_of(sent), shopper.wallet.balance, Payout.objects.count()) == ("failed", 100, 1)
        explain(line, by=ann)
        assert (contradictions(), verify_everything()) == ([], [])

    def test_that_pays_twice_is_charged_to_its_customer(self, shopper, ann, sent):
        tell(debit(sent), debit(sent, reference="bank 3"), by=ann, closing="40")
        charge(StatementLine.objects.get(payout=None), shopper, by=ann)
        assert (Payout.objects.filter(state="paid").count(), shopper.wallet.balance) == (2, 40)
        assert (contradictions(), verify_everything()) == ([], [])

    def test_of_a_payout_that_has_changed_since_somebody_asked_is_not_charged(self, shopper, ann, sent, settings):
        tell(debit(sent), debit(sent, reference="bank 3"), by=ann, closing="40")
        configure(settings, "PROPOSALS", kinds={"charge_debit": Decimal(0)})
        proposal = charge(StatementLine.objects.get(payout=None), shopper, by=ann)
        assert f"{sent}, which is paid" in proposal.old
        decide(sent, "returned", by=ann)
        record = approve(proposal_id=proposal.pk, approved_by=make_staff("bob"))
        assert (record.outcome, "has changed" in record.detail) == ("refused", True)
        assert (state_of(sent), shopper.wallet.balance, Payout.objects.count()) == ("returned", 100, 1)

    @pytest.mark.parametrize("outcome", ["sent", "paid"])
    def test_without_an_id_is_not_charged_to_a_customer_whose_payout_it_may_be(self, shopper, ann, sent, outcome):
        if outcome == "paid":
            decide(sent, "paid", by=ann)
        tell(
            entry("30.00", sign="DBIT", reference="bank 1"),
            entry("20.00", sign="DBIT", reference="bank 3"),
            by=ann,
            closing="50",
        )
        with pytest.raises(ProposalRefused, match=f"It may be payout {sent.pk}, "):
            charge(StatementLine.objects.get(amount=30), shopper, by=ann)
        assert (state_of(sent), shopper.wallet.balance, Payout.objects.count()) == (outcome, 70, 1)
        charge(StatementLine.objects.get(amount=20), shopper, by=ann)
        assert (shopper.wallet.balance, verify_everything()) == (50, [])

    def test_without_an_id_is_charged_once_the_payout_has_its_own_debit(self, shopper, ann, sent):
        tell(debit(sent), entry("30.00", sign="DBIT", reference="bank 3"), by=ann, closing="40")
        charge(StatementLine.objects.get(payout=None), shopper, by=ann)
        assert (Payout.objects.filter(state="paid").count(), shopper.wallet.balance) == (2, 40)
        assert verify_everything() == []

    def test_that_names_a_forgotten_payout_twice_is_charged_twice(self, shopper, ann):
        gone = Payout(end_to_end_id="PO" + "A" * 30)
        tell(debit(gone), debit(gone, reference="bank 3"), by=ann, closing="40")
        for line in StatementLine.objects.order_by("number"):
            charge(line, shopper, by=ann)
        ids = list(Payout.objects.order_by("id").values_list("end_to_end_id", flat=True))
        assert (ids[0], len(set(ids)), shopper.wallet.balance) == (gone.end_to_end_id, 2, 40)
        assert (contradictions(), verify_everything()) == ([], [])

    def test_in_which_a_payer_names_a_payout_brings_nothing_back(self, shopper, ann, sent, settings):
        configure(settings, "PAYOUTS", deposit_hold=timedelta(hours=72))
        own = payment_reference(subject=shopper.user.subject)
        tell(debit(sent), by=ann, closing="70")
        thief = credit(sent).replace("</TxDtls>", f"<RmtInf><Ustrd>{own}</Ustrd></RmtInf></TxDtls>")
        tell(thief, by=ann, opening="70", closing="100")
        assert (state_of(sent), shopper.wallet.balance) == ("paid", 70)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        assert verify_everything() == []

    def test_in_which_somebody_else_returns_a_payout_brings_nothing_back(self, shopper, ann, sent):
        who = "<RltdPties><Dbtr><Pty><Nm>{}</Nm></Pty></Dbtr></RltdPties></TxDtls>"
        tell(back(sent).replace("</TxDtls>", who.format("Mallory Thief")), by=ann, closing="130")
        assert (state_of(sent), shopper.wallet.balance) == ("sent", 70)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        payee = back(sent, reference="bank 3").replace("</TxDtls>", who.format("EXAMPLE, ALICE"))
        tell(payee, by=ann, opening="130", closing="160")
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    def test_returns_a_payout_as_a_deposit_when_two_persons_say_so(self, shopper, ann, sent, settings):
        configure(settings, "PAYOUTS", deposit_hold=timedelta(hours=72 * 2))
        tell(debit(sent), credit(sent, "29.00"), by=ann, closing="99")
        deposit = Deposit.objects.get(source=OUR_ACCOUNT)
        came_back(deposit, sent, by=ann)
        deposit.refresh_from_db()
        sent.refresh_from_db()
        assert (sent.state, sent.came_back_as, deposit.customer) == ("returned", deposit, shopper.user)
        assert (shopper.wallet.balance, verify_everything()) == (99, [])
        with pytest.raises(FundsOnHold):
            ask(shopper, "71")
        with pytest.raises(DepositDecided):
            came_back(deposit, sent, by=ann)
        with pytest.raises(PayoutDecided):
            decide(sent, "paid", by=ann)
        movement = Transaction.objects.get(reference=f"deposit:{deposit.pk}:assigned")
        propose(
            kind="correction",
            payload=CORRECTION.payload_of(movement_id=movement.pk, note="no"),
            reason="no",
            asked_by=ann,
        )
        assert (state_of(sent), shopper.wallet.balance, verify_everything()) == ("paid", 70, [])

    def test_keeps_a_returned_payment_without_an_id_as_a_deposit_of_nobody(self, shopper, ann, sent):
        tell(debit(sent), entry("30.00", reference="b", details="<TxDtls><RtrInf/></TxDtls>"), by=ann, closing="100")
        deposit = Deposit.objects.get(source=OUR_ACCOUNT)
        assert (deposit.state, state_of(sent), shopper.wallet.balance) == ("unassigned", "paid", 70)
        assert "returned a payment of ours" in deposit.note
        came_back(deposit, sent, by=ann)
        assert (state_of(sent), shopper.wallet.balance, verify_everything()) == ("returned", 100, [])

    def test_of_an_earlier_release_that_only_listed_it_is_credited_once_more(self, ann):
        statement = tell(entry("25.00", reference="bk-1", details="<TxDtls><RtrInf/></TxDtls>"), by=ann, closing="125")
        run_as_owner("UPDATE wallets_statementline SET deposit_id = NULL")
        run_as_owner("DELETE FROM wallets_transaction WHERE reference LIKE 'deposit:%' AND kind = 'unassigned'")
        run_as_owner("DELETE FROM wallets_deposit WHERE state = 'unassigned'")
        assert {each.rule for each in verify_everything()} == {10}
        credit_approved_statements()
        assert (Deposit.objects.get(source=OUR_ACCOUNT).state, verify_everything()) == ("unassigned", [])
        assert Statement.objects.get(pk=statement.pk).state == "credited"

    def test_keeps_a_deposit_that_was_sent_back_and_bounced(self, ann):
        tell(entry("25.00", reference="in-1", text="hello"), by=ann, opening="0", closing="25")
        payload = SEND_BACK.payload_of(deposit=Deposit.objects.get(), note="x")
        propose(kind="send_back", payload=payload, reason="x", asked_by=ann)
        bounced = entry("25.00", reference="bk-1", details="<TxDtls><RtrInf/></TxDtls>")
        tell(entry("25.00", sign="DBIT", reference="out-1"), bounced, by=ann, opening="25", closing="25")
        assert list(Deposit.objects.order_by("id").values_list("state", flat=True)) == ["sent_back", "unassigned"]
        assert verify_everything() == []

    def test_of_a_closed_account_brings_the_dollars_to_nobody(self, shopper, ann, sent):
        tell(debit(sent), by=ann, closing="70")
        rest = ask(shopper, "70")
        decide(rest, "approved", by=ann)
        export_payouts(by=ann)
        tell(debit(rest, "70.00", reference="b5"), by=ann, opening="70", closing="0")
        close_account(customer_id=shopper.user.pk, by=ann, reason="x")
        tell(back(rest, "70.00", reference="b6"), by=ann, opening="0", closing="70")
        assert (state_of(rest), shopper.wallet.balance) == ("paid", 0)
        assert Deposit.objects.get(source=OUR_ACCOUNT).state == "unassigned"
        with pytest.raises(NotFound, match="closed"):
            decide(rest, "returned", by=ann)
        gift = GOODWILL.payload_of(customer_id=shopper.user.pk, amount=Decimal(5))
        with pytest.raises(NotFound, match="closed"):
            propose(kind="goodwill", payload=gift, reason="x", asked_by=ann)
        with pytest.raises(NotFound, match="closed"), transaction.atomic():
            give_goodwill(customer_id=shopper.user.pk, amount=Decimal(5), name="x")
        assert (shopper.wallet.balance, verify_everything()) == (0, [])

    def test_has_one_effect_when_several_processes_take_it(self, shopper, ann, sent):
        content = camt(debit(sent), back(sent), opening="100", closing="100", account=OUR_ACCOUNT)
        statement = import_file(content, by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        at_once(8, lambda _: credit_statement(statement_id=statement.pk))
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    def test_is_taken_to_the_end_after_a_kill(self, shopper, ann, sent, tmp_path):
        content = camt(debit(sent), back(sent), opening="100", closing="100", account=OUR_ACCOUNT)
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
        decide(sent, outcome, by=ann, reason="the police asked", told="closed account")
        sent.refresh_from_db()
        assert (sent.state, sent.reason, shopper.wallet.balance) == (outcome, "closed account", 100)
        with pytest.raises(ProposalRefused):
            decide(sent, outcome, by=ann)
        assert shopper.wallet.balance == 100
        assert verify_everything() == []

    def test_say_that_it_was_paid_and_then_that_it_came_back(self, shopper, ann, sent):
        decide(sent, "paid", by=ann)
        with pytest.raises(ProposalRefused):
            decide(sent, "failed", by=ann)
        decide(sent, "returned", by=ann)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)
        assert verify_everything() == []

    @pytest.mark.parametrize("outcome", ["failed", "returned"])
    @pytest.mark.parametrize("spent", [0, 90])
    def test_say_that_it_was_paid_after_all(self, shopper, ann, sent, outcome, spent):
        decide(sent, outcome, by=ann, told="closed account")
        if spent:
            spend(shopper, str(spent))
        decide(sent, "paid", by=ann)
        sent.refresh_from_db()
        owed = 20 if spent else 0
        assert (sent.state, sent.reason, shopper.wallet.balance) == ("paid", "", 0 if spent else 70)
        assert (debt_of(customer_id=shopper.user.pk), shopper.wallet.frozen) == (owed, bool(owed))
        assert verify_everything() == []
        tell(debit(sent), by=ann, closing="70")
        assert (contradictions(), verify_everything()) == ([], [])
        decide(sent, "returned", by=ann)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 10 if spent else 100)
        assert verify_everything() == []

    def test_do_not_contradict_the_bank(self, shopper, ann, sent):
        tell(debit(sent), back(sent), by=ann, closing="100")
        with pytest.raises(PayoutDecided, match="as the bank's statement says"):
            decide(sent, "paid", by=ann)
        assert (state_of(sent), shopper.wallet.balance) == ("returned", 100)

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

    def test_are_told_of_payouts_that_they_have_marked_as_returned_and_no_line_brings_back(self, ann, sent, settings):
        decide(sent, "returned", by=ann)
        late = settings.TO_DO.payout_answer_limit + timedelta(hours=1)
        assert unanswered(late) == []
        tell(debit(sent), by=ann, closing="70")
        assert unanswered(timedelta(0)) == []
        assert unanswered(late) == [f"no statement has told that it came back, {sent.end_to_end_id}"]
        tell(back(sent), by=ann, opening="70", closing="100")
        assert (unanswered(late), verify_everything()) == ([], [])

    def test_are_told_so_until_they_have_sent_the_credit_back_that_names_it(self, shopper, ann, sent, settings):
        decide(sent, "returned", by=ann)
        tell(debit(sent), credit(sent), by=ann, closing="100")
        late = settings.TO_DO.payout_answer_limit + timedelta(hours=1)
        assert len(unanswered(late)) == 1
        payload = SEND_BACK.payload_of(deposit=Deposit.objects.get(source=OUR_ACCOUNT), note="it was given back")
        propose(kind="send_back", payload=payload, reason="it was given back", asked_by=ann)
        assert (unanswered(late), shopper.wallet.balance, verify_everything()) == ([], 100, [])


FAULTS = {
    "a payout that is paid without having been sent": "UPDATE wallets_payout SET state = 'paid', approved_at = now(), sent_at = now(), paid_at = now() WHERE state = 'requested'",
    "a payout that came back without its dollars": "UPDATE wallets_payout SET state = 'returned', returned_at = now() WHERE state = 'sent'",
    "a payout that was cancelled without its dollars": "UPDATE wallets_payout SET state = 'cancelled', cancelled_at = now(), approved_at = NULL WHERE state = 'requested'",
    "a payout of another amount": "UPDATE wallets_payout SET amount = 31 WHERE state = 'sent'",
    "a payout of another customer": "UPDATE wallets_payout SET customer_id = (SELECT id FROM wallets_user WHERE username = 'ann') WHERE state = 'sent'",
    "a payout that is gone": "DELETE FROM wallets_payout WHERE state = 'requested'",
    "a movement that is gone": "DELETE FROM wallets_transaction WHERE reference LIKE 'payout:%:sent'",
    "a file of another total": "UPDATE wallets_payoutfile SET total = 31",
    "two lines that answer one payout": "UPDATE wallets_statementline SET payout_id = contradicts_id, contradicts_id = NULL WHERE contradicts_id IS NOT NULL",
    "a returned payment that became nothing": "UPDATE wallets_statementline SET deposit_id = NULL WHERE kind = 'given_back'",
    "a line that answers another amount": "UPDATE wallets_statementline SET deposit_id = NULL, contradicts_id = NULL, payout_id = (SELECT id FROM wallets_payout WHERE state = 'requested')",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_ledger_finds(shopper, ann, sent, fault):
    ask(shopper, "10")
    other = ask(shopper, "5")
    decide(other, "approved", by=ann)
    export_payouts(by=ann)
    twice = [debit(other, "5.00", reference=name) for name in ("bank 7", "bank 8")]
    bounced = entry("2.00", reference="bank 6", details="<TxDtls><RtrInf/></TxDtls>")
    tell(entry("1.00", reference="bank 9"), bounced, *twice, by=ann, closing="93")
    assert verify_everything() == []
    run_as_owner(FAULTS[fault])
    found = [each for each in verify_everything() if each.rule == 10]
    assert found, fault
    words = ("payout", "payable", "credits without a deposit", "the sum of its statements")
    assert any(word in each.subject for each in found for word in words)


def test_a_dump_holds_no_readable_account(shopper, ann, sent, settings):
    configure(settings, "PAYOUTS", self_service=True)
    why = named(sent).replace("</TxDtls>", "<RtrInf/><RmtInf><Ustrd>No Alice Example</Ustrd></RmtInf></TxDtls>")
    tell(debit(sent, reference=IBAN), entry("30.00", reference="bank 2", details=why), by=ann, closing="100")
    payout = Payout.objects.get()
    assert (payout.state, payout.bank_reference, payout.reason) == ("returned", IBAN, "No Alice Example")
    tables = ("payee", "payout", "payoutfile", "transaction", "proposal", "proposalrecord", "statementline")
    rows = [row for name in tables for (row,) in run_as_owner(f"SELECT to_jsonb(t)::text FROM wallets_{name} t")]
    assert rows
    assert not [row for row in rows if "WEST12345698765432" in row or "Alice Example" in row]


def test_the_migration_encrypts_what_banks_have_said_before(ann, sent):
    tell(debit(sent, reference=IBAN), by=ann, closing="70")
    stored = "SELECT bank_reference FROM wallets_payout"
    migrate("0057")
    try:
        assert run_as_owner(stored) == [(IBAN,)]
    finally:
        migrate()
    assert Payout.objects.get().bank_reference == IBAN
    assert IBAN not in run_as_owner(stored)[0][0]


def migrate(*to):
    with by_owner():
        call_command("migrate", "wallets", *to, verbosity=0)


def test_commands_tell_the_ledger_is_whole(shopper, ann, sent):
    tell(debit(sent), back(sent), by=ann, closing="100")
    call_command("verify_ledger")
    assert Payout.objects.count() == 1
    assert Transaction.objects.filter(reference__startswith="payout:").count() == 3
