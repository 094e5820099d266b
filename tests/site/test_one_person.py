"""No member of staff moves money, prices, limits or credentials alone: each role and each single permission tries all.

What is exposed is a set of facts: a balance, a price, a coin that is sold, a wallet that is not frozen, a power that
somebody has. One person may take facts away, and never adds one. A new action, form or command has to be tried here.
"""

import json
import re
from collections import defaultdict
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client, RequestFactory
from django.urls import resolve, reverse

from exchange_site.admin.roles import ROLES, make_roles_after_migrate
from exchange_site.configuration.persons import KINDS
from exchange_site.stack.processes import PROJECT
from settlement.models import BalanceReading, FindingKind, InterventionAction, VenueEntry
from settlement.services.claiming import claim_waiting_orders
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.pausing import pause_buying
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.secrecy import ACCOUNT_NUMBER
from tests.site.test_two_persons import (
    ACTIONS,
    COMMANDS,
    FORMS,
    LESSENS,
    MOVES_NOTHING,
    TWO,
    coin_form,
    of_nobody,
    open_debit,
    sent_payout,
    waiting_payout,
)
from tests.staff import make_chief
from tests.typed import PASSWORD
from tests.wallets.bank import DAY, IBAN, camt, entry, import_file
from tests.wallets.payees import add, ask, pay_from
from tests.wallets.returned import money_taken, receive, spend, take
from trading.models import Coin, CoinPrice, DayLoss, Order, PriceRule, SalesLimit, SalesStop
from trading.services.coins import open_or_close_shop, stop_selling
from trading.services.prices import record_price
from wallets.models import BreakGlass, Proposal, ProposalRecord, TokenFamily, Transaction, User, Wallet
from wallets.runtime import clock
from wallets.services.accounts import freeze_within_transaction
from wallets.services.returns.receiving import receive_return
from wallets.services.tokens import start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

FACTS = """
SELECT 'balance ' || id || ' ' || balance FROM wallets_wallet WHERE balance <> 0
UNION ALL SELECT 'free wallet ' || id FROM wallets_wallet WHERE NOT frozen AND owner_id <= %(user)s
UNION ALL SELECT 'movement ' || id FROM wallets_transaction
UNION ALL SELECT 'deposit ' || id || ' ' || state || coalesce(customer_id, 0) FROM wallets_deposit
UNION ALL SELECT 'payout ' || id || state FROM wallets_payout
UNION ALL SELECT 'return ' || id || state FROM wallets_return
UNION ALL SELECT 'return put aside ' || id FROM wallets_return WHERE state = 'waiting' AND seen_at IS NOT NULL
UNION ALL SELECT 'debt ' || concat_ws(' ', customer_id, amount) FROM wallets_receivable
UNION ALL SELECT 'statement ' || id || state FROM wallets_statement WHERE state IN ('approved', 'credited')
UNION ALL SELECT 'decided line ' || id FROM wallets_statementline WHERE seen_at IS NOT NULL
UNION ALL SELECT 'terms ' || concat_ws(' ', id, fixed_price, minimum, maximum, step, pool_policy)
  FROM trading_coin WHERE id <= %(coin)s
UNION ALL SELECT 'sold ' || id FROM trading_coin WHERE is_sold
UNION ALL SELECT 'price ' || concat_ws(' ', coin_id, value, suspended_at) FROM trading_coinprice
UNION ALL SELECT 'rule ' || id FROM trading_pricerule
UNION ALL SELECT 'limit ' || id FROM trading_saleslimit
UNION ALL SELECT 'stop ' || concat_ws(' ', id, ceiling, resumed_at) FROM trading_salesstop
UNION ALL SELECT 'open shop' FROM trading_shop WHERE is_open
UNION ALL SELECT 'order ' || id || state FROM trading_order
UNION ALL SELECT 'intervention ' || id FROM settlement_intervention WHERE action <> %(look_up)s
UNION ALL SELECT 'move at the venue ' || id FROM settlement_accountmove
UNION ALL SELECT 'adopted ' || id FROM settlement_finding WHERE decision = 'adopt'
UNION ALL SELECT 'bought ' || c.id FROM trading_coin c
  WHERE id <= %(coin)s AND NOT EXISTS (SELECT FROM settlement_pause p WHERE p.coin_id = c.id)
UNION ALL SELECT 'venue ' || concat_ws(' ', name, priority, state) FROM settlement_venueentry
UNION ALL SELECT 'sent to the venue' FROM settlement_databasewatch WHERE stopped_at IS NULL
UNION ALL SELECT 'account ' || concat_ws(' ', id, password, email, verified_email, is_staff, is_superuser, first_name, last_name)
  FROM wallets_user WHERE id <= %(user)s
UNION ALL SELECT 'superuser ' || id FROM wallets_user WHERE is_superuser
UNION ALL SELECT 'active ' || id FROM wallets_user WHERE is_active AND id <= %(user)s
UNION ALL SELECT 'member ' || user_id || ' ' || group_id FROM wallets_user_groups
UNION ALL SELECT 'power ' || user_id || ' ' || permission_id FROM wallets_user_user_permissions
UNION ALL SELECT 'grant ' || group_id || ' ' || permission_id FROM auth_group_permissions
UNION ALL SELECT 'second factor ' || user_id FROM wallets_secondfactor
  WHERE user_id <= %(user)s AND confirmed_at IS NOT NULL
UNION ALL SELECT 'break-glass ' || id FROM wallets_breakglass WHERE outcome = 'done'
"""


