"""A platform opens in production: from an empty database until money has come in, was spent, and has gone out again."""

import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from defusedxml.ElementTree import fromstring
from django.db import connection
from playwright.sync_api import sync_playwright

from tests.opening.installation import OUR_ACCOUNT, Installation
from tests.opening.mailbox import running_mailbox
from tests.opening.people import Clerk, Customer
from tests.owner import run_as_owner
from tests.processes import wait_for
from tests.secrecy import ACCOUNT_NUMBER
from tests.simulators import running_simulator
from tests.site.test_browser import CHROMIUM, PHONE, WIDE
from tests.wallets.bank import camt, entry
from wallets.models import Deposit, Payout, PayoutFile, Proposal, Statement, Transaction, User
from wallets.transfer_files import NAMESPACE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: chromium)"),
    pytest.mark.timeout(480),
]

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
OF_ALICE, OF_CAROL = "GB82WEST12345698765432", {"account": ACCOUNT_NUMBER, "routing": "021000021"}
ROLES = {"fred": "finance", "mia": "manager", "moe": "manager"}


class Opening:
    """The people and the parts of one installation, and what they do, step by step."""

    def __init__(self, installation, mailbox, browser):
        self.installation, self.mailbox, self.browser = installation, mailbox, browser
        self.folder = installation.folder / "bank"
        self.folder.mkdir()
        self.clerks, self.customers = {}, {}
        self.closing = "0"

    def clerk(self, name):
        if name not in self.clerks:
            size = PHONE if name == "moe" else WIDE
            self.clerks[name] = Clerk(self.installation.site, name, browser=self.browser, size=size)
        return self.clerks[name]

    def customer(self, name):
        if name not in self.customers:
            self.customers[name] = Customer(self.installation.site, name)
        return self.customers[name]

    def close(self):
        for person in [*self.clerks.values(), *self.customers.values()]:
            person.close()

    def import_statement(self, *entries, closing, name):
        """Import a statement of our account as finance, and return what the command says."""
        file = self.folder / name
        file.write_bytes(camt(*entries, opening=self.closing, closing=closing, account=OUR_ACCOUNT))
        self.closing = closing
        return self.installation.command("import_statement", str(file), by=self.clerk("fred"))

    def credit(self, *entries, closing, name):
        """Import a statement without money of nobody, let a manager approve it, and wait until it is credited."""
        assert "Of nobody" not in self.import_statement(*entries, closing=closing, name=name)
        self.clerk("mia").approve_newest()
        wait_for(lambda: Statement.objects.latest("id").state == "credited", seconds=60)

    def two_approve(self, path, action, *, by="fred", **fields):
        """Let one member of staff ask on a page and a manager approve. Return the proposal's id."""
        self.clerk(by).act(path, action, says="has to approve", **fields)
        return self.clerk("mia").approve_newest()


@pytest.fixture
def opening(transactional_db, tmp_path, monkeypatch):
    with ExitStack() as entered:
        mailbox = entered.enter_context(running_mailbox())
        venue = entered.enter_context(running_simulator(tmp_path))
        installation = Installation(folder=tmp_path, mail_port=mailbox.port, venue_url=venue.url)
        entered.enter_context(installation.running())
        playwright = entered.enter_context(sync_playwright())
        # Playwright leaves an event loop in this thread. Meanwhile Django has another connection, which nobody closes.
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
        entered.callback(connection.close)
        arguments = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # as root, Chromium starts only without a sandbox
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        entered.callback(browser.close)
        begun = Opening(installation, mailbox, browser)
        entered.callback(begun.close)
        yield begun


def test_a_platform_opens_with_nothing_but_two_people_and_a_bank(opening):
    two_superusers_begin(opening)
    they_make_staff_with_roles(opening)
    two_managers_put_a_coin_on_sale(opening)
    customers_register(opening)
    a_statement_credits_each_customer_once(opening)
    two_persons_assign_one_line_and_send_one_back(opening)
    the_same_file_changes_nothing(opening)
    a_customer_buys(opening)
    payouts = customers_ask_for_payouts(opening)
    two_persons_approve(opening, payouts)
    the_export_survives_its_death(opening, payouts)
    the_bank_answers(opening, payouts)
    assert "The ledger balances" in opening.installation.command("verify_ledger")
    assert [(name, clerk.complaints) for name, clerk in opening.clerks.items() if clerk.complaints] == []


def two_superusers_begin(opening):
    for name in ("ann", "bob"):
        said = opening.installation.command("bootstrap_staff", name, "--email", f"{name}@example.com")
        assert "A link to choose a password is sent" in said
        clerk = opening.clerk(name)
        clerk.choose_password(opening.mailbox)
        clerk.begin()
    said = opening.installation.command("bootstrap_staff", "eve", "--email", "eve@example.com", fails=True)
    assert "Two superusers with a second factor exist" in said
    assert User.objects.count() == 2


