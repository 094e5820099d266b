"""Files of payouts for our bank: made once with their payouts, written again with the same bytes, refused in doubt."""

import hashlib
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from defusedxml.ElementTree import fromstring
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from exchange_site.stack.processes import PROJECT
from settlement.models import DatabaseWatch
from settlement.services.recognising import end_doubt_about_database, put_in_doubt, read_watch, stop_sending
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.secrecy import ACCOUNT_NUMBER
from tests.wallets.bank import camt, entry, import_file
from tests.wallets.payees import HERS, HIS, IBAN, OUR_ACCOUNT, add, ask, decide, make_staff, pay_from, state_of
from wallets.exceptions import ExportRefused, NotFound, PayoutInDoubt, PayoutNotCancellable
from wallets.models import Payee, Payout, PayoutFile, User, Wallet, WalletRole
from wallets.runtime import clock
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.ledger.locking import lock_wallets_to_credit
from wallets.services.payouts.ending import cancel_open_payouts, cancel_payout
from wallets.services.payouts.exporting import export_payouts, find_file, hand_out
from wallets.transfer_files import NAMESPACE, Debtor, Transfer, write_transfers
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)

# The parts that we write of the schema pain.001.001.09, each with its children in the order that the schema demands.
ORDER = {
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"],
    "PmtInf": [
        "PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt",
        "ChrgBr", "CdtTrfTxInf",
    ],
    "CdtTrfTxInf": ["PmtId", "Amt", "ChrgBr", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"],
    "ClrSysMmbId": ["ClrSysId", "MmbId"],
    "FinInstnId": ["BICFI", "ClrSysMmbId", "Othr"],
}  # fmt: skip
# The forms of the schema's simple types.
FORMS = {
    "MsgId": r".{1,35}", "PmtInfId": r".{1,35}", "EndToEndId": r".{1,35}", "NbOfTxs": r"[0-9]{1,15}",
    "CtrlSum": r"[0-9]{1,15}\.[0-9]{2}", "InstdAmt": r"[0-9]{1,13}\.[0-9]{2}", "PmtMtd": "TRF", "BtchBookg": "false",
    "CreDtTm": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "Dt": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "ChrgBr": "SHAR", "BICFI": r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", "Cd": "USABA", "Nm": r".{1,140}",
    "IBAN": r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}", "Ustrd": r".{1,140}", "MmbId": r".{1,35}",
}  # fmt: skip


@pytest.fixture
def ann(db):
    return make_staff()


@pytest.fixture(autouse=True)
def _account(settings):
    pay_from(settings)


@pytest.fixture
def approved(shopper, ann):
    add(shopper)
    payout = ask(shopper, "30")
    decide(payout, "approved", by=ann)
    return payout


def payable():
    return sum_house_wallet(role=WalletRole.PAYABLE)