def action(model, name, pk, **more):
    path = f"/admin/{model.replace('.', '/')}/"
    return path, {"action": name, "_selected_action": [pk], "reason": "because", **more}


class World:
    """An installation in which each action and each form of the admin would have an effect."""

    def __init__(self, make_shopper, api, settings):
        self.make_shopper, self.api, self.settings = make_shopper, api, settings
        configure(settings, "DEPOSITS", self_service=False)
        configure(settings, "LOSSES", per_day=Decimal(100))
        make_roles_after_migrate(using="default")
        self.make_people()
        self.make_shop()
        self.make_money()
        self.make_venue()

    def make_people(self):
        self.customer, self.frozen = self.make_shopper(), self.make_shopper()
        freeze_within_transaction(owner_id=self.frozen.user.pk)
        self.carl = User.objects.create_user("carl", verified_email="carl@example.com")
        self.group = Group.objects.create(name="chiefs")
        self.request = BreakGlass(user=self.carl, reason="x", asked_from="x", ready_at=clock.now() + timedelta(days=1))
        self.request.save()

    def make_shop(self):
        self.coin = make_coin("ABAN", "4.00", maximum=Decimal(100))
        self.unsold, self.jumped = make_coin("GONE", "4.00"), make_coin("JUMP", "4.00")
        stop_selling(coin=self.unsold)
        Coin.objects.filter(pk=self.jumped.pk).update(fixed_price=None)
        for _ in range(4):
            record_price(coin=self.jumped, value=Decimal("40.00"), source="binance", now=clock.now())
        self.order()
        self.batch = claim_waiting_orders(coin_id=self.coin.pk, now=clock.now())
        self.owner = self.make_shopper()
        body = {"crypto": "ABAN", "amount": "1"}
        self.small = self.api("POST", "orders/", body, by=self.owner).json()["id"]
        configure(self.settings, "RISK", max_value=Decimal("11.99"))
        self.held = self.order()
        SalesLimit.objects.create(coin=self.coin, most=100, reason="the first")
        now = clock.database_now()
        DayLoss.objects.create(day=now.date(), coin=self.coin, coins=1, cost=101, charge=1, counted_at=now)
        self.stop = SalesStop.objects.create(day=now.date(), loss=100, ceiling=100, stopped_at=now)

    def order(self):
        body = {"crypto": "ABAN", "amount": "3"}
        return self.api("POST", "orders/", body, by=self.make_shopper()).json()["id"]

    def make_money(self):
        self.importer = User.objects.create_user("importer", is_staff=True)
        self.deposit = of_nobody()
        self.debit, self.returned = open_debit(), of_nobody("4.00", reference="line 2")
        self.statement = import_file(camt(entry("5", reference="b"), closing="5"), by=self.importer).statement
        self.payout, self.sent = waiting_payout(self), sent_payout(self)
        payers = [self.make_shopper() for _ in range(3)]
        self.paid_in, won, owed = (
            receive(payer, clock.now(), reference=f"p{number}") for number, payer in enumerate(payers)
        )
        self.waiting_return = receive_return(money=money_taken(clock.now(), reference="r2"))
        self.taken = take(won, clock.now(), reference="r3")
        spend(payers[2], "125.00")
        take(owed, clock.now(), reference="r4")
        self.debtor = payers[2].user
        Wallet.objects.create(owner=self.debtor, asset="ABAN", role="customer", balance=5)
        CoinPrice.objects.filter(coin=self.coin).update(bid=Decimal("3.90"), details_at=F("read_at"))

    def make_venue(self):
        found = Contradiction(kind=FindingKind.EXTRA, subject="order x 1")
        self.finding = raise_finding(contradiction=found, now=clock.now())
        self.pause = pause_buying(coin=self.unsold, reason="look", set_by=self.carl, now=clock.now())
        now = clock.database_now()
        self.venue = VenueEntry.objects.create(name="kraken", priority=2)
        self.reading = BalanceReading.objects.create(
            venue=self.settings.VENUE.id, asset="GONE", amount=5, proposed=5, read_at=now, steady_since=now
        )

    def remember(self):
        """Let facts be about the people and coins that are here now."""
        self.known = {"user": User.objects.latest("pk").pk, "coin": Coin.objects.latest("pk").pk}
        self.known["look_up"] = InterventionAction.LOOK_UP.value

    def facts(self):
        with connection.cursor() as cursor:
            cursor.execute(FACTS, self.known)
            return {row[0] for row in cursor.fetchall()}

    def deeds(self):
        """Return what is sent for each action and form that needs two persons: a path and its fields."""
        figures = {"quantity": "3", "cost": "12", "commission": "0"}
        batch, user = self.batch.pk, self.customer.user.username
        change = "/admin/{}/{}/change/".format
        own = {"username": "carl", "first_name": "Eve", "is_active": "on", "is_superuser": "on", "is_staff": "on"}
        freeze_user = Permission.objects.get(codename="freeze_user").pk
        powers = {"permissions": [freeze_user], "reason": "because"}
        new = Coin(name="NEW", fixed_price=Decimal("0.01"), minimum=Decimal(1), step=Decimal(1))
        rule = {"spread_rate": "0.01", "fee_rate": "0.001", "fee_minimum": "0"}
        rule |= {"reason": "because", "confirmed": f"after {PriceRule.objects.latest('pk').pk}"}
        money = {"customer_name": user, "amount": "25.00", "source": IBAN, "reference": "c", "received_on": str(DAY)}
        return {
            ("wallets.user", "unfreeze"): action("wallets.user", "unfreeze", self.frozen.user.pk),
            ("wallets.deposit", "assign"): action("wallets.deposit", "assign", self.deposit, customer=user),
            ("wallets.deposit", "send_back"): action("wallets.deposit", "send_back", self.deposit),
            ("wallets.deposit", "came_back"): action("wallets.deposit", "came_back", self.returned, payout=self.sent),
            ("wallets.statementline", "explain"): action("wallets.statementline", "explain", self.debit),
            ("wallets.statementline", "charge"): action("wallets.statementline", "charge", self.debit, customer=user),
            ("wallets.statement", "credit"): action("wallets.statement", "credit", self.statement.pk),
            ("wallets.payout", "approve"): action("wallets.payout", "approve", self.payout),
            ("wallets.payout", "mark_paid"): action("wallets.payout", "mark_paid", self.sent),
            ("wallets.payout", "mark_failed"): action("wallets.payout", "mark_failed", self.sent),
            ("wallets.payout", "mark_returned"): action("wallets.payout", "mark_returned", self.sent),
            ("wallets.deposit", "take_back"): action(
                "wallets.deposit", "take_back", self.paid_in.pk, amount="5.00", reference="r5"
            ),
            ("wallets.return", "take"): action(
                "wallets.return", "take", self.waiting_return.pk, deposit=self.paid_in.pk
            ),
            ("wallets.return", "put_aside"): action("wallets.return", "put_aside", self.waiting_return.pk),
            ("wallets.return", "win_back"): action("wallets.return", "win_back", self.taken.pk),
            ("wallets.transaction", "correct"): action("wallets.transaction", "correct", self.booked()),
            ("wallets.wallet", "give_goodwill"): action(
                "wallets.wallet", "give_goodwill", self.customer.wallet.pk, amount="5.00"
            ),
            ("wallets.receivable", "repurchase"): action(
                "wallets.receivable", "repurchase", self.debtor.pk, coin="ABAN", amount="1"
            ),
            ("wallets.receivable", "write_off"): action(
                "wallets.receivable", "write_off", self.debtor.pk, amount="5.00"
            ),
            ("trading.coin", "sell_again"): action("trading.coin", "sell_again", self.unsold.pk),
            ("trading.coin", "accept_suspect_price"): action(
                "trading.coin", "accept_suspect_price", self.jumped.pk, price="40.00"
            ),
            ("trading.review", "release"): action("trading.review", "release", self.held),
            ("trading.salesstop", "let_sales_go_on"): action(
                "trading.salesstop", "let_sales_go_on", self.stop.pk, further="50"
            ),
            ("settlement.batch", "retry"): action("settlement.batch", "retry", batch),
            ("settlement.batch", "refund"): action("settlement.batch", "refund", batch),
            ("settlement.batch", "mark_filled"): action("settlement.batch", "mark_filled", batch, **figures),
            ("settlement.batch", "mark_not_placed"): action("settlement.batch", "mark_not_placed", batch),
            ("settlement.batch", "book_excess"): action("settlement.batch", "book_excess", batch, **figures),
            ("settlement.finding", "adopt"): action("settlement.finding", "adopt", self.finding.pk),
            ("settlement.balancereading", "open"): action("settlement.balancereading", "open", self.reading.pk),
            ("settlement.pause", "lift"): action("settlement.pause", "lift", self.pause.pk),
            ("auth.group", "add"): ("/admin/auth/group/add/", {"name": "others", **powers}),
            ("auth.group", "change"): (change("auth/group", self.group.pk), {"name": "chiefs", **powers}),
            ("wallets.user", "change"): (change("wallets/user", self.carl.pk), {**own, "reason": "because"}),
            ("wallets.deposit", "add"): ("/admin/wallets/deposit/add/", {**money, "reason": "because"}),
            ("trading.coin", "add"): ("/admin/trading/coin/add/", coin_form(new, name="NEW")),
            ("trading.coin", "change"): (
                change("trading/coin", self.coin.pk),
                coin_form(Coin.objects.get(pk=self.coin.pk), fixed_price="0.01", maximum="1000"),
            ),
            ("trading.pricerule", "add"): ("/admin/trading/pricerule/add/", rule),
            ("trading.saleslimit", "add"): (
                "/admin/trading/saleslimit/add/",
                {"coin": self.coin.pk, "most": "1000", "reason": "because"},
            ),
            ("trading.shop", "change"): (change("trading/shop", 1), {"is_open": "on", "reason": "because"}),
            ("settlement.venueentry", "change"): (
                change("settlement/venueentry", self.venue.pk),
                {"priority": "1", "state": "in_use", "reason": "because"},
            ),
            ("settlement.accountmove", "add"): (
                "/admin/settlement/accountmove/add/",
                {"asset": "ABAN", "kind": "move", "amount": "-1.5", "reason": "because"},
            ),
        }

    def booked(self):
        """Return the id of the movement of a deposit that can be corrected."""
        return Transaction.objects.get(reference=f"deposit:{self.paid_in.pk}").pk

    def others(self):
        """Return what is sent for the actions and forms that one person may use alone."""
        job = "procrastinate.procrastinatejob"
        user = {"username": "new", "email": "carl@example.com"}
        return {
            ("wallets.user", "freeze"): action("wallets.user", "freeze", self.customer.user.pk),
            ("wallets.user", "send_reset_link"): action("wallets.user", "send_reset_link", self.carl.pk),
            ("auth.group", "delete_groups"): action("auth.group", "delete_groups", self.group.pk),
            ("wallets.breakglass", "revoke"): action("wallets.breakglass", "revoke", self.request.pk),
            ("wallets.return", "mark_as_seen"): action("wallets.return", "mark_as_seen", self.taken.pk),
            ("wallets.statement", "reject"): action("wallets.statement", "reject", self.statement.pk),
            ("trading.coin", "stop_selling"): action("trading.coin", "stop_selling", self.coin.pk),
            ("trading.suspension", "mark_seen"): action("trading.suspension", "mark_seen", 1),
            ("settlement.batch", "look_up"): action("settlement.batch", "look_up", self.batch.pk),
            ("settlement.finding", "close"): action("settlement.finding", "close", self.finding.pk),
            ("settlement.finding", "not_ours"): action("settlement.finding", "not_ours", self.finding.pk),
            (job, "retry_failed"): action(job, "retry_failed", 1),
            ("wallets.user", "add"): ("/admin/wallets/user/add/", user),
            ("trading.shop", "add"): ("/admin/trading/shop/add/", {"reason": "maintenance"}),
            ("settlement.pause", "add"): ("/admin/settlement/pause/add/", {"coin": self.coin.pk, "reason": "x"}),
        }


