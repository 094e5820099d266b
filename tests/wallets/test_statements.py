"""Bank statements: read in bounded memory, imported once as a batch, and credited once they are approved."""

import io
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from decimal import Decimal
from itertools import repeat

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.urls import reverse

from exchange_site.stack.processes import PROJECT
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.staff import let_do_everything, make_chief
from tests.typed import give_password
from tests.wallets.bank import DAY, IBAN, camt, detail, entry, head, import_file, table
from tests.wallets.payees import add
from wallets.bank_accounts import BankAccount
from wallets.exceptions import Busy, OnePersonTwice, OwnAccount, ProposalClosed, StatementDecided, StatementRefused
from wallets.models import Deposit, Proposal, Return, Statement, StatementLine, User, WalletRole
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.crediting_statements import (
    approve_statement,
    credit_approved_statements,
    credit_statement,
    reject_statement,
)
from wallets.services.deposit_kinds import ask_to_credit
from wallets.services.importing import Upload, import_statement
from wallets.services.payees import remove_payee
from wallets.services.proposals import approve
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db):
    people = [User.objects.create_user(f"staff{number}", is_staff=True) for number in range(2)]
    for person in people:
        person.user_permissions.add(Permission.objects.get(codename="add_statement"))
    return people


def reference_of(shopper):
    return payment_reference(subject=shopper.user.subject)


def approve_and_credit(statement, staff):
    approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1])
    credit_statement(statement_id=statement.pk)


def credited(content, staff, **options):
    """Import, approve and credit a statement, and return it."""
    statement = import_file(content, by=staff[0], **options).statement
    approve_and_credit(statement, staff)
    return Statement.objects.get(pk=statement.pk)


def nothing_is_written():
    return not Statement.objects.exists() and not StatementLine.objects.exists() and not from_bank().exists()


def from_bank():
    return Deposit.objects.filter(source=IBAN)