def they_make_staff_with_roles(opening):
    ann, bob = opening.clerk("ann"), opening.clerk("bob")
    for name, role in ROLES.items():
        ann.open("wallets/user/add/")
        ann.page.locator("#id_username").fill(name)
        ann.page.locator("#id_email").fill(f"{name}@example.com")
        ann.page.locator("#id_for_staff").check()
        ann.save(says="was added successfully")
        page = f"wallets/user/{User.objects.get(username=name).pk}/change/"
        ann.act(page, "Send a link for a new password", says="A link is sent")
        opening.clerk(name).choose_password(opening.mailbox)
        ann.open(page)
        ann.page.locator("#id_is_staff").check()
        ann.page.locator("#id_groups_from").select_option(label=role)
        ann.page.locator("#id_groups_add").click()
        ann.page.locator("#id_reason").fill(f"{name} works in {role}")
        ann.save(says="has to approve")
        assert not User.objects.get(username=name).is_staff
        ann.is_refused(ann.newest_proposal())
        bob.approve_newest()
        opening.clerk(name).begin()
    assert {user.username: user.groups.get().name for user in User.objects.filter(is_superuser=False)} == ROLES
    of_two = Proposal.objects.filter(needs_two=True)
    assert set(of_two.values_list("asked_by__username", "record__decided_by__username")) == {("ann", "bob")}
    assert set(Proposal.objects.filter(needs_two=False).values_list("kind", flat=True)) == {"reset_link"}


def two_managers_put_a_coin_on_sale(opening):
    mia, moe = opening.clerk("mia"), opening.clerk("moe")
    mia.open("trading/coin/add/")
    mia.page.locator("#id_name").fill("ABAN")
    mia.page.locator("#id_title").fill("Abantether")
    mia.page.locator("#id_is_sold").check()
    mia.page.locator("#id_reason").fill("we open with this coin")
    mia.save(says="has to approve")
    mia.is_refused(mia.newest_proposal())
    moe.approve_newest()


def customers_register(opening):
    for name in ("alice", "carol", "dan"):
        opening.customer(name).register()
        opening.customer(name).prove_address(opening.mailbox)


def a_statement_credits_each_customer_once(opening):
    paid = {
        opening.customer(name): amount for name, amount in (("alice", "120.00"), ("carol", "80.00"), ("dan", "50.00"))
    }
    lines = [
        entry(amount, reference=f"in {number}", text=f"To my wallet {person.wallet['reference']}", day=YESTERDAY)
        for number, (person, amount) in enumerate(paid.items())
    ]
    unclear = {"Dan": "25.00", "Nobody": "15.00"}
    lines += [
        entry(amount, reference=f"in {name}", name=name, text="hello", day=YESTERDAY)
        for name, amount in unclear.items()
    ]
    said = opening.import_statement(*lines, closing="290.00", name="first.xml")
    assert "waits until another member of staff approves it" in said
    assert not opening.clerk("fred").is_offered(
        f"wallets/proposal/{Proposal.objects.latest('id').pk}/change/", "Approve"
    )
    assert [customer.deposits() for customer in paid] == [[], [], []]
    opening.clerk("mia").approve_newest(looks_at=f"statement {Statement.objects.get().pk}")
    wait_for(lambda: Statement.objects.get().state == "credited", seconds=60)
    for customer, amount in paid.items():
        assert customer.deposits() == [(amount, "credited")]
        assert customer.wallet["balance"] == customer.wallet["on_hold"] == amount


def two_persons_assign_one_line_and_send_one_back(opening):
    unassigned = Deposit.objects.filter(state="unassigned").order_by("-amount")
    for_dan, for_nobody = unassigned.values_list("pk", flat=True)  # this process has no key to read the rest
    opening.two_approve(f"wallets/deposit/{for_dan}/change/", "Assign to a customer", customer="dan")
    opening.two_approve(f"wallets/deposit/{for_nobody}/change/", "Send back")
    assert opening.customer("dan").wallet["balance"] == "75.00"
    assert Deposit.objects.filter(pk=for_nobody, state="sent_back").exists()


def the_same_file_changes_nothing(opening):
    before = Transaction.objects.count(), Deposit.objects.count(), Proposal.objects.count()
    file, fred = str(opening.folder / "first.xml"), opening.clerk("fred")
    said = opening.installation.command("import_statement", file, by=fred)
    assert "This file was imported before" in said
    assert (Transaction.objects.count(), Deposit.objects.count(), Proposal.objects.count()) == before


def a_customer_buys(opening):
    alice = opening.customer("alice")

    def is_sold():
        [coin] = alice.call("GET", "exchanges/crypto-currencies/")
        return coin["is_available"]

    wait_for(is_sold, seconds=60)
    order = alice.call("POST", "orders/", {"crypto": "ABAN", "total": "41.00"}, expect=201, Idempotency_Key="o1")
    wait_for(lambda: alice.call("GET", f"orders/{order['id']}/")["state"] == "completed", seconds=60)
    [holding] = alice.call("GET", "accounts/holdings/")
    assert (holding["crypto"], holding["amount"]) == ("ABAN", order["amount"])