def find(content, path):
    root = fromstring(content)
    return [
        element.text for element in root.findall(".//" + "/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))
    ]


def export(by, folder, *more):
    call_command("export_payouts", str(folder), "--by", by.username, *more)
    return sorted(folder.glob("*.xml"))


def nothing_is_sent(payout):
    return state_of(payout) == "approved" and not PayoutFile.objects.exists() and payable() == payout.amount


class TestAFile:
    def test_says_whom_to_pay_in_the_form_of_the_schema(self, now):
        debtor = Debtor(name="Ä & <b>", account=OUR_ACCOUNT, is_iban=True, bank="DEUTDEFF")
        transfers = [
            Transfer(end_to_end_id="PO1", amount=Decimal("30.00"), name="Alice & Bob", account=HIS),
            Transfer(end_to_end_id="PO2", amount=Decimal("0.10"), name="Zoë", account=HERS),
        ]
        content = write_transfers(message_id="PF1", made_at=now, debtor=debtor, transfers=transfers)
        root = fromstring(content)
        assert root.tag == f"{{{NAMESPACE}}}Document"
        for element in root.iter():
            name, children = element.tag.split("}")[1], [child.tag.split("}")[1] for child in element]
            if name in ORDER:
                places = [ORDER[name].index(child) for child in children]
                assert places == sorted(places), name
            if not children:
                assert re.fullmatch(FORMS.get(name, r".{1,34}"), element.text), name
        assert find(content, "CtrlSum") == ["30.10", "30.10"]
        assert find(content, "NbOfTxs") == ["2", "2"]
        assert find(content, "Dbtr/Nm") == ["Ä & <b>"]
        assert find(content, "Cdtr/Nm") == ["Alice & Bob", "Zoë"]
        assert find(content, "CdtrAcct/Id/IBAN") == [IBAN]
        assert find(content, "CdtrAcct/Id/Othr/Id") == [HIS.number]
        assert find(content, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") == [HIS.routing]
        assert find(content, "DbtrAgt/FinInstnId/BICFI") == ["DEUTDEFF"]

    def test_is_made_with_the_state_of_its_payouts(self, shopper, ann, approved, tmp_path):
        [path] = export(ann, tmp_path)
        file = PayoutFile.objects.get()
        approved.refresh_from_db()
        assert (approved.state, approved.file, payable(), shopper.wallet.balance) == ("sent", file, 0, 70)
        assert (file.count, file.total, file.made_by, path.stem) == (1, 30, ann, file.message_id)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
        assert find(path.read_bytes(), "EndToEndId") == [approved.end_to_end_id]
        assert find(path.read_bytes(), "CdtrAcct/Id/IBAN") == [IBAN]
        assert path.stat().st_mode & 0o777 == 0o600
        assert verify_everything() == []

    def test_holds_each_payout_once(self, shopper, ann, approved, tmp_path):
        export(ann, tmp_path)
        assert len(export(ann, tmp_path)) == 1
        with pytest.raises(PayoutNotCancellable, match="sent"):
            cancel_payout(principal=shopper.principal, payout_id=approved.pk)

    def test_is_written_again_with_the_same_bytes(self, ann, approved, tmp_path):
        [path] = export(ann, tmp_path)
        content = path.read_bytes()
        path.unlink()
        export(ann, tmp_path, "--again", path.stem)
        assert path.read_bytes() == content
        assert PayoutFile.objects.count() == 1
        with pytest.raises(CommandError, match="no file of payouts"):
            export(ann, tmp_path, "--again", "PF0")

    def test_is_made_once_by_exports_at_the_same_time(self, make_shopper, ann):
        for _ in range(5):
            shopper = make_shopper()
            add(shopper)
            decide(ask(shopper, "30"), "approved", by=ann)
        at_once(10, lambda _: export_payouts(by=ann))
        assert (Payout.objects.filter(state="sent").count(), payable()) == (5, 0)
        assert sum(PayoutFile.objects.values_list("count", flat=True)) == 5
        assert verify_everything() == []

    def test_is_not_readable_in_the_database_and_not_changed_there(self, ann, approved):
        [file] = export_payouts(by=ann).files
        [(row,)] = run_as_owner("SELECT to_jsonb(f)::text FROM wallets_payoutfile f")
        assert IBAN not in row
        assert "Alice" not in row
        with by_owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            PayoutFile.objects.filter(pk=file.pk).update(total=1)
        with by_owner(), pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM wallets_payoutfile")
        PayoutFile.objects.filter(pk=file.pk).update(content="altered")
        file.refresh_from_db()
        written = []
        with pytest.raises(ExportRefused, match="altered"):
            hand_out(file=file, by=ann, write=lambda *given: written.append(given))
        assert written == []

    def test_is_found_by_its_name_and_by_staff_who_may(self, ann):
        with pytest.raises(NotFound):
            find_file(message_id="PF0", by=ann)
        with pytest.raises(ExportRefused):
            find_file(message_id="PF0", by=User.objects.create_user("clerk", is_staff=True))


class TestAnExport:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda payout: Wallet.objects.filter(owner=payout.customer).update(frozen=True), "frozen"),
            (lambda payout: User.objects.filter(pk=payout.customer_id).update(is_active=False), "disabled"),
            (lambda payout: Payee.objects.update(removed_at=clock.now()), "removed the payee"),
            (
                lambda payout: run_as_owner("UPDATE wallets_payee SET usable_at = now() + interval '1 h'"),
                "payee is new",
            ),
        ],
    )
    def test_leaves_out_what_may_not_leave_any_more(self, ann, approved, make_shopper, tmp_path, capsys, change, words):
        other = make_shopper()
        change(approved)
        add(other)
        decide(ask(other, "20"), "approved", by=ann)
        export(ann, tmp_path)
        assert words in capsys.readouterr().out
        assert (state_of(approved), PayoutFile.objects.get().total, payable()) == ("approved", 20, 30)
        assert verify_everything() == []

    def test_leaves_out_customers_whose_credentials_have_changed(self, ann, approved, settings):
        configure(settings, "PAYOUTS", credential_hold=timedelta(hours=24))
        held = export_payouts(by=ann).held
        assert list(held) == [approved]
        assert nothing_is_sent(approved)

    @pytest.mark.parametrize(
        "changes",
        [{"account": ""}, {"account_name": " "}, {"account_bank": ""}, {"account": "DE8937040044053201300"},
         {"account_bank": "021000022"}],
    )  # fmt: skip
    def test_needs_our_account_in_full(self, ann, approved, settings, changes):
        pay_from(settings, **changes)
        with pytest.raises(ExportRefused, match="PAYOUT_ACCOUNT"):
            export_payouts(by=ann)
        assert nothing_is_sent(approved)

    def test_needs_a_member_of_staff_who_may(self, approved, shopper, tmp_path):
        clerk = User.objects.create_user("clerk", is_staff=True)
        for name, words in (("clerk", "may not export"), (shopper.user.username, "active member of staff")):
            with pytest.raises(CommandError, match=words):
                call_command("export_payouts", str(tmp_path), "--by", name)
        with pytest.raises(ExportRefused):
            export_payouts(by=clerk)
        assert nothing_is_sent(approved)

    def test_without_a_folder_sends_nothing(self, ann, approved, tmp_path):
        with pytest.raises(CommandError, match="no folder"):
            export(ann, tmp_path / "away")
        assert nothing_is_sent(approved)