@pytest.mark.django_db(transaction=True)
class TestImportStatement:
    def test_credits_nothing_before_it_is_approved(self, shopper, staff, now):
        content = camt(entry("25.00", reference="b1", text=reference_of(shopper)), closing="25.00")
        imported = import_file(content, by=staff[0])
        assert (imported.is_new, imported.statement.state, shopper.wallet.balance) == (True, "waiting", 100)
        credit_statement(statement_id=imported.statement.pk)
        credit_approved_statements()
        assert (shopper.wallet.balance, from_bank().count()) == (100, 0)
        assert [concern.kind.value for concern in list_to_do(now=now)] == ["statement"]

    def test_credits_customers_by_their_payment_reference(self, make_shopper, staff, now):
        shoppers = [make_shopper() for _ in range(3)]
        lines = [
            entry("25.00", reference=f"b{n}", text=f"coins {reference_of(each)}") for n, each in enumerate(shoppers)
        ]
        statement = credited(camt(*lines, opening="10.00", closing="85.00"), staff)
        assert [each.wallet.balance for each in shoppers] == [125, 125, 125]
        assert (statement.state, statement.decided_by, list_to_do(now=now)) == ("credited", staff[1], [])
        assert from_bank().get(reference="b0").received_at.date() == DAY
        assert verify_everything() == []

    def test_books_money_without_a_known_reference_for_nobody(self, shopper, staff):
        lines = [entry("5.00", reference="b1", text="thanks"), entry("6.00", reference="b2", text="RF0000000000000000")]
        credited(camt(*lines, closing="11.00"), staff)
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 11
        assert set(from_bank().values_list("state", "note")) == {("unassigned", "it names no payment reference")}
        assert verify_everything() == []

    @pytest.mark.parametrize(
        ("ours", "theirs", "balance"),
        [
            (("Jane", "Doe"), "DOE JANE", 105),
            (("Jane", "Doe"), "Ms Jané Doe", 105),
            (("Jane", "Doe"), "Jane Mary Doe", 105),
            (("Jane", "Doe"), "John Roe", 100),
            (("Jane", "Doe"), "Doe", 100),
            (("Jane", "Doe"), "", 100),
            (("", ""), "John Roe", 105),
        ],
    )
    def test_books_money_in_anothers_name_for_nobody(self, shopper, staff, ours, theirs, balance):
        User.objects.filter(pk=shopper.user.pk).update(first_name=ours[0], last_name=ours[1])
        credited(camt(entry("5", reference="b", name=theirs, text=reference_of(shopper)), closing="5"), staff)
        assert shopper.wallet.balance == balance
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 105 - balance

    @pytest.mark.parametrize(
        ("payees", "by_staff", "theirs", "balance"),
        [
            (["Jane Doe"], "", "John Roe", 100),
            (["Jane Doe"], "", "Doe, Jane", 105),
            (["Jane Doe"], "", "", 105),
            (["Jane Doe", "John Roe"], "", "John Roe", 105),
            (["John Roe"], "Jane", "John Roe", 100),
            (["John Roe"], "Jane", "Jane", 105),
        ],
    )
    def test_compares_payers_with_payees_unless_staff_have_entered_a_name(
        self, shopper, staff, payees, by_staff, theirs, balance
    ):
        for number, name in enumerate(payees):
            add(shopper, name=name, account=BankAccount(number=f"12345678{number}", routing="021000021"))
        User.objects.filter(pk=shopper.user.pk).update(first_name=by_staff)
        credited(camt(entry("5", reference="b", name=theirs, text=reference_of(shopper)), closing="5"), staff)
        assert shopper.wallet.balance == balance
        assert sum_house_wallet(role=WalletRole.UNASSIGNED) == 105 - balance

    def test_forgets_the_name_of_a_payee_that_was_removed(self, shopper, staff):
        payee = add(shopper, name="Jane Doe")
        remove_payee(principal=shopper.principal, payee_id=payee.pk, otp=None, now=clock.now())
        credited(camt(entry("5", reference="b", name="John Roe", text=reference_of(shopper)), closing="5"), staff)
        assert shopper.wallet.balance == 105

    def test_books_money_that_names_two_customers_for_nobody(self, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(2)]
        text = " or ".join(map(reference_of, shoppers))
        credited(camt(entry("5", reference="b", text=text), closing="5"), staff)
        assert [each.wallet.balance for each in shoppers] == [100, 100]

    def test_writes_a_file_once(self, shopper, staff):
        content = camt(entry("25.00", reference="b1", text=reference_of(shopper)), closing="25.00")
        first = credited(content, staff)
        again = import_file(content, by=staff[1])
        credit_statement(statement_id=first.pk)
        assert (again.is_new, again.statement.pk, shopper.wallet.balance) == (False, first.pk, 125)
        assert StatementLine.objects.count() == 1

    def test_has_one_effect_when_processes_import_and_credit_at_once(self, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(4)]
        lines = [entry("1.00", text=reference_of(shoppers[n % 4]), name=f"p{n}") for n in range(20)]
        content = camt(*lines, closing="20.00")

        def run(_):
            is_new = False
            while True:
                try:
                    imported = import_file(content, by=staff[0])
                    is_new = is_new or imported.is_new
                    with suppress(StatementDecided):
                        approve_statement(statement_id=imported.statement.pk, by=staff[0], approved_by=staff[1])
                    credit_statement(statement_id=imported.statement.pk)
                except (Busy, OperationalError):  # waited too long on a busy machine
                    connection.close()
                else:
                    return is_new

        assert sum(at_once(50, run)) == 1
        assert [each.wallet.balance for each in shoppers] == [105] * 4
        assert (Statement.objects.get().state, StatementLine.objects.count()) == ("credited", 20)
        assert verify_everything() == []

    def test_goes_on_with_what_another_process_left(self, shopper, staff, monkeypatch):
        lines = [entry("1.00", text=reference_of(shopper), name=f"p{n}") for n in range(7)]
        statement = import_file(camt(*lines, closing="7.00"), by=staff[0]).statement
        monkeypatch.setattr("wallets.services.crediting_statements._AT_ONCE", 3)
        approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1])

        class Killed(Exception): ...

        def die(_):
            raise Killed

        with pytest.raises(Killed):
            credit_statement(statement_id=statement.pk, tell=die)
        assert shopper.wallet.balance == 103
        credit_approved_statements()
        assert (shopper.wallet.balance, Statement.objects.get().state) == (107, "credited")


