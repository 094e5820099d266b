"""Nothing that names a person's account, and no secret, is readable in a dump of the database or in the logs."""

import re
from decimal import Decimal

import httpx
import pyotp
import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection

from exchange_site.stack.processes import API, WORKER, free_port, local_url, start, wait_for_answer
from tests.conftest import process_environment
from tests.mails import send_mails, token_in
from tests.patience import stretched
from tests.processes import stopped, wait_for
from tests.staff import make_chief
from tests.wallets.bank import DAY, IBAN, camt, entry
from wallets.models import Deposit, Proposal, Return, StatementLine, User
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.deposit_kinds import ASSIGNMENT, DEPOSIT
from wallets.services.money_kinds import RETURN
from wallets.services.proposals import propose
from wallets.services.returns.receiving import receive_return
from wallets.services.returns.taking import ReturnedMoney

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW = "correct horse", "battery staple"
EMAIL = "wilhelmina@example.com"
PAYER, STRANGER = "Wilhelmina Featherstone", "Ebenezer Quillfeather"
ACCOUNT, BANK_REFERENCE = "DE89370400440532013000", "NTRF-4711-PERSONAL"


def dump():
    """Return every row of every table as text, as COPY writes them into a dump."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [table for (table,) in cursor.fetchall()]
        parts = []
        for table in tables:
            with cursor.copy(f'COPY (SELECT * FROM "{table}") TO STDOUT') as copied:
                parts += [bytes(piece).decode() for piece in copied]
    return "".join(parts)


class Scenario:
    """A customer over HTTP, the mail that they read, and a statement of a bank."""

    def __init__(self, api):
        self.client = httpx.Client(base_url=api, timeout=30)
        self.secrets = {PASSWORD, NEW, PAYER, STRANGER, ACCOUNT, BANK_REFERENCE, "Featherstone", "Quillfeather"}

    def post(self, path, **body):
        answer = self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def sign_in(self, **more):
        self.keep_tokens(self.post("accounts/auth/login/", username="wilma", **more))

    def keep_tokens(self, tokens):
        self.secrets |= {tokens["access"], tokens["refresh"]}
        self.client.headers["Authorization"] = f"Bearer {tokens['access']}"

    def open_account(self):
        self.keep_tokens(self.post("accounts/auth/register/", username="wilma", password=PASSWORD, email=EMAIL))

    def prove_address(self, token):
        self.secrets.add(token)
        self.post("accounts/email/verify/", token=token)

    def set_new_password(self, token):
        self.secrets.add(token)
        self.post("accounts/auth/password/reset/", token=token, new=NEW)

    def turn_on_second_factor(self):
        secret = self.post("accounts/mfa/", password=NEW)["secret"]
        codes = self.post("accounts/mfa/confirm/", otp=pyotp.TOTP(secret).now())["recovery_codes"]
        self.secrets |= {secret, *codes}
        self.post("accounts/auth/login/", username="wilma", password=NEW, otp=codes[0])
        refused = self.client.post("accounts/auth/login/", json={"username": "wilma", "password": "wrong guess"})
        assert refused.status_code == 401


def receive_money(tmp_path):
    """Import a statement with a line of the customer and one of nobody, by the command."""
    told = f"{payment_reference(subject=User.objects.get(username='wilma').subject)} from {ACCOUNT}"
    lines = [
        entry("5", reference=BANK_REFERENCE, name=PAYER, text=told),
        entry("6", name=STRANGER, text=f"no reference, from {ACCOUNT}"),
    ]
    path = tmp_path / "statement.xml"
    path.write_bytes(camt(*lines, closing="11"))
    ann, bob = (make_chief(name) for name in ("ann", "bob"))
    call_command("import_statement", str(path), by="ann")
    statement = StatementLine.objects.first().statement
    if statement.state == "waiting":
        approve_statement(statement_id=statement.pk, by=ann, approved_by=bob)
        credit_statement(statement_id=statement.pk)


def decide_by_hand():
    """Let staff book, assign and take back dollars by a bank's words, and a bank take a payment back that nobody knows."""
    ann, wilma = User.objects.get(username="ann"), User.objects.get(username="wilma")
    booked = DEPOSIT.payload_of(
        customer_id=wilma.pk, amount=Decimal(7), source=IBAN, reference=f"BY HAND {ACCOUNT}", received_on=DAY
    )
    propose(kind=DEPOSIT.name, payload=booked, reason="seen on the account", asked_by=ann)
    mine, nobodys = (Deposit.objects.filter(customer=customer).first() for customer in (wilma, None))
    for deposit in (mine, nobodys):
        taken = RETURN.payload_of(
            deposit_id=deposit.pk, amount=Decimal(1), reference=f"R {ACCOUNT} {deposit.pk}", note="a call"
        )
        propose(kind=RETURN.name, payload=taken, reason="a call", asked_by=ann)
    assigned = ASSIGNMENT.payload_of(deposit=nobodys, customer_id=wilma.pk, note="a call")
    propose(kind=ASSIGNMENT.name, payload=assigned, reason="a call", asked_by=ann)
    receive_return(
        money=ReturnedMoney(
            amount=Decimal(3),
            source=IBAN,
            reference=f"RETURN {ACCOUNT}",
            received_at=clock.now(),
            named=f"{PAYER} {ACCOUNT}",
            note=f"from {PAYER}",
        )
    )


def test_no_dump_and_no_log_shows_what_names_a_persons_account(transactional_db, tmp_path, caplog):
    port = free_port()
    logs = {"api": tmp_path / "api.log", "worker": tmp_path / "worker.log"}
    environment = process_environment(PORT=str(port), WEB_WORKERS="1", LOGLEVEL="DEBUG", DEBUG="True")
    dumps = []
    with stopped(start(API, environment=environment, output=logs["api"])) as process:
        wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(90), by=process)
        story = Scenario(f"{local_url(port)}/api/v1/")
        story.open_account()
        dumps.append(dump())  # with a mail that waits
        story.prove_address(token_in(send_mails()[0]))
        story.post("accounts/auth/password/forgot/", email=EMAIL)
        dumps.append(dump())
        story.set_new_password(token_in(send_mails()[0]))
        story.sign_in(password=NEW)
        story.turn_on_second_factor()
        receive_money(tmp_path)
        assert story.client.get("accounts/deposits/").json()[0]["reference"] == BANK_REFERENCE
        story.client.get("transactions/", headers={"Accept": "text/csv"})
        story.client.close()
    decide_by_hand()
    assert caplog.records
    call_command("export_customer", "wilma", by="ann", reason="they asked", output=tmp_path / "export.json")
    with stopped(start(WORKER, environment=environment, output=logs["worker"])):
        wait_for(lambda: logs["worker"].exists() and logs["worker"].stat().st_size > 0, seconds=90)
    dumps.append(dump())
    assert len(mail.outbox) >= 2
    assert (Deposit.objects.count(), Return.objects.count(), Proposal.objects.count()) == (3, 3, 6)
    written = {f"dump {number}": text for number, text in enumerate(dumps)}
    written["log of this process"] = "\n".join(record.getMessage() for record in caplog.records)
    written |= {name: path.read_text() for name, path in logs.items()}
    shown = {
        (name, secret)
        for name, text in written.items()
        for secret in story.secrets
        if _letters(secret) in text or secret in text or secret.lower() in text.lower()
    }
    assert shown == set()
    assert "wilma" in dumps[-1]
    assert PAYER in (tmp_path / "export.json").read_text(), "the export opens what is sealed"


def _letters(text):
    """Return a text without blanks and dashes, as it may be stored."""
    return re.sub(r"[\s-]", "", text)
