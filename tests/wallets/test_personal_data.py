"""What is held about a customer: it can be exported, the account closed, and what is personal erased years later."""

import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ForeignKey
from django.utils import timezone

from settlement.verification import verify_everything
from tests.configure import configure
from tests.processes import at_once
from tests.staff import make_chief
from tests.wallets.bank import DAY, IBAN, camt, entry, import_file
from tests.wallets.payees import add, ask, decide, pay_from
from wallets.exceptions import CannotClose, ExportRefused, NotFound, ProposalRefused, StatementRefused
from wallets.models import (
    ClosedAccount,
    Deposit,
    KnownAddress,
    Payee,
    Payout,
    PayoutFile,
    PersonalKey,
    Proposal,
    Return,
    SecondFactor,
    SecurityEvent,
    StatementLine,
    TokenFamily,
    User,
)
from wallets.payment_references import payment_reference
from wallets.runtime.encryption import is_by_newest_key
from wallets.selectors.accounts import Principal
from wallets.selectors.held_data import NOT_SHOWN, is_secret, list_held_tables
from wallets.selectors.sealed import ERASED, open_text
from wallets.services.cash import withdraw
from wallets.services.closing import close_account
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.deposits import Decision, assign_deposit
from wallets.services.erasing import erase, erase_due, list_due, years_before
from wallets.services.payouts.exporting import export_payouts, find_file, hand_out
from wallets.services.powers import UserPowersKind
from wallets.services.returns.taking import ReturnedMoney, take_return
from wallets.services.returns.winning import win_return_back
from wallets.services.second_factors import begin_second_factor
from wallets.services.security_log import read_powers

pytestmark = pytest.mark.django_db(transaction=True)

NAME, ACCOUNT = "Josephine Fitzgerald", "DE89370400440532013000"


@pytest.fixture
def staff(db):
    found = [User.objects.create_user(f"staff{number}", is_staff=True) for number in range(2)]
    for each in found:
        each.user_permissions.set(Permission.objects.filter(codename__in=["export_customer", "freeze_user"]))
    return found


@pytest.fixture
def paid(make_shopper, staff):
    """A customer who has paid five dollars from a bank."""
    shopper = make_shopper(balance=None)
    told = f"{payment_reference(subject=shopper.user.subject)} from {ACCOUNT}"
    credited(camt(entry("5", reference="BANK-REF-77", name=NAME, text=told), closing="5"), staff)
    return shopper


def credited(content, staff):
    statement = import_file(content, by=staff[0]).statement
    approve_statement(statement_id=statement.pk, by=staff[0], approved_by=staff[1])
    credit_statement(statement_id=statement.pk)


def take_out_all(shopper):
    principal = Principal(user_id=shopper.user.pk, token_version=User.objects.get(pk=shopper.user.pk).token_version)
    withdraw(principal=principal, amount=shopper.wallet.balance, key=None)


def close(shopper, staff):
    return close_account(customer_id=shopper.user.pk, by=staff[0], reason="they asked for it")


def export(shopper, staff):
    output = io.StringIO()
    call_command("export_customer", shopper.user.username, by=staff[0].username, reason="they asked", stdout=output)
    return json.loads(output.getvalue())