class TestLines:
    def test_of_the_same_bank_reference_are_credited_once_in_any_format(self, shopper, staff):
        reference = reference_of(shopper)
        credited(
            camt(entry("5", reference="b1", text=reference), entry("5", sign="DBIT", reference="d1"), closing="0"),
            staff,
        )
        rows = [f"{DAY},5.00,USD,b1,,{reference},", f"{DAY},7.00,USD,b2,,{reference},"]
        credited(table(*rows), staff, head=head("12"))
        assert shopper.wallet.balance == 112
        assert StatementLine.objects.filter(key="b1", remark__startswith="received before").count() == 1

    def test_without_a_reference_are_told_apart_by_their_ordinal(self, shopper, staff):
        reference = reference_of(shopper)
        same = entry("5.00", name="Jane Doe", text=reference)
        credited(camt(same, same, closing="10"), staff)
        assert shopper.wallet.balance == 110
        assert len(set(from_bank().values_list("reference", flat=True))) == 2

    def test_of_a_day_in_two_statements_are_all_credited(self, shopper, staff):
        line = entry("5.00", name="Jane Doe", text=reference_of(shopper))
        credited(camt(line, closing="5"), staff)
        credited(camt(line, opening="5", closing="10"), staff)
        assert shopper.wallet.balance == 110

    def test_of_a_statement_in_another_format_are_not_credited_again(self, shopper, staff):
        reference = reference_of(shopper)
        credited(camt(entry("5.00", name="Jane Doe", text=reference), entry("5.00", sign="DBIT"), closing="0"), staff)
        rows = [f"{DAY},5.00,USD,,JANE DOE,{reference},booked", f"{DAY},-5.00,USD,,,,"]
        with pytest.raises(StatementRefused, match="All lines of this statement were imported before"):
            import_file(table(*rows), by=staff[0], head=head("0"))
        assert (shopper.wallet.balance, Statement.objects.count()) == (105, 1)

    def test_whose_bank_reference_comes_again_with_another_amount_are_of_nobody(self, shopper, staff):
        credited(camt(entry("5", reference="b1", text=reference_of(shopper)), closing="5"), staff)
        credited(camt(entry("6", reference="b1", text=reference_of(shopper)), opening="5", closing="11"), staff)
        assert (shopper.wallet.balance, sum_house_wallet(role=WalletRole.UNASSIGNED)) == (105, 6)

    def test_with_a_word_for_no_reference_have_none(self, shopper, staff):
        lines = [entry("5", reference="NONREF", name=name, text=reference_of(shopper)) for name in ("A", "B")]
        credited(camt(*lines, closing="10"), staff)
        assert shopper.wallet.balance == 110

    @pytest.mark.parametrize(
        ("line", "closing", "kind"),
        [
            (entry("5", sign="DBIT", reference="d"), "95", "debit"),
            (entry("5", sign="DBIT", reference="d", reversal=True), "95", "taken_back"),
            (entry("0", reference="d"), "100", "nothing"),
        ],
    )
    def test_other_than_credits_are_kept_and_not_booked(self, staff, line, closing, kind):
        credited(camt(line, opening="100", closing=closing), staff)
        assert StatementLine.objects.get().kind == kind
        assert not from_bank().exists()

    @pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR"])
    def test_that_are_not_booked_are_counted_only(self, staff, status):
        line = entry("5", status=status, currency="EUR", day="2999-01-01")
        statement = credited(camt(line, opening="100", closing="100"), staff)
        assert (statement.counts, StatementLine.objects.count()) == ({"pending": 1}, 0)

    def test_of_the_second_version_of_the_format_are_read_too(self, shopper, staff):
        content = camt(entry("5", reference="b", text=reference_of(shopper)), closing="5", version="02")
        credited(content.replace(b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>"), staff)
        assert shopper.wallet.balance == 105


class TestAnEntryWithSeveralPayments:
    def test_is_taken_apart_if_the_bank_tells_their_amounts(self, make_shopper, staff):
        shoppers = [make_shopper() for _ in range(2)]
        details = "".join(
            detail(amount=amount, text=reference_of(each))
            for each, amount in zip(shoppers, ("2.00", "3.00"), strict=True)
        )
        credited(camt(entry("5", reference="b", details=details), closing="5"), staff)
        assert [each.wallet.balance for each in shoppers] == [102, 103]
        assert set(from_bank().values_list("reference", flat=True)) == {"b/1", "b/2"}

    @pytest.mark.parametrize(
        "shares",
        [
            [{"amount": "2.00"}, {"amount": "2.00"}],
            [{"amount": "2.00"}, {}],
            [{"amount": "2.00"}, {"amount": "3.00", "currency": "EUR"}],
            [{"amount": "6.00"}, {"amount": "1.00", "sign": "DBIT"}],
        ],
    )
    def test_is_of_nobody_as_a_whole_if_not(self, shopper, staff, shares):
        details = "".join(detail(text=reference_of(shopper), **share) for share in shares)
        credited(camt(entry("5", reference="b", details=details), closing="5"), staff)
        assert (shopper.wallet.balance, sum_house_wallet(role=WalletRole.UNASSIGNED)) == (100, 5)
        assert from_bank().get().note.startswith("several payments in one entry")

    def test_is_of_nobody_if_the_bank_tells_only_their_number(self, shopper, staff):
        details = f"<Btch><NbOfTxs>3</NbOfTxs></Btch>{detail(text=reference_of(shopper))}"
        credited(camt(entry("5", reference="b", details=details), closing="5"), staff)
        assert shopper.wallet.balance == 100


BOMB = b"""<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">&b;</Document>"""
OUTSIDE = BOMB.replace(b'<!ENTITY a "ha">', b'<!ENTITY a SYSTEM "file:///etc/passwd">')
GOOD = camt(entry("5", reference="b", name="Jos\N{LATIN SMALL LETTER E WITH ACUTE}"), closing="5")
ROW = f"{DAY},5.00,USD,b,Jane Doe,coins,booked"


class TestAFile:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (BOMB, "declares a document type"),
            (OUTSIDE, "declares a document type"),
            (GOOD[: len(GOOD) // 2], "cut off"),
            (GOOD[:-1], "cut off"),
            (GOOD.decode().encode("latin-1"), "not in UTF-8"),
            (GOOD.decode().encode("utf-16"), "not in UTF-8"),
            (GOOD.replace(b"camt.053", b"camt.052"), "no bank statement"),
            (b"<Document/>", "no bank statement"),
            (b'<Document xmlns="urn:x:camt.053.001.08"/>', "no bank statement"),
            (b"", "cut off"),
            (b"<" + b"a" * 5_000_000, "longer than"),
            (GOOD.replace(b"<Ntry>", b"<Ntry>" + b"<a>" * 100 + b"</a>" * 100), "nests more deeply"),
            (GOOD.replace(b"<Id>1</Id>", b""), None),
            (GOOD.replace(f"<IBAN>{IBAN}</IBAN>".encode(), b""), "names no account"),
            (GOOD.replace(IBAN.encode(), b"GB83WEST12345698765432"), "check digits"),
            (GOOD.replace(b"CLBD", b"XXXX"), "closing balance is missing"),
            (GOOD.replace(b"OPBD", b"XXXX"), "opening balance is missing"),
            (camt(entry("5", currency="EUR"), closing="5"), "Entry 1 is in EUR; only US dollars"),
            (camt(entry("5", day="2999-01-01"), closing="5"), "in the future"),
            (camt(entry("5", day="yesterday"), closing="5"), "no booking date"),
            (camt(entry("5.001"), closing="5"), "at most 2 decimal places"),
            (camt(entry("5,00"), closing="5"), "plain decimal number"),
            (camt(entry("5e0"), closing="5"), "plain decimal number"),
            (camt(entry("5"), closing="5E0"), "plain decimal number"),
            (camt(entry("-5"), closing="-5"), "negative amount"),
            (camt(entry("5", sign=""), closing="5"), "credit or a debit"),
            (camt(entry("5"), closing="6"), r"is 5\.00 USD, and it closes with 6\.00 USD"),
            (GOOD.replace(b"</Stmt>", b"</Stmt><Stmt></Stmt>"), "several statements"),
        ],
    )
    def test_that_is_wrong_is_refused_in_one_sentence_and_nothing_is_written(self, staff, content, sentence):
        if sentence is None:
            assert import_file(content, by=staff[0]).is_new
            return
        with pytest.raises(StatementRefused, match=sentence) as refused:
            import_file(content, by=staff[0])
        assert "\n" not in str(refused.value)
        assert nothing_is_written()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (table(ROW)[:-20], "cut off"),
            (table(ROW, '"' + ROW), "cut off"),
            (table(ROW).replace(b"Jane", "Jos\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1")), "not in UTF-8"),
            (table(ROW, columns="date,amount"), "must name the columns"),
            (table(ROW, columns="date,amount,currency,reference,counterparty,text,colour"), "must name the columns"),
            (table(ROW.replace("USD", "EUR")), "Row 2 is in EUR"),
            (table(ROW.replace("booked", "perhaps")), "a status other than"),
            (table(ROW.replace(str(DAY), "2999-01-01")), "in the future"),
            (table(ROW.replace("5.00", "NaN")), "plain decimal number"),
            (table(ROW.replace("5.00", "5e0")), "plain decimal number"),
            (table(ROW, ROW), "does not add up"),
            (b"x" * 5_000_000, "longer than"),
            (table(ROW + "y" * 200_000), "no CSV"),
        ],
    )
    def test_in_csv_that_is_wrong_is_refused_too(self, staff, content, sentence):
        with pytest.raises(StatementRefused, match=sentence):
            import_file(content, by=staff[0], head=head("5"))
        assert nothing_is_written()

    def test_has_to_follow_the_last_one_of_its_account(self, staff):
        import_file(camt(entry("5", reference="b"), closing="5"), by=staff[0])
        with pytest.raises(StatementRefused, match=r"opens with 6\.00 USD, and the last one .* closed with 5\.00 USD"):
            import_file(camt(opening="6", closing="6"), by=staff[0])
        with pytest.raises(StatementRefused, match="before the last one ended"):
            import_file(camt(entry("5", day="2020-01-01"), opening="5", closing="10"), by=staff[0])
        assert import_file(camt(account="GB33BUKB20201555555555", closing="0"), by=staff[0]).is_new
        assert Statement.objects.filter(account=IBAN).count() == 1

    def test_of_200_megabytes_is_refused_before_it_is_read(self, staff, tmp_path):
        path, read = tmp_path / "large.xml", []
        start, end = camt(closing="0").split(b"</Stmt>")
        with path.open("wb") as file:  # sparse
            file.write(start)
            file.truncate(200 * 2**20)
            file.seek(0, io.SEEK_END)
            file.write(b"</Stmt>" + end)
        assert path.stat().st_size > 200 * 2**20
        tracemalloc.start()
        try:
            with path.open("rb") as file, pytest.raises(StatementRefused, match="larger than 104,857,600 bytes"):
                import_statement(upload=Upload(file=file, name=path.name, by=staff[0], tell=read.append))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (sum(read), peak < 1_000_000) == (0, True)
        with pytest.raises(CommandError, match=r"^The file is larger than [^\n]*$"):
            call_command("import_statement", str(path), "--by", staff[0].username)
        assert nothing_is_written()

    def test_that_grows_beyond_the_bound_while_it_is_read_is_refused(self, staff, monkeypatch):
        class Growing(io.BytesIO):
            """Seems to be empty."""

            def seek(self, position, whence=io.SEEK_SET):
                return super().seek(position, whence) and 0

        monkeypatch.setattr("wallets.statements.sources.LARGEST_FILE", 100_000)
        content = camt(*repeat(entry("0.00", text="y" * 500), 200), closing="0")
        with pytest.raises(StatementRefused, match="larger than"):
            import_statement(upload=Upload(file=Growing(content), name="a.xml", by=staff[0]))
        assert nothing_is_written()

    def test_of_more_lines_than_one_transaction_writes_is_refused(self, staff, monkeypatch):
        monkeypatch.setattr("wallets.services.importing.MOST_LINES", 3)
        content = camt(*repeat(entry("0.00", status="PDNG"), 4), closing="0")
        with pytest.raises(StatementRefused, match="more than 3 lines"):
            import_file(content, by=staff[0])
        assert nothing_is_written()

    def test_of_many_megabytes_is_read_in_bounded_memory(self, staff):
        class Endless(io.RawIOBase):
            """A statement of 10 MB that is made while it is read."""

            def __init__(self):
                self.start()

            def start(self):
                start, end = camt(closing="0").split(b"</Stmt>")
                filler = entry("0.00", reference="x", text="y" * 2000).encode() * 20
                self.pieces = iter([start, *repeat(filler, 200), b"</Stmt>" + end])
                self.rest = b""

            def seek(self, *_):
                self.start()
                return 0

            def readinto(self, buffer):
                while len(self.rest) < len(buffer) and (piece := next(self.pieces, b"")):
                    self.rest += piece
                taken, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
                buffer[: len(taken)] = taken
                return len(taken)

            def readable(self):
                return True

        from wallets.statements.camt import read_camt
        from wallets.statements.sources import StatementSource

        sizes = []
        tracemalloc.start()
        try:
            found = read_camt(StatementSource(Endless(), tell=sizes.append), today=DAY)
            lines = sum(1 for _ in found.lines)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (lines, sum(sizes) > 9_000_000, peak < 6_000_000) == (4_000, True, True)