# Their attempts are not in the state for these decisions, so that they are refused for another reason too.
NOT_NOW = {("settlement.batch", name) for name in ("mark_filled", "mark_not_placed", "book_excess")}
# They decide about what others have asked for; see TestApprovals and `try_all`.
OF_PROPOSALS = {("wallets.proposal", name) for name in ("approve", "reject", "withdraw")}
# Only a shop that is closed can be opened.
SHOP = ("trading.shop", "change")
# They give customers back what is theirs, and are tried by themselves.
GIVING_BACK = {("trading.review", "refund"), ("wallets.payout", "reject")}


@pytest.fixture
def world(make_shopper, api, settings):
    return World(make_shopper, api, settings)


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))


@contextmanager
def undone():
    """Roll back what happens in the block, although it runs database transactions of its own."""
    block = transaction.atomic()
    block._from_testcase = True  # durable blocks may be inside
    with block:
        yield
        transaction.set_rollback(True)


def make_people(permissions):
    """Make a member of staff of each role and of each set of permissions, and return them by a name."""
    people = {}
    for role in ROLES:
        people[role] = User.objects.create_user(role, is_staff=True)
        people[role].groups.add(Group.objects.get(name=role))
    for number, (name, held) in enumerate(permissions.items()):
        people[name] = User.objects.create_user(f"staff{number}", is_staff=True)
        people[name].user_permissions.set(held)
    people["superuser"] = User.objects.create_superuser("boss")
    return people