class TestAfterARestore:
    def test_nothing_is_exported_while_the_database_is_in_doubt(self, ann, approved):
        stop_sending(found=["a test"])
        with pytest.raises(ExportRefused, match="may have forgotten"):
            export_payouts(by=ann)
        assert nothing_is_sent(approved)

    def test_nothing_is_exported_before_the_statements_since_then(self, ann, approved):
        DatabaseWatch.objects.update(place="another/server/0/0/0")
        watch = put_in_doubt()
        with pytest.raises(ExportRefused, match="may have forgotten"):
            export_payouts(by=ann)
        assert end_doubt_about_database(watch=read_watch())
        with pytest.raises(ExportRefused, match="import and approve the statements"):
            export_payouts(by=ann)
        assert nothing_is_sent(approved)
        run_as_owner("UPDATE settlement_databasewatch SET statements_since = now() - interval '5 days'")
        statement = import_file(
            camt(entry("1.00", reference="b1"), closing="1.00", account=OUR_ACCOUNT), by=ann
        ).statement
        with pytest.raises(ExportRefused, match="import and approve the statements"):
            export_payouts(by=ann)
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        credit_statement(statement_id=statement.pk)
        export_payouts(by=ann)
        assert state_of(approved) == "sent"
        assert watch.doubted_at is not None

    def test_no_payout_from_before_is_given_back_until_the_statements_are_read(self, shopper, ann, approved, api):
        stop_sending(found=["a test"])
        self.is_kept(shopper, ann, approved, api)
        no_doubt = {"doubted_at": None, "doubt": "", "doubted_place": "", "stopped_at": None}
        DatabaseWatch.objects.update(**no_doubt, statements_since=clock.now())
        self.is_kept(shopper, ann, approved, api)
        later = ask(shopper, "5")
        assert api("POST", f"accounts/payouts/{later.pk}/cancel/", by=shopper).status_code == 200
        run_as_owner("UPDATE settlement_databasewatch SET statements_since = now() - interval '5 days'")
        run_as_owner("UPDATE wallets_payout SET created_at = now() - interval '6 days'")
        self.is_kept(shopper, ann, approved, api)
        content = camt(entry("1.00", reference="b1"), closing="1.00", account=OUR_ACCOUNT)
        statement = import_file(content, by=ann).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        credit_statement(statement_id=statement.pk)
        assert api("POST", f"accounts/payouts/{approved.pk}/cancel/", by=shopper).status_code == 200
        assert (state_of(approved), shopper.wallet.balance) == ("cancelled", 100)

    def is_kept(self, shopper, ann, approved, api):
        """Say that neither the customer nor staff, nor a return, gives the payout back."""
        answer = api("POST", f"accounts/payouts/{approved.pk}/cancel/", by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (409, "payout_in_doubt")
        with pytest.raises(PayoutInDoubt):
            decide(approved, "rejected", by=ann)
        with transaction.atomic():
            [wallet] = lock_wallets_to_credit(customer_ids=[shopper.user.pk]).values()
            assert cancel_open_payouts(wallet=wallet) == 0
        assert (state_of(approved), shopper.wallet.balance) == ("approved", 70)

    def test_statements_of_the_paying_account_count_under_its_other_name(self, ann, approved, settings):
        configure(settings, "DEPOSITS", accounts={OUR_ACCOUNT: OUR_ACCOUNT, ACCOUNT_NUMBER: OUR_ACCOUNT})
        pay_from(settings, account=ACCOUNT_NUMBER)
        DatabaseWatch.objects.update(statements_since=clock.now() - timedelta(days=5))
        statement = import_file(
            camt(entry("1.00", reference="b1"), closing="1.00", account=OUR_ACCOUNT), by=ann
        ).statement
        approve_statement(statement_id=statement.pk, by=ann, approved_by=None)
        with pytest.raises(ExportRefused, match="import and approve"):
            export_payouts(by=ann)
        credit_statement(statement_id=statement.pk)
        export_payouts(by=ann)
        assert state_of(approved) == "sent"

    def test_an_account_that_is_not_listed_pays_nothing(self, ann, approved, settings):
        configure(settings, "DEPOSITS", accounts={IBAN: IBAN})
        with pytest.raises(ExportRefused, match="OUR_ACCOUNTS"):
            export_payouts(by=ann)
        assert nothing_is_sent(approved)

    def test_a_server_that_was_only_started_again_is_no_restore(self, ann, approved):
        place = read_watch().here.split("/")
        DatabaseWatch.objects.update(place="/".join([*place[:2], "0", *place[3:]]))
        put_in_doubt()
        assert end_doubt_about_database(watch=read_watch())
        export_payouts(by=ann)
        assert state_of(approved) == "sent"


class TestAKilledExport:
    @pytest.mark.parametrize(
        ("point", "is_sent"),
        [("payouts.sending", False), ("payouts.exported", True), ("payouts.written", True)],
    )
    def test_that_runs_again_makes_one_file(self, ann, approved, tmp_path, point, is_sent):
        folder, shots = tmp_path / "files", tmp_path / "shots"
        folder.mkdir()
        shots.mkdir()
        assert self.run(folder, shots, f"{point}=kill") == -9
        assert state_of(approved) == ("sent" if is_sent else "approved")
        assert verify_everything() == []
        assert self.run(folder, shots, f"{point}=kill") == 0
        [path] = folder.glob("*.xml")
        file = PayoutFile.objects.get()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
        assert (state_of(approved), file.count, file.written_at is None, payable()) == ("sent", 1, False, 0)
        assert not list(folder.glob(".payouts-*"))
        assert verify_everything() == []

    def run(self, folder, shots, failpoints):
        return subprocess.run(
            [sys.executable, "manage.py", "export_payouts", str(folder), "--by", "ann"],
            cwd=PROJECT,
            env=process_environment(
                FAILPOINTS=failpoints,
                FAILPOINTS_DIR=str(shots),
                PAYOUT_ACCOUNT=OUR_ACCOUNT,
                PAYOUT_ACCOUNT_BANK="DEUTDEFF",
                PAYOUT_ACCOUNT_NAME="Example Exchange",
            ),
            check=False,
            timeout=60,
        ).returncode