def customers_ask_for_payouts(opening):
    """Let two customers add payees and ask for payouts. The holds are production's, and time passes only in the rows."""
    alice, carol = opening.customer("alice"), opening.customer("carol")
    payees = {alice: {"name": "Alice Example", "iban": OF_ALICE}, carol: {"name": "Carol Example", **OF_CAROL}}
    payouts = {}
    for customer, payee in payees.items():
        customer.turn_second_factor_on()
        assert customer.refused("POST", "accounts/payees/", payee, status=401) == "otp_required"
        code = customer.otp()
        added = customer.call("POST", "accounts/payees/", {**payee, "otp": code}, expect=201)
        asked = {"amount": "30.00", "payee": added["id"]}
        for hold in ("payee_on_hold", "credential_hold", "funds_on_hold"):
            body = {**asked, "otp": customer.recovery_codes.pop()}
            assert customer.refused("POST", "accounts/payouts/", body, status=403) == hold
            end_hold(hold, of=customer)
        assert customer.refused("POST", "accounts/payouts/", {**asked, "otp": code}, status=422) == "otp_invalid"
        body = {**asked, "otp": customer.otp()}
        payout = customer.call("POST", "accounts/payouts/", body, expect=201, Idempotency_Key="p1")
        assert customer.call("POST", "accounts/payouts/", body, expect=201, Idempotency_Key="p1") == payout
        assert (payout["state"], customer.wallet["in_payouts"]) == ("requested", "30.00")
        readable = Payout.objects.defer("bank_reference", "reason")  # this process has no key to read the rest
        payouts[customer] = readable.get(pk=payout["id"])
    assert Payout.objects.count() == 2
    return payouts


def end_hold(hold, *, of):
    """Let as much time pass in the rows of a customer as a hold of production lasts."""
    rows = {
        "payee_on_hold": "wallets_payee SET created_at = created_at - interval '25 hours', usable_at = usable_at"
        " - interval '25 hours' WHERE customer_id",
        "credential_hold": "wallets_user SET credentials_changed_at = credentials_changed_at - interval '25 hours'"
        " WHERE id",
        "funds_on_hold": "wallets_deposit SET created_at = created_at - interval '73 hours' WHERE customer_id",
    }
    run_as_owner(f"UPDATE {rows[hold]} = {User.objects.get(username=of.name).pk}")


def two_persons_approve(opening, payouts):
    for payout in payouts.values():
        proposal = opening.two_approve(f"wallets/payout/{payout.pk}/change/", "Approve")
        record = Proposal.objects.get(pk=proposal).record
        assert (record.proposal.asked_by.username, record.decided_by.username) == ("fred", "mia")
    assert {customer.payout(payout.pk)["state"] for customer, payout in payouts.items()} == {"approved"}


def the_export_survives_its_death(opening, payouts):
    """Kill the export in its transaction, between its commit and the file, and after the file: it is one file."""
    command, by = ("export_payouts", str(opening.folder)), opening.clerk("fred")
    opening.installation.killed_command(*command, at="payouts.sending", by=by)
    assert not PayoutFile.objects.exists()
    assert set(Payout.objects.values_list("state", flat=True)) == {"approved"}
    opening.installation.killed_command(*command, at="payouts.exported", by=by)
    assert list(PayoutFile.objects.values_list("written_at", flat=True)) == [None]
    assert not list(opening.folder.glob("PF*"))
    opening.installation.killed_command(*command, at="payouts.written", by=by)
    [file] = opening.folder.glob("PF*")
    content = file.read_bytes()
    assert "2 payouts, 60.00 USD" in opening.installation.command(*command, by=by)
    assert "There is no payout to export." in opening.installation.command(*command, by=by)
    assert list(opening.folder.glob("PF*")) == [file]
    assert file.read_bytes() == content
    assert PayoutFile.objects.filter(written_at__isnull=False).count() == PayoutFile.objects.count() == 1
    named = [element.text for element in fromstring(content).iter(f"{{{NAMESPACE}}}EndToEndId")]
    assert named == [payout.end_to_end_id for payout in payouts.values()]
    assert {customer.payout(payout.pk)["state"] for customer, payout in payouts.items()} == {"sent"}


def the_bank_answers(opening, payouts):
    (alice, of_alice), (carol, of_carol) = payouts.items()
    left = [
        entry("30.00", sign="DBIT", reference=f"out {payout.pk}", details=named(payout), day=YESTERDAY)
        for payout in (of_alice, of_carol)
    ]
    opening.credit(*left, closing="230.00", name="second.xml")
    assert {customer.payout(payout.pk)["state"] for customer, payout in payouts.items()} == {"paid"}
    assert (carol.wallet["balance"], carol.wallet["in_payouts"]) == ("50.00", "0.00")
    returned = named(of_carol).replace("</TxDtls>", "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>")
    back = entry("30.00", reference="back 1", details=returned, day=YESTERDAY)
    opening.credit(back, closing="260.00", name="third.xml")
    assert (alice.payout(of_alice.pk)["state"], carol.payout(of_carol.pk)["state"]) == ("paid", "returned")
    assert carol.wallet["balance"] == "80.00"
    assert "returned" in opening.clerk("fred").read("wallets/payout/", row="carol").lower()


def named(payout):
    return f"<TxDtls><Refs><EndToEndId>{payout.end_to_end_id}</EndToEndId></Refs></TxDtls>"