@pytest.mark.django_db(transaction=True)
class TestApproval:
    @pytest.fixture
    def statement(self, shopper, staff):
        content = camt(entry("5", reference="b", text=reference_of(shopper)), closing="5")
        return import_file(content, by=staff[0]).statement

    def is_waiting(self, statement, shopper):
        credit_statement(statement_id=statement.pk)
        return (Statement.objects.get(pk=statement.pk).state, shopper.wallet.balance) == ("waiting", 100)

    def test_is_not_given_by_whoever_imported_it(self, statement, shopper, staff):
        with pytest.raises(OnePersonTwice):
            approve_statement(statement_id=statement.pk, by=staff[1], approved_by=staff[0])
        assert self.is_waiting(statement, shopper)
        approve_and_credit(statement, staff)
        assert shopper.wallet.balance == 105

    def test_is_asked_for_once_and_given_once_by_fifty(self, statement, shopper, staff, settings):
        configure(settings, "PROPOSALS", kinds={"import": Decimal(0)})
        asked_by = let_do_everything(staff[0])

        def ask(_):
            return ask_to_credit(statement_id=statement.pk, asked_by=asked_by, reason="imported").pk

        [proposal_id] = set(at_once(10, ask))
        people = [make_chief(f"chief{number}") for number in range(50)]

        def approve_as(number):
            try:
                return approve(proposal_id=proposal_id, approved_by=people[number]).outcome
            except ProposalClosed:
                return None

        assert list(filter(None, at_once(50, approve_as))) == ["done"]
        credit_approved_statements()
        assert (shopper.wallet.balance, Statement.objects.get().state) == (105, "credited")

    def test_is_not_given_by_a_customer_who_gains(self, statement, shopper, staff):
        with pytest.raises(OwnAccount):
            approve_statement(statement_id=statement.pk, by=staff[0], approved_by=shopper.user)
        assert self.is_waiting(statement, shopper)

    def test_is_given_once(self, statement, shopper, staff):
        approve_and_credit(statement, staff)
        for decide in (
            lambda: approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1]),
            lambda: reject_statement(statement_id=statement.pk, by=staff[0]),
        ):
            with pytest.raises(StatementDecided):
                decide()
        assert shopper.wallet.balance == 105

    def test_is_refused_by_one_person_and_the_file_may_come_again(self, statement, shopper, staff):
        reject_statement(statement_id=statement.pk, by=staff[1])
        credit_statement(statement_id=statement.pk)
        assert shopper.wallet.balance == 100
        credited(camt(entry("5", reference="b", text=reference_of(shopper)), closing="5"), staff)
        assert shopper.wallet.balance == 105

    def test_is_not_refused_while_a_later_statement_follows(self, statement, shopper, staff):
        import_file(camt(opening="5", closing="5"), by=staff[0])
        with pytest.raises(StatementDecided, match="followed by a later one"):
            reject_statement(statement_id=statement.pk, by=staff[1])
        assert self.is_waiting(statement, shopper)

    @pytest.fixture
    def _two(self, settings):
        configure(settings, "PROPOSALS", kinds={"import": Decimal(0)})

    def post(self, client, name, pk, action):
        data = {"action": action, "_selected_action": [pk], "reason": "compared"}
        return client.post(reverse(f"admin:wallets_{name}_changelist"), data, follow=True).content.decode()

    def test_is_given_in_the_admin_and_a_worker_credits(self, statement, shopper, admin_client):
        assert "Credit:" in self.post(admin_client, "statement", statement.pk, "credit")
        credit_approved_statements()
        assert shopper.wallet.balance == 105

    @pytest.mark.usefixtures("_two")
    def test_takes_two_people_in_the_admin_where_that_is_configured(self, statement, shopper, admin_client, client):
        assert "another member of staff has to approve" in self.post(admin_client, "statement", statement.pk, "credit")
        proposal = Proposal.objects.get()
        assert "Somebody else has to decide" in self.post(admin_client, "proposal", proposal.pk, "approve")
        assert self.is_waiting(statement, shopper)
        second = make_chief("second")
        client.force_login(second)
        assert "is done" in self.post(client, "proposal", proposal.pk, "approve")
        credit_approved_statements()
        assert (shopper.wallet.balance, Statement.objects.get().decided_by) == (105, second)

    @pytest.mark.usefixtures("_two")
    def test_is_refused_in_the_admin_to_whoever_imported_it(self, shopper, admin_client, admin_user, client):
        content = camt(entry("5", reference="b", text=reference_of(shopper)), closing="5")
        statement = import_file(content, by=admin_user).statement
        client.force_login(make_chief("second"))
        self.post(client, "statement", statement.pk, "credit")
        assert "Nobody approves their own decision" in self.post(
            admin_client, "proposal", Proposal.objects.get().pk, "approve"
        )
        assert self.is_waiting(statement, shopper)