def single_permissions():
    every = Permission.objects.select_related("content_type").order_by("pk")
    return {f"{each.content_type.app_label}.{each.codename}": [each] for each in every}


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


class Direct:
    """Sends what a person sends to the pages of the admin, without the middleware, which reads them from their session.

    So two hundred people take seconds. The decorators of the admin's pages are part of them.
    """

    _factory = RequestFactory()

    def __init__(self, person):
        self.person = person

    def post(self, path, fields):
        request = self._factory.post(path, fields)
        request.user, request.session, request._dont_enforce_csrf_checks = self.person, {}, True
        request._messages = FallbackStorage(request)
        page = resolve(path)
        with suppress(PermissionDenied):
            page.func(request, *page.args, **page.kwargs)


def approve_own(client, person):
    mine = list(Proposal.objects.filter(asked_by=person, record=None).values_list("pk", flat=True))
    if mine:
        data = {"action": "approve", "_selected_action": mine, "reason": "because"}
        client.post("/admin/wallets/proposal/", data)


@pytest.mark.usefixtures("_two")
class TestTheAdmin:
    def test_is_tried_as_a_whole(self, world):
        of_two = {key for rows in (ACTIONS, FORMS) for key, why in rows.items() if why == TWO}
        of_one = {key for rows in (ACTIONS, FORMS) for key, why in rows.items() if why in {LESSENS, MOVES_NOTHING}}
        assert world.deeds().keys() == of_two - OF_PROPOSALS
        assert world.others().keys() == of_one - OF_PROPOSALS - GIVING_BACK

    def test_would_do_each_deed_where_one_person_suffices(self, world, settings):
        """Otherwise the other tests here would prove nothing."""
        configure(settings, "PROPOSALS", kinds={})
        boss = signed_in(make_chief("boss"))
        world.remember()
        before = world.facts()
        for key, (path, fields) in world.deeds().items():
            with undone():
                if key == SHOP:
                    open_or_close_shop(is_open=False, reason="maintenance")
                boss.post(path, fields)
                assert (key in NOT_NOW) != bool(world.facts() - before), key
        assert world.facts() == before

    def test_lets_nobody_move_anything_alone(self, world):
        """Each role, each single permission, all permissions together, and a superuser send all forms and actions."""
        world.remember()
        single = single_permissions()
        people = make_people({**single, "everything": Permission.objects.all()})
        before, deeds = world.facts(), world.deeds()
        clients = {name: Direct(person) if name in single else signed_in(person) for name, person in people.items()}
        opening = deeds.pop(SHOP)
        for name, client in clients.items():
            for path, fields in deeds.values():
                client.post(path, fields)
            approve_own(client, people[name])
            assert world.facts() == before, f"{name} alone"
        open_or_close_shop(is_open=False, reason="maintenance")
        for name, client in clients.items():
            client.post(*opening)
            approve_own(client, people[name])
        assert world.facts() == before
        assert not ProposalRecord.objects.filter(outcome="done").exists()
        assert set(Proposal.objects.values_list("kind", flat=True)) >= {"deposit", "price_rule", "powers", "import"}
        by_one_permission = Proposal.objects.filter(asked_by__username__startswith="staff")
        assert set(by_one_permission.values_list("kind", flat=True)) >= {"fixed_price", "sales_limit", "unfreeze"}

    def test_lets_one_person_take_exposure_away_and_add_none(self, world):
        world.remember()
        people = make_people({"everything": Permission.objects.all()})
        before, taken = world.facts(), defaultdict(set)
        for name, person in people.items():
            client = signed_in(person)
            for key, (path, fields) in world.others().items():
                with undone():
                    client.post(path, fields)
                    after = world.facts()
                assert after <= before, (name, key)
                taken[key] |= before - after
        assert {("wallets.user", "freeze"), ("trading.coin", "stop_selling"), ("settlement.pause", "add")} <= {
            key for key, facts in taken.items() if facts
        }

    def test_gives_a_refused_order_back_to_its_customer_alone(self, world):
        risk = make_people({})["risk"]
        world.remember()
        before = world.facts()
        customer = Order.objects.get(pk=world.held).customer_id
        signed_in(risk).post(*action("trading.review", "refund", world.held))
        new = world.facts() - before
        movement = Transaction.objects.latest("pk")
        assert (movement.customer_id, movement.amount, movement.destination.owner_id) == (customer, 12, customer)
        assert len(new) == 3, new  # the balance, the movement, the order

    def test_deletes_and_edits_no_record(self, world):
        """Whoever has all permissions sends the address of every other page, with what its form might take."""
        world.remember()
        person = User.objects.create_user("everything", is_staff=True)
        person.user_permissions.set(Permission.objects.all())
        boss = User.objects.create_superuser("boss")
        before = world.facts()
        for by in (person, boss):
            client = signed_in(by)
            for model in admin.site._registry:
                name = f"{model._meta.app_label}_{model._meta.model_name}"
                records = model._default_manager.all()
                record = (records.exclude(pk=by.pk) if model is User else records).first()
                if record is None:
                    continue
                for page in ("delete", "history", "change"):
                    if (model._meta.label_lower, page) not in FORMS:
                        client.post(reverse(f"admin:{name}_{page}", args=[record.pk]), {"post": "yes", "amount": "9"})
                client.post(f"/admin/{name.replace('_', '/', 1)}/", {"action": "delete_selected", "post": "yes"})
            for user in (world.customer.user, world.carl):
                fields = {"password1": "xk29-dkwo", "password2": "xk29-dkwo", "usable_password": "true"}
                client.post(f"/admin/wallets/user/{user.pk}/password/", fields)
            assert world.facts() <= before, by