def stored_text(table):
    """Return all rows of a table as the database holds them, in one text."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT string_agg(t::text, '|') FROM {table} t")
        return cursor.fetchone()[0] or ""


class TestAnExport:
    def test_has_the_rows_of_every_table_that_refers_to_the_customer(self, api, paid, staff, coin):
        api("POST", "orders/", {"crypto": "ABAN", "total": "5"}, by=paid)
        begin_second_factor(user=paid.user, now=timezone.now())
        document = export(paid, staff)
        tables = document["tables"]
        assert document["customer"] == paid.user.pk
        assert [row["username"] for row in tables["wallets_user"]] == [paid.user.username]
        assert {"wallets_wallet", "wallets_transaction", "wallets_deposit", "trading_order", "wallets_tokenfamily"} <= {
            name for name, rows in tables.items() if rows
        }
        assert [(row["counterparty"], row["amount"]) for row in tables["wallets_statementline"]] == [(NAME, "5.00")]
        assert tables["wallets_deposit"][0]["reference"] == "BANK-REF-77"

    def test_names_secrets_and_does_not_show_them(self, paid, staff):
        secret = begin_second_factor(user=paid.user, now=timezone.now()).secret
        document = export(paid, staff)
        assert document["tables"]["wallets_secondfactor"][0]["secret"] == NOT_SHOWN
        assert document["tables"]["wallets_personalkey"][0]["key"] == NOT_SHOWN
        assert document["tables"]["wallets_user"][0]["password"] in {NOT_SHOWN, ""}
        text = json.dumps(document)
        for hidden in (secret, paid.user.password, PersonalKey.objects.get().key):
            assert hidden not in text

    def test_has_nothing_of_anybody_else(self, paid, staff, make_shopper):
        other = make_shopper("7.00")
        text = json.dumps(export(paid, staff))
        assert other.user.username not in text
        assert str(other.user.subject) not in text

    def test_is_recorded_and_needs_a_member_of_staff(self, paid, staff):
        with pytest.raises(CommandError, match="--by"):
            call_command("export_customer", paid.user.username, by=paid.user.username, reason="they asked")
        with pytest.raises(CommandError, match="no user"):
            call_command("export_customer", "nobody", by=staff[0].username, reason="they asked")
        with pytest.raises(CommandError, match="export_customer is missing"):
            staff[1].user_permissions.set(Permission.objects.filter(codename="view_user"))
            call_command("export_customer", paid.user.username, by=staff[1].username, reason="they asked")
        assert not Proposal.objects.exists()
        rows = export(paid, staff)["tables"]["django_admin_log"]
        recorded = Proposal.objects.get()
        assert (recorded.kind, recorded.reason, recorded.record.outcome) == ("export_customer", "they asked", "done")
        assert [(row["user_id"], row["change_message"]) for row in rows] == [
            (staff[0].pk, "Everything that is held about them was exported.")
        ]

    def test_is_of_customers_alone(self, staff):
        with pytest.raises(CommandError, match="no customer"):
            call_command("export_customer", staff[1].username, by=staff[0].username, reason="curious")

    def test_has_only_the_numbers_of_what_somebody_did_to_others(self, paid, staff):
        """The rows of a member of staff's deeds hold names and accounts of customers."""
        tables = {table.name: table for table in list_held_tables(user=staff[1])}
        decided = paid.user.deposits.get().lines.get().statement_id
        assert list(tables["wallets_statement"].read()) == [{"pk": decided, "decided_by": staff[1].pk}]
        assert ACCOUNT not in json.dumps([list(table.read()) for table in tables.values()], default=str)

    def test_writes_a_file_that_is_not_there_yet(self, paid, staff, tmp_path):
        path = tmp_path / "export.json"
        call_command("export_customer", paid.user.username, by=staff[0].username, reason="they asked", output=path)
        assert json.loads(path.read_text())["customer"] == paid.user.pk
        with pytest.raises(FileExistsError):
            call_command("export_customer", paid.user.username, by=staff[0].username, reason="they asked", output=path)

    def test_looks_at_every_model_that_refers_to_users(self, paid):
        """A new table is found by its foreign keys: this compares with the database's own list of them."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint"
                " WHERE contype = 'f' AND confrelid = 'wallets_user'::regclass"
            )
            referring = {table for (table,) in cursor.fetchall()}
        assert {table.name for table in list_held_tables(user=paid.user)} >= referring

    def test_shows_no_column_that_is_named_like_a_secret(self):
        columns = {
            f"{model._meta.db_table}.{field.attname}"
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if not isinstance(field, ForeignKey)
            and any(word in field.name for word in ("secret", "password", "digest", "jti", "token"))
            and not is_secret(field.attname)
        }
        assert columns == {"wallets_user.token_version"}


class TestClosing:
    def test_ends_sign_ins_for_good_and_is_recorded(self, api, paid, staff):
        take_out_all(paid)
        call_command("close_customer", paid.user.username, by=staff[0].username, reason="they asked for it")
        closed = ClosedAccount.objects.get()
        assert (closed.customer, closed.closed_by, closed.reason) == (paid.user, staff[0], "they asked for it")
        assert api("GET", "accounts/me/", by=paid).status_code == 401
        assert SecurityEvent.objects.filter(user=paid.user, kind="disabled").exists()
        assert paid.wallet.frozen
        assert verify_everything() == []

    def test_is_refused_while_something_is_there(self, api, paid, staff, coin):
        with pytest.raises(CannotClose, match=r"They have 5 USD\."):
            close(paid, staff)
        api("POST", "orders/", {"crypto": "ABAN", "total": "5"}, by=paid)
        with pytest.raises(CannotClose, match="They have 1 open orders"):
            close(paid, staff)
        assert not ClosedAccount.objects.exists()
        assert User.objects.get(pk=paid.user.pk).is_active

    def test_is_refused_while_a_statement_that_is_not_credited_has_money_for_them(self, shopper, staff):
        take_out_all(shopper)
        told = payment_reference(subject=shopper.user.subject)
        import_file(camt(entry("5", reference="b1", text=told), closing="5"), by=staff[0])
        with pytest.raises(CannotClose, match="not credited yet"):
            close(shopper, staff)

    def test_is_refused_for_staff_for_oneself_and_twice(self, paid, staff):
        with pytest.raises(CannotClose, match="member of staff"):
            close_account(customer_id=staff[1].pk, by=staff[0], reason="x")
        with pytest.raises(ProposalRefused, match="may not ask"):
            close_account(customer_id=paid.user.pk, by=paid.user, reason="x")
        with pytest.raises(NotFound):
            close_account(customer_id=0, by=staff[0], reason="x")
        take_out_all(paid)
        close(paid, staff)
        with pytest.raises(CannotClose, match="closed already"):
            close(paid, staff)

    def test_at_once_happens_once(self, paid, staff):
        take_out_all(paid)

        def try_to(_):
            try:
                return close(paid, staff).customer_id
            except CannotClose:
                return None

        assert [done for done in at_once(8, try_to) if done] == [paid.user.pk]

    def test_is_not_undone_by_staff(self, paid, staff):
        take_out_all(paid)
        close(paid, staff)
        user = User.objects.get(pk=paid.user.pk)
        kind = UserPowersKind()
        payload = kind.payload_of(user=user, new={**read_powers(user), "is_active": True})
        with transaction.atomic(), pytest.raises(ProposalRefused, match="closed for good"):
            kind.check(payload=payload, asked_by=staff[0])

    def test_lets_later_money_be_of_nobody(self, paid, staff):
        take_out_all(paid)
        close(paid, staff)
        told = payment_reference(subject=paid.user.subject)
        credited(camt(entry("3", reference="b2", text=told), opening="5", closing="8"), staff)
        deposit = Deposit.objects.get(reference="b2")
        assert (deposit.state, deposit.customer) == ("unassigned", None)
        with pytest.raises(NotFound):
            assign_deposit(
                deposit_id=deposit.pk,
                customer_id=paid.user.pk,
                decision=Decision(by=staff[0], approved_by=staff[1], note="x"),
            )

    def test_needs_a_reason_and_somebody_else_in_the_database_too(self, paid, staff):
        for wrong in ({"reason": ""}, {"closed_by": paid.user}):
            row = {"customer": paid.user, "closed_by": staff[0], "reason": "x", "closed_at": timezone.now(), **wrong}
            with pytest.raises(IntegrityError), transaction.atomic():
                ClosedAccount.objects.create(**row)


class TestErasing:
    @pytest.fixture
    def closed(self, paid, staff):
        User.objects.filter(pk=paid.user.pk).update(email="jo@example.com", first_name="Josephine")
        KnownAddress.objects.create(user=paid.user, address="192.0.2.7", seen_at=timezone.now())
        begin_second_factor(user=paid.user, now=timezone.now())
        take_out_all(paid)
        close(paid, staff)
        return paid

    def test_makes_what_is_personal_unreadable_and_keeps_the_ledger(self, closed, staff):
        line = StatementLine.objects.get()
        assert open_text(text=line.counterparty) == NAME
        assert erase(customer_id=closed.user.pk, now=timezone.now())
        line.refresh_from_db()
        assert (open_text(text=line.counterparty), open_text(text=line.text)) == (ERASED, ERASED)
        held = PersonalKey.objects.get()
        assert (held.key, held.destroyed_at is not None) == (None, True)
        user = User.objects.get(pk=closed.user.pk)
        assert (user.email, user.verified_email, user.first_name, user.has_usable_password()) == ("", "", "", False)
        assert closed.user.username not in stored_text("wallets_user")
        for gone in (TokenFamily, KnownAddress, SecondFactor):
            assert not gone.objects.filter(user_id=closed.user.pk).exists()
        assert verify_everything() == []
        text = json.dumps(export_of(user, staff))
        for erased in (NAME, ACCOUNT, "jo@example.com", "192.0.2.7"):
            assert erased not in text

    def test_leaves_no_account_in_files_and_no_words_of_banks(self, paid, staff, settings):
        pay_from(settings)
        chief = make_chief("chief")
        add(paid, name=NAME)
        payout = ask(paid, "5.00")
        decide(payout, "approved", by=chief)
        [file] = export_payouts(by=chief).files
        hand_out(file=file, by=chief, write=lambda *_: None)
        decide(payout, "paid", by=chief, reason=f"told by {NAME}")
        taken = ReturnedMoney(
            amount=Decimal(1), source=IBAN, reference=f"R {NAME}", received_at=timezone.now(), note=f"from {NAME}"
        )
        row = take_return(money=taken, deposit_id=paid.user.deposits.get().pk)
        win_return_back(return_id=row.pk)
        before = Deposit.objects.values_list("reference_hash", flat=True).get(), Return.objects.get().reference_hash
        User.objects.filter(pk=paid.user.pk).update(is_active=False)
        ClosedAccount.objects.create(customer=paid.user, closed_by=staff[0], reason="x", closed_at=timezone.now())
        assert NAME in PayoutFile.objects.get().content
        erase(customer_id=paid.user.pk, now=timezone.now())
        readable = [PayoutFile.objects.get().content, Payee.objects.get().name, *Payout.objects.values_list("reason")]
        readable += [Return.objects.values_list("reference", "named", "note").get()]
        readable += [StatementLine.objects.values_list("reference", "remark").get(), Deposit.objects.get().reference]
        assert NAME not in str(readable)
        assert "BANK-REF-77" not in str(readable)
        assert before == (Deposit.objects.get().reference_hash, Return.objects.get().reference_hash)
        with pytest.raises(ExportRefused, match="erased"):
            hand_out(file=find_file(message_id=file.message_id, by=chief), by=chief, write=lambda *_: None)
        assert verify_everything() == []

    def test_happens_once_also_at_once(self, closed):
        now = timezone.now()
        assert sum(at_once(6, lambda _: erase(customer_id=closed.user.pk, now=now))) == 1

    def test_waits_for_the_years_that_are_set(self, closed, settings, capsys):
        configure(settings, "PERSONAL_DATA", retention_years=3)
        now = ClosedAccount.objects.get().closed_at
        assert list_due(now=now + timedelta(days=3 * 365 - 1)) == []
        call_command("erase_closed")
        assert "0 customers were erased" in capsys.readouterr().out
        assert erase_due(now=now + timedelta(days=3 * 366)) == 1
        assert list_due(now=now + timedelta(days=3 * 366)) == []

    def test_leaves_open_accounts_alone(self, shopper):
        assert not erase(customer_id=shopper.user.pk, now=timezone.now())
        assert User.objects.get(pk=shopper.user.pk).username == shopper.user.username

    def test_lets_what_comes_later_be_unreadable_too(self, closed, staff):
        told = payment_reference(subject=closed.user.subject)
        credited(camt(entry("3", reference="b2", name=NAME, text=told), opening="5", closing="8"), staff)
        erase(customer_id=closed.user.pk, now=timezone.now())
        assert PersonalKey.objects.get().key is None

    def test_counts_years_over_leap_days(self):
        leap_day = timezone.now().replace(year=2028, month=2, day=29)
        assert (years_before(leap_day, years=1).day, years_before(leap_day, years=4).day) == (28, 29)


class TestWhatABankSays:
    def test_is_not_readable_in_the_database(self, paid):
        stored = stored_text("wallets_statementline") + stored_text("wallets_deposit")
        for word in (NAME, "Josephine", ACCOUNT, "BANK-REF-77"):
            assert word not in stored
        assert PersonalKey.objects.get().key not in stored_text("wallets_personalkey")

    def test_is_found_by_its_whole_reference(self, paid, staff):
        assert Deposit.objects.get(reference="BANK-REF-77") == Deposit.objects.get(reference__in=["BANK-REF-77", "b2"])
        assert StatementLine.objects.filter(key="BANK-REF-77", reference="BANK-REF-77").count() == 1
        assert not Deposit.objects.filter(reference="b2").exists()

    def test_is_sealed_for_the_customer_who_gets_the_deposit_of_nobody(self, shopper, staff):
        credited(camt(entry("5", reference="b1", name=NAME, text="thanks"), closing="5"), staff)
        line = StatementLine.objects.get()
        assert line.counterparty == NAME
        assign_deposit(
            deposit_id=line.deposit_id,
            customer_id=shopper.user.pk,
            decision=Decision(by=staff[0], approved_by=staff[1], note="called"),
        )
        line.refresh_from_db()
        assert line.counterparty != NAME
        assert open_text(text=line.counterparty) == NAME

    def test_is_encrypted_anew_with_another_key_and_found_again(self, paid, staff, settings, capsys):
        old = settings.ENCRYPTION.keys
        configure(settings, "ENCRYPTION", keys=["n" * 40, *old])
        call_command("rotate_keys")
        assert "texts were encrypted again" in capsys.readouterr().out
        configure(settings, "ENCRYPTION", keys=["n" * 40])
        for table, column in [
            ("wallets_deposit", "reference"), ("wallets_statementline", "text"), ("wallets_storedkey", "key"),
            ("wallets_personalkey", "key"),
        ]:  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {column} FROM {table}")
                assert all(is_by_newest_key(token) for (token,) in cursor.fetchall())
        assert open_text(text=StatementLine.objects.get().counterparty) == NAME
        again = camt(
            entry("5", reference="BANK-REF-77", name=NAME), entry("5", sign="DBIT", day=DAY), opening="5", closing="5"
        )
        with pytest.raises(StatementRefused, match="imported before"):
            credited(again, staff)
        assert Deposit.objects.filter(reference="BANK-REF-77").count() == 1
        assert Decimal(5) == paid.wallet.balance


def export_of(user, staff):
    output = io.StringIO()
    call_command("export_customer", user.username, by=staff[0].username, reason="they asked", stdout=output)
    return json.loads(output.getvalue())