class TestTheDatabase:
    def test_refuses_a_statement_that_does_not_add_up(self, staff):
        statement = import_file(camt(closing="0"), by=staff[0]).statement
        with pytest.raises(IntegrityError, match="statement_balances_add_up"), transaction.atomic():
            Statement.objects.create(
                account="x", sha256="x", opening=1, credits=1, debits=1, closing=2, counts={}, imported_by=staff[0]
            )
        with pytest.raises(IntegrityError, match="one_statement_is_an_accounts_first"), transaction.atomic():
            Statement.objects.create(
                account=IBAN, sha256="y", opening=1, credits=0, debits=0, closing=1, counts={}, imported_by=staff[0]
            )
        assert Statement.objects.get() == statement


@pytest.mark.django_db(transaction=True)
class TestVerifyLedger:
    @pytest.mark.parametrize(
        ("fault", "subject"),
        [
            ("UPDATE wallets_statementline SET amount = amount + 1", "sums"),
            ("DELETE FROM wallets_statementline WHERE number = 2", "sums"),
            ("UPDATE wallets_statementline SET deposit_id = NULL WHERE number = 1", "credits without a deposit"),
            ("UPDATE wallets_statement SET state = 'waiting', decided_by_id = NULL", "credits without a deposit"),
            ("UPDATE wallets_statement SET account = 'another'", "line 1 of statement"),
        ],
    )
    def test_finds_a_statement_that_its_lines_contradict(self, shopper, staff, fault, subject):
        lines = [entry("5", reference="b", text=reference_of(shopper)), entry("3", reference="d", sign="DBIT")]
        credited(camt(*lines, closing="2"), staff)
        assert verify_everything() == []
        run_as_owner(fault)
        found = verify_everything()
        assert {violation.rule for violation in found} == {10}
        assert any(subject in violation.subject for violation in found)