@pytest.mark.usefixtures("_two")
class TestCommands:
    OTHERS = (
        ("bootstrap_staff", "eve", "--email", "eve@example.com"),
        ("createsuperuser", "--noinput", "--username", "eve", "--email", "eve@example.com"),
        ("changepassword", "boss"),
        ("changepassword", "carl"),
        ("seeder", "--force", "--user", "1", "--crypto", "1"),
        ("break_glass", "carl"),
    )

    def test_move_nothing_for_one_person(self, world, settings, tmp_path, monkeypatch):
        """Each role, each single permission, all permissions together, and a superuser run them."""
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        pay_from(settings)
        monkeypatch.setattr("getpass.getpass", lambda *_, **__: PASSWORD)
        path = tmp_path / "bank.xml"
        path.write_bytes(camt(entry("7", reference="d"), opening="5", closing="12"))
        people = make_people({**single_permissions(), "everything": Permission.objects.all()})
        User.objects.filter(pk__in=[person.pk for person in people.values()]).update(password=make_password(PASSWORD))
        world.remember()
        before = world.facts()
        commands = {
            "price_rule": ("--spread-rate", "0.02", "--reason", "because"),
            "import_statement": (str(path),),
            "after_restore": (),
            "export_payouts": (str(tmp_path),),
            "close_customer": (world.customer.user.username, "--reason", "because"),
        }
        assert commands.keys() == COMMANDS.keys()
        for person in people.values():
            for name, arguments in commands.items():
                run(name, *arguments, "--by", person.username)
            approve_own(Direct(person), person)
        for arguments in self.OTHERS:
            run(*arguments)
        assert world.facts() <= before
        assert not ProposalRecord.objects.filter(outcome="done").exists()
        asked = Proposal.objects.filter(needs_two=True).values_list("kind", "asked_by__username")
        assert {kind for kind, _ in asked} == {"price_rule", "import", "restoration"}
        assert {kind for kind, by in asked if by.startswith("staff")} >= {"price_rule"}