class TestTheCommand:
    def run(self, path, *options):
        out = io.StringIO()
        call_command("import_statement", str(path), *options, stdout=out)
        return out.getvalue()

    @pytest.fixture
    def path(self, tmp_path, shopper):
        path = tmp_path / "bank.xml"
        lines = [entry("5", reference="b", text=reference_of(shopper)), entry("3", reference="c", text="hello")]
        path.write_bytes(camt(*lines, closing="8"))
        return path

    @pytest.mark.django_db(transaction=True)
    def test_imports_and_credits_where_one_person_suffices(self, path, shopper, staff):
        told = self.run(path, "--by", "staff0")
        assert shopper.wallet.balance == 105
        assert "Of nobody: 3.00 USD" in told
        again = self.run(path, "--by", "staff0")
        assert "was imported before" in again
        assert shopper.wallet.balance == 105

    @pytest.mark.django_db(transaction=True)
    def test_leaves_the_batch_to_a_second_person_in_production(self, path, shopper, staff, settings, monkeypatch):
        configure(settings, "PROPOSALS", kinds={"import": Decimal(0)})
        give_password(staff[0], monkeypatch)
        assert "waits until another member of staff approves it" in self.run(path, "--by", "staff0", "--password-stdin")
        assert (shopper.wallet.balance, Statement.objects.get().imported_by) == (100, staff[0])

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("reversal", [False, True])
    def test_leaves_a_batch_without_credits_to_a_second_person_too(
        self, tmp_path, staff, settings, monkeypatch, reversal
    ):
        """It says which payouts were paid, which deposits banks took back, and up to which day all is known."""
        configure(settings, "PROPOSALS", kinds={"import": Decimal(0)})
        give_password(staff[0], monkeypatch)
        path = tmp_path / "statement.xml"
        path.write_bytes(camt(entry("5", sign="DBIT", reference="b", reversal=reversal), opening="5", closing="0"))
        said = self.run(path, "--by", "staff0", "--password-stdin")
        assert "waits until another member of staff approves it" in said
        assert (Statement.objects.get().state, Return.objects.count()) == ("waiting", 0)

    @pytest.mark.django_db(transaction=True)
    def test_reads_csv_with_the_account_and_balances_given(self, tmp_path, shopper, staff):
        path = tmp_path / "bank.csv"
        path.write_bytes(table(f"{DAY},5.00,USD,b,,{reference_of(shopper)},"))
        self.run(path, "--by", "staff0", "--account", IBAN, "--opening", "0", "--closing", "5")
        assert shopper.wallet.balance == 105

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["--by", "nobody"], "active member of staff"),
            (["--by", "clerk"], "wallets.add_statement or wallets.approve_statement is missing"),
            (["--by", "staff0", "--account", IBAN], "needs --account, --opening and --closing"),
            (["--by", "staff0", "--account", IBAN, "--opening", "x", "--closing", "1"], "plain decimal number"),
        ],
    )
    def test_refuses_options_that_do_not_fit(self, path, shopper, staff, options, sentence):
        User.objects.create_user("clerk", is_staff=True)
        with pytest.raises(CommandError, match=sentence):
            self.run(path, *options)
        assert nothing_is_written()

    def test_refuses_a_file_that_is_not_there(self, tmp_path, staff):
        with pytest.raises(CommandError, match="cannot be read"):
            self.run(tmp_path / "none.xml", "--by", "staff0")


@pytest.mark.django_db(transaction=True)
class TestAKilledImport:
    def run(self, path, folder, shots):
        done = subprocess.run(
            [sys.executable, "manage.py", "import_statement", str(path), "--by", "staff0"],
            env=process_environment(FAILPOINTS=shots, FAILPOINTS_DIR=str(folder)),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode

    def test_has_one_effect_once_it_runs_to_its_end(self, tmp_path, shopper, staff):
        points = ("statement.lines_written", "statement.written", "statement.crediting", "statement.credited_some")
        path, folder = tmp_path / "bank.xml", tmp_path / "shots"
        folder.mkdir()
        lines = [entry("1", name=f"p{n}", text=reference_of(shopper)) for n in range(60)]
        path.write_bytes(camt(*lines, closing="60"))
        for point in points:
            assert self.run(path, folder, f"{point}=kill") == -9
            assert verify_everything() == []
        assert shopper.wallet.balance == 150
        assert self.run(path, folder, "") == 0
        assert (shopper.wallet.balance, from_bank().count(), Statement.objects.get().state) == (160, 60, "credited")
        assert verify_everything() == []