def run(*arguments):
    with suppress(CommandError, SystemExit):
        call_command(*arguments, stdout=StringIO(), stderr=StringIO())


ID = re.compile(r"\{\w+\}")
OWN = "own secret"
NOT_KNOWN_HERE = {
    ("POST", "accounts/auth/password/reset/"),  # tokens of messages, and codes of a second factor that is not on
    ("POST", "accounts/email/verify/"),
    ("POST", "accounts/mfa/confirm/"),
    ("DELETE", "accounts/mfa/"),
}


@pytest.mark.usefixtures("_two")
class TestTheApi:
    """The calls of customers, made by staff about a customer's records, and by a customer whom staff have made."""

    BODIES = {
        ("POST", "accounts/auth/login/"): {"username": "owner", "password": OWN},
        ("POST", "accounts/auth/logout/"): {"refresh": OWN},
        ("POST", "accounts/auth/password/"): {"current": OWN, "new": "battery staple"},
        ("POST", "accounts/auth/password/forgot/"): {"email": "owner@example.com"},
        ("POST", "accounts/auth/password/reset/"): {"token": "x:y", "new": "battery staple"},
        ("POST", "accounts/auth/refresh/"): {"refresh": OWN},
        ("POST", "accounts/auth/register/"): {"username": "eve", "password": "correct horse"},
        ("POST", "accounts/email/"): {"email": "eve@example.com", "password": OWN},
        ("POST", "accounts/email/verify/"): {"token": "x:y"},
        ("POST", "accounts/mfa/"): {"password": OWN},
        ("DELETE", "accounts/mfa/"): {"otp": "123456"},
        ("POST", "accounts/mfa/confirm/"): {"otp": "123456"},
        ("POST", "accounts/payees/"): {"name": "Eve", "account": ACCOUNT_NUMBER, "routing": "021000021"},
        ("DELETE", "accounts/payees/{payee_id}/"): {},
        ("POST", "accounts/payouts/"): {"amount": "10.00"},
        ("PATCH", "accounts/wallet/deposit/"): {"amount": "10.00"},
        ("PATCH", "accounts/wallet/withdraw/"): {"amount": "10.00"},
        ("POST", "orders/"): {"crypto": "ABAN", "amount": "3"},
        ("POST", "quotes/"): {"crypto": "ABAN", "amount": "3"},
    }

    @pytest.fixture
    def calls(self):
        """Return the method and the path of every operation."""
        told = json.loads((PROJECT / "docs/openapi.json").read_text())["paths"]
        return {
            (method.upper(), path.removeprefix("/api/v1/")): told[path][method]
            for path in told
            for method in told[path]
        }

    @pytest.fixture
    def owner(self, world, settings):
        """Return a customer who has what every path names, and a known password."""
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        owner = world.owner
        add(owner)
        payout = ask(owner, "5.00")
        owner.ids = {
            "{order_id}": world.small,
            "{transaction_id}": Transaction.objects.filter(customer=owner.user).first().pk,
            "{payee_id}": payout.payee_id,
            "{payout_id}": payout.pk,
            "{name}": "ABAN",
            "{month}": f"{clock.now():%Y-%m}",
        }
        values = {"username": "owner", "email": "owner@example.com", "password": make_password(PASSWORD)}
        User.objects.filter(pk=owner.user.pk).update(**values)
        owner.user.refresh_from_db()
        start_token_family(user=owner.user, now=clock.now())
        owner.ids["{session_id}"] = TokenFamily.objects.filter(user=owner.user).latest("created_at").pk
        return owner

    def test_has_a_body_and_an_id_for_every_call(self, calls, owner):
        assert {call for call, told in calls.items() if "requestBody" in told} == self.BODIES.keys()
        assert {name for _, path in calls for name in ID.findall(path)} == owner.ids.keys()

    def test_would_do_each_call_of_the_customer(self, calls, owner, api, settings):
        """Otherwise the other test here would prove nothing."""
        configure(settings, "DEPOSITS", self_service=True)
        with by_owner():
            SalesStop.objects.all().delete()
            DayLoss.objects.all().delete()
        answered = {}
        for call in calls:
            with undone():
                tokens = start_token_family(user=owner.user, now=clock.now())
                secrets = {"password": PASSWORD, "current": PASSWORD, "refresh": tokens.refresh}
                answered[call] = self.call(api, *call, tokens.access, owner, secrets=secrets)
        refused = {call for call, answer in answered.items() if answer.status_code >= 400}
        assert refused == NOT_KNOWN_HERE, {call: answered[call].content for call in refused - NOT_KNOWN_HERE}
        assert 422 not in {answered[call].status_code for call in refused - {("DELETE", "accounts/mfa/")}}

    def test_moves_nothing_for_staff(self, calls, owner, api, world):
        people = [*make_people({}).values(), self.added_by_staff()]
        world.remember()
        before, seen = world.facts(), defaultdict(set)
        for person in people:
            token = start_token_family(user=person, now=clock.now()).access
            for call in calls:
                seen[call].add(self.call(api, *call, token, owner).status_code)
                token = start_token_family(user=User.objects.get(pk=person.pk), now=clock.now()).access
        assert world.facts() <= before
        assert {call for call, statuses in seen.items() if 422 in statuses} <= NOT_KNOWN_HERE

    def added_by_staff(self):
        """Return a customer whom a member of staff has added, and who has a wallet."""
        boss = signed_in(User.objects.create_superuser("chief"))
        boss.post("/admin/wallets/user/add/", {"username": "puppet", "email": "chief@example.com"})
        return User.objects.get(username="puppet")

    def call(self, api, method, path, token, owner, *, secrets=None):
        body = self.BODIES.get((method, path))
        if body is not None:
            body = {
                name: (secrets or {}).get(name, "a guess") if value == OWN else value for name, value in body.items()
            }
        for name, value in owner.ids.items():
            path = path.replace(name, str(value))
        assert "{" not in path
        return api(method, path, body, Authorization=f"Bearer {token}")
