"""One member of staff alone moves no money, price or limit in the admin: a second one approves, in the queue."""

import re
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command, get_commands
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from procrastinate.contrib.django.models import ProcrastinateJob

from exchange_site.admin.roles import GIVEN, ROLES, digest_of, make_roles_after_migrate
from exchange_site.configuration.persons import KINDS
from exchange_site.stack.processes import PROJECT
from settlement.models import (
    AccountMove,
    BalanceReading,
    FindingKind,
    Intervention,
    InterventionAction,
    Pause,
    VenueEntry,
)
from settlement.services.claiming import claim_waiting_orders
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.pausing import pause_buying
from settlement.services.proposals import ask_to_restore
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.staff import make_chief
from tests.typed import give_password
from tests.wallets.bank import DAY, IBAN, camt, entry, import_file
from tests.wallets.payees import pay_from
from tests.wallets.returned import money_taken, owed, receive, spend, take
from trading.models import Coin, CoinPrice, DayLoss, Order, PriceRule, Review, SalesLimit, SalesStop, Shop
from trading.services.coins import open_or_close_shop, stop_selling
from trading.services.prices import record_price
from wallets.exceptions import DomainError
from wallets.models import (
    Deposit,
    Payout,
    PayoutState,
    Proposal,
    ProposalRecord,
    Return,
    SecurityEvent,
    Statement,
    StatementLine,
    Transaction,
    User,
    Wallet,
)
from wallets.runtime import clock
from wallets.services.accounts import freeze_within_transaction
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.deposits import IncomingMoney, receive_deposit
from wallets.services.payouts.exporting import export_payouts
from wallets.services.payouts.outcomes import note_outcome
from wallets.services.proposals import MAY_DECIDE, propose, registered_kinds
from wallets.services.proposing import GROUP_PERMISSIONS
from wallets.services.returns.receiving import receive_return
from wallets.services.security_log import list_permissions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))


def signed_in(name):
    """Return a client of a new superuser with all permissions: they do not replace the second person."""
    client = Client()
    client.force_login(make_chief(name))
    return client


@pytest.fixture
def ann(db):
    return signed_in("ann")


@pytest.fixture
def bob(db):
    return signed_in("bob")


def act(client, path, action, pk, **more):
    fields = {"action": action, "_selected_action": [pk], "reason": "because", **more}
    return client.post(f"/admin/{path}/", fields, follow=True).content.decode()


def coin_form(coin, **changes):
    fields = {
        "title": coin.title,
        "is_sold": "on" if coin.is_sold else "",
        "minimum": f"{coin.minimum:f}",
        "maximum": "" if coin.maximum is None else f"{coin.maximum:f}",
        "step": f"{coin.step:f}",
        "fixed_price": "" if coin.fixed_price is None else f"{coin.fixed_price:f}",
        "pool_policy": coin.pool_policy,
        "price_is_meant": "on",
        "reason": "because",
        **changes,
    }
    return {name: value for name, value in fields.items() if value != ""}


class World:
    """What the deeds below are about."""

    def __init__(self, make_shopper, api, settings):
        self.coin = make_coin("ABAN", "4.00", maximum=Decimal(100))
        self.make_shopper, self.api, self.settings = make_shopper, api, settings

    def change_coin(self, client, **changes):
        data = coin_form(Coin.objects.get(), **changes)
        return client.post(f"/admin/trading/coin/{self.coin.pk}/change/", data, follow=True).content.decode()

    def held(self):
        configure(self.settings, "RISK", max_value=Decimal("11.99"))
        shopper = self.make_shopper()
        return self.api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["id"]

    def batch(self):
        self.api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=self.make_shopper())
        return claim_waiting_orders(coin_id=self.coin.pk, now=clock.now())


@pytest.fixture
def world(make_shopper, api, settings):
    return World(make_shopper, api, settings)


def price_rule(world):
    before = PriceRule.objects.latest("pk")
    data = {
        "spread_rate": "0.01",
        "fee_rate": "0.001",
        "fee_minimum": "0",
        "reason": "because",
        "confirmed": f"after {before.pk}",
    }
    return (
        lambda client: client.post("/admin/trading/pricerule/add/", data, follow=True).content.decode(),
        PriceRule.objects.count,
    )


def fixed_price(world):
    return lambda client: world.change_coin(client, fixed_price="0.01"), lambda: Coin.objects.get().fixed_price


def market_price(world):
    return lambda client: world.change_coin(client, fixed_price=""), lambda: Coin.objects.get().fixed_price


def larger_orders(world):
    return lambda client: world.change_coin(client, maximum="1000"), lambda: Coin.objects.get().maximum


def smaller_steps(world):
    return lambda client: world.change_coin(client, minimum="2", step="2"), lambda: Coin.objects.get().step


def sell_again(world):
    stop_selling(coin=world.coin)
    return (
        lambda client: act(client, "trading/coin", "sell_again", world.coin.pk),
        lambda: Coin.objects.get().is_sold,
    )


def sell_again_by_form(world):
    stop_selling(coin=world.coin)
    return lambda client: world.change_coin(client, is_sold="on"), lambda: Coin.objects.get().is_sold


def new_coin(world):
    data = coin_form(Coin(name="NEW", fixed_price=Decimal("0.01"), minimum=Decimal(1), step=Decimal(1)), name="NEW")
    return (
        lambda client: client.post("/admin/trading/coin/add/", data, follow=True).content.decode(),
        lambda: Coin.objects.filter(name="NEW", is_sold=True).exists(),
    )


def suspect_price(world):
    Coin.objects.update(fixed_price=None)
    for _ in range(4):
        record_price(coin=world.coin, value=Decimal("40.00"), source="binance", now=clock.now())
    return (
        lambda client: act(client, "trading/coin", "accept_suspect_price", world.coin.pk, price="40.00"),
        lambda: CoinPrice.objects.get().value,
    )


def sales_limit(world):
    SalesLimit.objects.create(coin=world.coin, most=100, reason="the first")
    data = {"coin": world.coin.pk, "most": "1000", "reason": "because"}
    return (
        lambda client: client.post("/admin/trading/saleslimit/add/", data, follow=True).content.decode(),
        lambda: SalesLimit.objects.latest("pk").most,
    )


def sales_go_on(world):
    configure(world.settings, "LOSSES", per_day=Decimal(100))
    now = clock.database_now()
    DayLoss.objects.create(day=now.date(), coin=world.coin, coins=1, cost=101, charge=1, counted_at=now)
    stop = SalesStop.objects.create(day=now.date(), loss=100, ceiling=100, stopped_at=now)
    return (
        lambda client: act(client, "trading/salesstop", "let_sales_go_on", stop.pk, further="50"),
        lambda: SalesStop.objects.get().ceiling,
    )


def open_shop(world):
    open_or_close_shop(is_open=False, reason="maintenance")
    data = {"is_open": "on", "reason": "because"}
    return (
        lambda client: client.post("/admin/trading/shop/1/change/", data, follow=True).content.decode(),
        lambda: Shop.objects.get().is_open,
    )


def release_order(world):
    order_id = world.held()
    return (
        lambda client: act(client, "trading/review", "release", order_id),
        lambda: Order.objects.get().state,
    )


def intervention(world):
    batch = world.batch()
    return (
        lambda client: act(client, "settlement/batch", "refund", batch.pk),
        Intervention.objects.count,
    )


def adoption(world):
    found = Contradiction(kind=FindingKind.EXTRA, subject="order x 1")
    finding = raise_finding(contradiction=found, now=clock.now())
    return (
        lambda client: act(client, "settlement/finding", "adopt", finding.pk),
        lambda: ProcrastinateJob.objects.filter(task_name="settlement.adopt_order").count(),
    )


def account_move(world):
    data = {"asset": "ABAN", "kind": "move", "amount": "-1.5", "reason": "because"}
    return (
        lambda client: client.post("/admin/settlement/accountmove/add/", data, follow=True).content.decode(),
        AccountMove.objects.count,
    )


def venue_in_use(world):
    venue = VenueEntry.objects.create(name="kraken", priority=2)
    data = {"priority": "1", "state": "in_use", "reason": "because"}
    return (
        lambda client: client.post(
            f"/admin/settlement/venueentry/{venue.pk}/change/", data, follow=True
        ).content.decode(),
        lambda: list(VenueEntry.objects.filter(name="kraken").values_list("priority", "state")),
    )


def opening(world):
    now = clock.database_now()
    reading = BalanceReading.objects.create(
        venue=world.settings.VENUE.id, asset="ABAN", amount=5, proposed=5, read_at=now, steady_since=now
    )
    return (
        lambda client: act(client, "settlement/balancereading", "open", reading.pk),
        AccountMove.objects.count,
    )


def unfreeze(world):
    customer = world.make_shopper().user
    freeze_within_transaction(owner_id=customer.pk)
    return (
        lambda client: act(client, "wallets/user", "unfreeze", customer.pk),
        lambda: Wallet.objects.get(owner=customer).frozen,
    )


def powers(world):
    user = User.objects.create_user("carl", verified_email="carl@example.com")
    data = {"username": "carl", "email": "", "is_active": "on", "is_staff": "on", "reason": "because"}
    return (
        lambda client: client.post(f"/admin/wallets/user/{user.pk}/change/", data, follow=True).content.decode(),
        lambda: User.objects.get(pk=user.pk).is_staff,
    )


def membership(world):
    user, group = User.objects.create_user("carl"), Group.objects.create(name="chiefs")
    data = {"username": "carl", "email": "", "is_active": "on", "groups": [group.pk], "reason": "because"}
    return (
        lambda client: client.post(f"/admin/wallets/user/{user.pk}/change/", data, follow=True).content.decode(),
        user.groups.count,
    )


def group_permissions(world):
    group = Group.objects.create(name="chiefs")
    data = {"name": "chiefs", "permissions": [Permission.objects.get(codename="freeze_user").pk], "reason": "because"}
    return (
        lambda client: client.post(f"/admin/auth/group/{group.pk}/change/", data, follow=True).content.decode(),
        group.permissions.count,
    )


def new_group(world):
    data = {"name": "chiefs", "permissions": [Permission.objects.get(codename="freeze_user").pk], "reason": "because"}
    return (
        lambda client: client.post("/admin/auth/group/add/", data, follow=True).content.decode(),
        Permission.objects.filter(group__name="chiefs").count,
    )


def deposit(world):
    customer = world.make_shopper().user
    data = {
        "customer_name": customer.username,
        "amount": "25.00",
        "source": IBAN,
        "reference": "b1",
        "received_on": str(DAY),
        "reason": "because",
    }
    return (
        lambda client: client.post("/admin/wallets/deposit/add/", data, follow=True).content.decode(),
        lambda: Wallet.objects.get(owner=customer, asset="USD").balance,
    )


def of_nobody(amount="25", reference="line 1"):
    money = IncomingMoney(amount=Decimal(amount), source=IBAN, reference=reference, received_at=clock.now())
    with transaction.atomic():
        return receive_deposit(money=money, wallet=None, now=clock.now()).deposit_id


def assignment(world):
    customer, deposit_id = world.make_shopper().user, of_nobody()
    return (
        lambda client: act(client, "wallets/deposit", "assign", deposit_id, customer=customer.username),
        lambda: Wallet.objects.get(owner=customer, asset="USD").balance,
    )


def send_back(world):
    deposit_id = of_nobody()
    return (
        lambda client: act(client, "wallets/deposit", "send_back", deposit_id),
        lambda: Deposit.objects.get(pk=deposit_id).state,
    )


def imported(world):
    content = camt(entry("5", reference="b"), closing="5")
    statement = import_file(content, by=User.objects.create_user("importer", is_staff=True)).statement
    return (
        lambda client: act(client, "wallets/statement", "credit", statement.pk),
        lambda: Statement.objects.get(pk=statement.pk).state,
    )


def lift(world):
    pause = pause_buying(coin=world.coin, reason="look", set_by=User.objects.create_user("carl"), now=clock.now())
    return lambda client: act(client, "settlement/pause", "lift", pause.pk), Pause.objects.count


def restoration(world):
    """What `manage.py after_restore --by` does before it asks the venue."""

    def ask(client):
        by = User.objects.get(pk=client.session["_auth_user_id"])
        try:
            proposal = ask_to_restore(asked_by=by, reason="because")
        except DomainError as error:
            return str(error)
        return "another member of staff has to approve" if proposal.needs_two else "done"

    return ask, lambda: ProposalRecord.objects.filter(outcome="done").count()


def waiting_payout(world):
    customer = world.make_shopper()
    body = {"name": "Carl Customer", "iban": "GB82 WEST 1234 5698 7654 32"}
    assert world.api("POST", "accounts/payees/", body, by=customer).status_code == 201
    return world.api("POST", "accounts/payouts/", {"amount": "5.00"}, by=customer).json()["id"]


def payout(world):
    pk = waiting_payout(world)
    return lambda client: act(client, "wallets/payout", "approve", pk), lambda: Payout.objects.get(pk=pk).state


def sent_payout(world):
    pk = waiting_payout(world)
    values = {"state": "sent", "approved_at": clock.now(), "sent_at": clock.now()}
    with by_owner():
        Payout.objects.filter(pk=pk).update(state="approved", approved_at=clock.now())
        Payout.objects.filter(pk=pk).update(**values)
    return pk


def payout_outcome(world, outcome="returned"):
    pk = sent_payout(world)
    return (
        lambda client: act(client, "wallets/payout", f"mark_{outcome}", pk),
        lambda: (Payout.objects.get(pk=pk).state, Wallet.objects.get(owner__payouts=pk, asset="USD").balance),
    )


def failed_payout(world):
    return payout_outcome(world, "failed")


def paid_payout(world):
    return payout_outcome(world, "paid")


def payout_paid_after_all(world):
    pk = sent_payout(world)
    with transaction.atomic():
        note_outcome(payout_id=pk, outcome=PayoutState.RETURNED)
    return (
        lambda client: act(client, "wallets/payout", "mark_paid", pk),
        lambda: (Payout.objects.get(pk=pk).state, Wallet.objects.get(owner__payouts=pk, asset="USD").balance),
    )


def open_debit():
    """Make a debit that answers nothing, and return its id."""
    content = camt(entry("5", reference="c1"), entry("5", sign="DBIT", reference="c2"), closing="0")
    by = User.objects.create_user("teller", is_staff=True)
    statement = import_file(content, by=by).statement
    approve_statement(statement_id=statement.pk, by=by, approved_by=None)
    credit_statement(statement_id=statement.pk)
    return StatementLine.objects.get(kind="debit").pk


def explained_debit(world):
    pk = open_debit()
    return (
        lambda client: act(client, "wallets/statementline", "explain", pk),
        lambda: StatementLine.objects.get(pk=pk).seen_by_id,
    )


def charged_debit(world):
    shopper, pk = world.make_shopper(), open_debit()
    return (
        lambda client: act(client, "wallets/statementline", "charge", pk, customer=shopper.user.username),
        lambda: shopper.wallet.balance,
    )


def payout_that_came_back(world):
    pk, deposit_id = sent_payout(world), of_nobody("4.00")
    return (
        lambda client: act(client, "wallets/deposit", "came_back", deposit_id, payout=pk),
        lambda: (Payout.objects.get(pk=pk).state, Wallet.objects.get(owner__payouts=pk, asset="USD").balance),
    )


def bank_deposit(world):
    shopper = world.make_shopper()
    return shopper, receive(shopper, clock.now())


def return_of_a_deposit(world):
    shopper, deposit = bank_deposit(world)
    told = {"amount": "5.00", "reference": "r1"}
    return (
        lambda client: act(client, "wallets/deposit", "take_back", deposit.pk, **told),
        lambda: shopper.wallet.balance,
    )


def return_that_waits(world):
    shopper, deposit = bank_deposit(world)
    row = receive_return(money=money_taken(clock.now()))
    return (
        lambda client: act(client, "wallets/return", "take", row.pk, deposit=deposit.pk),
        lambda: shopper.wallet.balance,
    )


def won_back(world):
    shopper, deposit = bank_deposit(world)
    row = take(deposit, clock.now())
    return lambda client: act(client, "wallets/return", "win_back", row.pk), lambda: shopper.wallet.balance


def put_aside(world):
    row = receive_return(money=money_taken(clock.now()))
    return (
        lambda client: act(client, "wallets/return", "put_aside", row.pk),
        lambda: Return.objects.get().seen_by_id,
    )


def correction(world):
    shopper, deposit = bank_deposit(world)
    movement = Transaction.objects.get(reference=f"deposit:{deposit.pk}")
    return lambda client: act(client, "wallets/transaction", "correct", movement.pk), lambda: shopper.wallet.balance


def goodwill(world):
    shopper = world.make_shopper()
    return (
        lambda client: act(client, "wallets/wallet", "give_goodwill", shopper.wallet.pk, amount="5.00"),
        lambda: shopper.wallet.balance,
    )


def debtor(world):
    shopper, deposit = bank_deposit(world)
    spend(shopper, "125.00")
    take(deposit, clock.now())
    return shopper


def write_off(world):
    shopper = debtor(world)
    return (
        lambda client: act(client, "wallets/receivable", "write_off", shopper.user.pk, amount="5.00"),
        lambda: owed(shopper),
    )


def repurchase(world):
    shopper = debtor(world)
    Wallet.objects.create(owner=shopper.user, asset="ABAN", role="customer", balance=5)
    price = CoinPrice.objects.get()
    CoinPrice.objects.update(bid=Decimal("3.90"), details_at=price.read_at)
    told = {"coin": "ABAN", "amount": "1"}
    return (
        lambda client: act(client, "wallets/receivable", "repurchase", shopper.user.pk, **told),
        lambda: owed(shopper),
    )


def customer_name(world):
    customer = world.make_shopper().user
    data = {"username": customer.username, "first_name": "Eve", "is_active": "on", "reason": "because"}
    return (
        lambda client: client.post(f"/admin/wallets/user/{customer.pk}/change/", data, follow=True).content.decode(),
        lambda: User.objects.get(pk=customer.pk).first_name,
    )


DEEDS = {
    price_rule: "price_rule",
    fixed_price: "fixed_price",
    market_price: "fixed_price",
    larger_orders: "coin_limits",
    smaller_steps: "coin_limits",
    sell_again: "put_on_sale",
    sell_again_by_form: "put_on_sale",
    new_coin: "put_on_sale",
    suspect_price: "suspect_price",
    sales_limit: "sales_limit",
    sales_go_on: "sales_go_on",
    open_shop: "open_shop",
    release_order: "release_order",
    intervention: "intervention",
    adoption: "adoption",
    account_move: "account_move",
    opening: "account_move",
    venue_in_use: "venue",
    unfreeze: "unfreeze",
    powers: "powers",
    membership: "powers",
    customer_name: "customer_name",
    group_permissions: "group_permissions",
    new_group: "group_permissions",
    deposit: "deposit",
    assignment: "assignment",
    send_back: "send_back",
    imported: "import",
    lift: "lift_pause",
    restoration: "restoration",
    payout: "payout",
    payout_outcome: "payout_outcome",
    failed_payout: "payout_outcome",
    paid_payout: "payout_outcome",
    payout_paid_after_all: "payout_outcome",
    explained_debit: "explain_debit",
    charged_debit: "charge_debit",
    payout_that_came_back: "came_back",
    return_of_a_deposit: "return",
    return_that_waits: "return",
    won_back: "won_back",
    put_aside: "put_aside",
    correction: "correction",
    goodwill: "goodwill",
    write_off: "write_off",
    repurchase: "repurchase",
}
by_name = pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)


class TestADeed:
    def test_of_every_kind_is_tried_here(self):
        assert set(DEEDS.values()) == {name for name, kind in registered_kinds().items() if not kind.only_lessens}

    @pytest.mark.usefixtures("_two")
    @by_name
    def test_waits_until_another_person_approves_it(self, world, ann, bob, deed):
        do, read = deed(world)
        before = read()
        assert "another member of staff has to approve" in do(ann)
        assert read() == before
        proposal = Proposal.objects.get()
        assert (proposal.kind, proposal.asked_by.username) == (DEEDS[deed], "ann")
        [concern] = [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.PROPOSAL]
        assert str(proposal) == concern.subject

        assert "Somebody else has to decide" in act(ann, "wallets/proposal", "approve", proposal.pk)
        assert read() == before
        assert not ProposalRecord.objects.exists()

        assert "is done" in act(bob, "wallets/proposal", "approve", proposal.pk)
        assert read() != before
        record = ProposalRecord.objects.get()
        assert (record.outcome, record.decided_by.username, record.note) == ("done", "bob", "because")
        after = read()
        assert "Somebody has decided" in act(bob, "wallets/proposal", "approve", proposal.pk)
        assert read() == after

    @by_name
    def test_is_done_at_once_and_recorded_where_one_person_suffices(self, world, ann, deed):
        do, read = deed(world)
        before = read()
        assert "another member of staff" not in do(ann)
        assert read() != before
        record = ProposalRecord.objects.get()
        assert (record.outcome, record.asked_by.username, record.decided_by) == ("done", "ann", None)

    @pytest.mark.usefixtures("_two")
    @by_name
    def test_that_is_rejected_is_not_done(self, world, ann, bob, deed):
        do, read = deed(world)
        before = read()
        do(ann)
        act(bob, "wallets/proposal", "reject", Proposal.objects.get().pk)
        assert (read(), ProposalRecord.objects.get().outcome) == (before, "rejected")

    @pytest.mark.usefixtures("_two")
    def test_that_fits_no_more_is_refused_at_the_approval(self, world, ann, bob):
        do, _ = fixed_price(world)
        do(ann)
        Coin.objects.update(fixed_price=5)
        assert "has changed meanwhile" in act(bob, "wallets/proposal", "approve", Proposal.objects.get().pk)
        assert (Coin.objects.get().fixed_price, ProposalRecord.objects.get().outcome) == (5, "refused")

    @pytest.mark.usefixtures("_two")
    def test_is_withdrawn_by_its_author_alone(self, world, ann, bob):
        do, read = fixed_price(world)
        do(ann)
        proposal = Proposal.objects.get()
        assert "Only its author" in act(bob, "wallets/proposal", "withdraw", proposal.pk)
        assert not ProposalRecord.objects.exists()
        act(ann, "wallets/proposal", "withdraw", proposal.pk)
        assert "Somebody has decided" in act(bob, "wallets/proposal", "approve", proposal.pk)
        assert (read(), ProposalRecord.objects.get().outcome) == (Decimal("4.00"), "withdrawn")

    @pytest.mark.usefixtures("_two")
    @pytest.mark.parametrize(
        ("changes", "old", "new"),
        [
            ({"is_sold": "on"}, "ABAN: is sold no", "ABAN: is sold yes"),
            ({"maximum": "1000"}, "ABAN: maximum 100", "ABAN: maximum 1000"),
            ({"minimum": "2", "step": "2"}, "ABAN: minimum 0.00000001, step 0.00000001", "ABAN: minimum 2, step 2"),
        ],
    )
    def test_about_a_coin_shows_the_facts_that_change(self, world, ann, changes, old, new):
        if "is_sold" in changes:
            stop_selling(coin=world.coin)
        world.change_coin(ann, **changes)
        proposal = Proposal.objects.get()
        assert (proposal.old, proposal.new) == (old, new)
        page = ann.get(f"/admin/wallets/proposal/{proposal.pk}/change/").content.decode()
        assert f"/admin/trading/coin/{world.coin.pk}/change/" in page

    @pytest.mark.usefixtures("_two")
    def test_about_a_price_rule_shows_the_terms_that_change(self, world, ann):
        do, _ = price_rule(world)
        do(ann)
        proposal = Proposal.objects.get()
        assert proposal.old == "all coins: spread 0.005, fee 0, an order worth 100.00 costs 100.61 USD"
        assert proposal.new == "all coins: spread 0.01, fee 0.001, an order worth 100.00 costs 101.22 USD"

    @pytest.mark.usefixtures("_two")
    def test_of_a_changed_coin_needs_a_reason(self, world, ann):
        assert "Say why it changes" in world.change_coin(ann, fixed_price="5", reason="")
        assert not Proposal.objects.exists()
        assert Coin.objects.get().fixed_price == 4

    @pytest.mark.usefixtures("_two")
    def test_is_named_in_the_history_as_asked_for(self, world, ann):
        do, _ = fixed_price(world)
        do(ann)
        assert LogEntry.objects.latest("pk").change_message.startswith("Asked for proposal")

    @pytest.mark.usefixtures("_two")
    def test_by_a_command_waits_too(self, world, capsys, monkeypatch):
        give_password(make_chief("ann"), monkeypatch)
        call_command("price_rule", "--spread-rate", "0.02", "--by", "ann", "--password-stdin", "--reason", "because")
        assert "another member of staff" in capsys.readouterr().out
        assert PriceRule.objects.count() == Proposal.objects.count() == 1
        assert not ProposalRecord.objects.exists()


@pytest.mark.usefixtures("_two")
class TestWhatOnlyLessensExposure:
    def is_recorded(self, kind):
        record = ProposalRecord.objects.get()
        return (record.proposal.kind, record.asked_by.username, record.decided_by) == (kind, "ann", None)

    def test_stops_sales_at_once(self, world, ann):
        act(ann, "trading/coin", "stop_selling", world.coin.pk)
        assert not Coin.objects.get().is_sold
        assert self.is_recorded("stop_selling")

    def test_stops_sales_by_the_form_at_once(self, world, ann):
        assert "Say why it changes" in world.change_coin(ann, is_sold="", reason="")
        assert Coin.objects.get().is_sold
        world.change_coin(ann, is_sold="", reason="the network is down")
        assert not Coin.objects.get().is_sold
        assert ProposalRecord.objects.get().proposal.reason == "the network is down"

    def test_lowers_a_maximum_at_once(self, world, ann):
        world.change_coin(ann, maximum="50")
        assert Coin.objects.get().maximum == 50

    def test_lowers_a_sales_limit_at_once(self, world, ann):
        SalesLimit.objects.create(coin=world.coin, most=100, reason="the first")
        ann.post("/admin/trading/saleslimit/add/", {"coin": world.coin.pk, "most": "10", "reason": "because"})
        assert SalesLimit.objects.latest("pk").most == 10

    def test_closes_the_shop_at_once(self, world, ann):
        ann.post("/admin/trading/shop/add/", {"reason": "maintenance"})
        assert not Shop.objects.get().is_open
        assert self.is_recorded("close_shop")

    def test_pauses_at_once(self, world, ann):
        ann.post("/admin/settlement/pause/add/", {"coin": world.coin.pk, "reason": "look"})
        assert Pause.objects.get().set_by.username == "ann"
        assert self.is_recorded("pause")

    def test_freezes_at_once(self, world, ann):
        customer = world.make_shopper().user
        act(ann, "wallets/user", "freeze", customer.pk)
        assert Wallet.objects.get(owner=customer).frozen
        assert self.is_recorded("freeze")

    def test_rejects_a_payout_at_once(self, world, ann):
        pk = waiting_payout(world)
        act(ann, "wallets/payout", "reject", pk, told="Ask us about it.")
        rejected = Payout.objects.get(pk=pk)
        assert (rejected.state, rejected.reason) == ("rejected", "Ask us about it.")
        assert Wallet.objects.get(owner=rejected.customer, asset="USD").balance == 100
        assert (ProposalRecord.objects.get().outcome, Proposal.objects.get().reason) == ("done", "because")

    def test_refunds_a_held_order_at_once(self, world, ann):
        order_id = world.held()
        act(ann, "trading/review", "refund", order_id)
        assert Order.objects.get(pk=order_id).state == "refunded"
        assert self.is_recorded("refund_order")
        with pytest.raises(IntegrityError, match="is decided"), transaction.atomic():
            Review.objects.update(note="another reason")
        with by_owner(), pytest.raises(IntegrityError, match="is decided"), transaction.atomic():
            Review.objects.all()._raw_delete("default")

    def test_rejects_a_statement_at_once(self, world, ann):
        content = camt(entry("5", reference="b"), closing="5")
        statement = import_file(content, by=User.objects.create_user("importer", is_staff=True)).statement
        act(ann, "wallets/statement", "reject", statement.pk)
        assert Statement.objects.get().state == "rejected"
        assert self.is_recorded("reject_statement")

    def test_sends_a_link_for_a_new_password_at_once(self, world, ann):
        carl = User.objects.create_user("carl", email="carl@example.com")
        act(ann, "wallets/user", "send_reset_link", carl.pk)
        assert SecurityEvent.objects.filter(kind="reset_sent", user=carl).exists()
        assert self.is_recorded("reset_link")

    def test_deletes_a_group_at_once(self, world, ann):
        group = Group.objects.create(name="chiefs")
        group.permissions.add(Permission.objects.get(codename="freeze_user"))
        assert ann.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403
        act(ann, "auth/group", "delete_groups", group.pk)
        assert not Group.objects.filter(pk=group.pk).exists()
        event = SecurityEvent.objects.get(kind="permissions_changed")
        assert event.details == {"group": "chiefs", "old": ["wallets.freeze_user"], "new": []}
        assert self.is_recorded("group_deletion")

    @pytest.mark.parametrize(("kind", "action"), [(FindingKind.EXTRA, "not_ours"), (FindingKind.LEDGER, "close")])
    def test_closes_a_finding_at_once(self, world, ann, kind, action):
        finding = raise_finding(contradiction=Contradiction(kind=kind, subject="order x 1"), now=clock.now())
        act(ann, "settlement/finding", action, finding.pk)
        finding.refresh_from_db()
        assert (finding.closed_by.username, finding.note) == ("ann", "because")
        assert self.is_recorded("close_finding")
        act(ann, "settlement/finding", action, finding.pk, reason="again")
        assert Proposal.objects.count() == 1

    def test_exports_what_others_have_approved(self, world, settings):
        pk = waiting_payout(world)
        with by_owner():
            Payout.objects.filter(pk=pk).update(state="approved", approved_at=clock.now())
        pay_from(settings)
        assert export_payouts(by=make_chief("ann")).files
        assert self.is_recorded("export_payouts")

    def test_looks_up_at_the_venue_at_once(self, world, ann):
        act(ann, "settlement/batch", "look_up", world.batch().pk)
        assert Intervention.objects.get().action == InterventionAction.LOOK_UP

    def test_accepts_a_small_jump_at_once(self, world, ann):
        Coin.objects.update(fixed_price=None)
        for _ in range(4):
            record_price(coin=world.coin, value=Decimal("4.40"), source="binance", now=clock.now())
        act(ann, "trading/coin", "accept_suspect_price", world.coin.pk, price="4.40")
        assert CoinPrice.objects.get().value == Decimal("4.40")

    def test_gives_small_sums_at_once_until_they_are_large_together(self, world, ann, bob, settings):
        configure(settings, "PROPOSALS", kinds={"goodwill": Decimal(10)})
        wallet = world.make_shopper().wallet
        for amount, standing in (("6.00", 106), ("4.00", 110), ("0.01", 110)):
            act(ann, "wallets/wallet", "give_goodwill", wallet.pk, amount=amount)
            assert Wallet.objects.get(pk=wallet.pk).balance == standing
        assert Proposal.objects.get(needs_two=True).amount == Decimal("0.01")
        act(bob, "wallets/wallet", "give_goodwill", wallet.pk, amount="10.00")
        assert Wallet.objects.get(pk=wallet.pk).balance == 120

    def test_releases_a_small_order_at_once(self, world, ann, settings):
        configure(settings, "PROPOSALS", kinds={"release_order": Decimal("12.00")})
        act(ann, "trading/review", "release", world.held())
        assert Order.objects.get().state == "pending"

    def test_mends_a_shop_that_can_sell_nothing(self, world, settings, monkeypatch):
        configure(settings, "VENUE", taker_rate=Decimal("0.006"))
        give_password(make_chief("ann"), monkeypatch)
        call_command("price_rule", "--spread-rate", "0.01", "--by", "ann", "--password-stdin", "--reason", "because")
        assert PriceRule.objects.latest("pk").spread_rate == Decimal("0.01")


@pytest.mark.usefixtures("_two")
class TestPowers:
    def change(self, client, user, **fields):
        data = {"username": user.username, "email": "", "reason": "because", **fields}
        return client.post(f"/admin/wallets/user/{user.pk}/change/", data, follow=True).content.decode()

    def test_are_taken_at_once(self, ann):
        carl = User.objects.create_user("carl", is_staff=True)
        carl.groups.add(Group.objects.create(name="chiefs"))
        self.change(ann, carl)
        carl.refresh_from_db()
        assert (carl.is_active, carl.is_staff, carl.groups.count()) == (False, False, 0)

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_change_for_a_reason(self, ann, reason):
        carl = User.objects.create_user("carl", verified_email="carl@example.com")
        group = Group.objects.create(name="chiefs")
        may_freeze = [Permission.objects.get(codename="freeze_user").pk]
        assert "Say why" in self.change(ann, carl, is_active="on", is_staff="on", reason=reason)
        for path, name in ((f"{group.pk}/change/", "chiefs"), ("add/", "others")):
            data = {"name": name, "permissions": may_freeze, "reason": reason}
            assert "Say why" in ann.post(f"/admin/auth/group/{path}", data, follow=True).content.decode()
        assert not Proposal.objects.exists()
        assert Group.objects.exclude(name__in=ROLES).get() == group
        assert "Say why the name changes" in self.change(ann, carl, is_active="on", first_name="Carl", reason=reason)
        assert "Say why" not in self.change(ann, carl, is_active="on", username="carlo", reason=reason)
        assert User.objects.get(username="carlo").first_name == ""

    def test_are_not_given_to_oneself(self):
        own, ann = User.objects.create_superuser("cleo"), Client()
        ann.force_login(own)
        fields = {"is_active": "on", "is_staff": "on", "is_superuser": "on"}
        shown = self.change(ann, own, **fields, user_permissions=[Permission.objects.first().pk])
        assert "Somebody else has to decide" in shown
        assert not own.user_permissions.exists()
        assert not Proposal.objects.exists()

    def test_are_approved_by_superusers_alone(self, ann):
        carl = User.objects.create_user("carl", verified_email="carl@example.com")
        self.change(ann, carl, is_active="on", is_staff="on")
        manager = User.objects.create_user("manager", is_staff=True)
        wanted = Permission.objects.filter(codename__in=["decide_proposal", "view_proposal"])
        manager.user_permissions.set(wanted)
        client = Client()
        client.force_login(manager)
        assert "Only superusers approve" in act(client, "wallets/proposal", "approve", Proposal.objects.get().pk)
        carl.refresh_from_db()
        assert (carl.is_staff, ProposalRecord.objects.get().outcome) == (False, "refused")

    def test_of_a_disabled_customer_wait(self, ann, bob):
        carl = User.objects.create_user("carl", is_active=False)
        self.change(ann, carl, is_active="on")
        carl.refresh_from_db()
        assert not carl.is_active
        act(bob, "wallets/proposal", "approve", Proposal.objects.get().pk)
        carl.refresh_from_db()
        assert carl.is_active


# What each action and each form of the admin does: two persons, or why one suffices. Keep it complete: a new row here
# is a decision about who may do that alone.
LESSENS, MOVES_NOTHING = "lessens exposure", "moves nothing"
TWO = "two persons"
ACTIONS = {
    ("wallets.user", "freeze"): LESSENS,
    ("wallets.user", "unfreeze"): TWO,
    ("wallets.user", "send_reset_link"): MOVES_NOTHING,
    ("wallets.breakglass", "revoke"): LESSENS,
    ("auth.group", "delete_groups"): LESSENS,
    ("wallets.deposit", "assign"): TWO,
    ("wallets.deposit", "send_back"): TWO,
    ("wallets.statement", "credit"): TWO,
    ("wallets.statement", "reject"): MOVES_NOTHING,
    ("wallets.proposal", "approve"): TWO,
    ("wallets.proposal", "reject"): MOVES_NOTHING,
    ("wallets.proposal", "withdraw"): MOVES_NOTHING,
    ("trading.coin", "stop_selling"): LESSENS,
    ("trading.coin", "sell_again"): TWO,
    ("trading.coin", "accept_suspect_price"): TWO,
    ("trading.review", "release"): TWO,
    ("trading.review", "refund"): LESSENS,
    ("trading.salesstop", "let_sales_go_on"): TWO,
    ("trading.suspension", "mark_seen"): MOVES_NOTHING,
    ("settlement.batch", "look_up"): MOVES_NOTHING,
    ("settlement.batch", "retry"): TWO,
    ("settlement.batch", "refund"): TWO,
    ("settlement.batch", "mark_filled"): TWO,
    ("settlement.batch", "mark_not_placed"): TWO,
    ("settlement.batch", "book_excess"): TWO,
    ("settlement.finding", "close"): MOVES_NOTHING,
    ("settlement.finding", "adopt"): TWO,
    ("settlement.finding", "not_ours"): MOVES_NOTHING,
    ("settlement.balancereading", "open"): TWO,
    ("settlement.pause", "lift"): TWO,
    ("procrastinate.procrastinatejob", "retry_failed"): MOVES_NOTHING,
    ("wallets.payout", "approve"): TWO,
    ("wallets.payout", "reject"): LESSENS,
    ("wallets.payout", "mark_paid"): TWO,
    ("wallets.payout", "mark_failed"): TWO,
    ("wallets.payout", "mark_returned"): TWO,
    ("wallets.deposit", "take_back"): TWO,
    ("wallets.return", "take"): TWO,
    ("wallets.return", "put_aside"): TWO,
    ("wallets.return", "win_back"): TWO,
    ("wallets.return", "mark_as_seen"): MOVES_NOTHING,
    ("wallets.statementline", "explain"): TWO,
    ("wallets.statementline", "charge"): TWO,
    ("wallets.deposit", "came_back"): TWO,
    ("wallets.transaction", "correct"): TWO,
    ("wallets.wallet", "give_goodwill"): TWO,
    ("wallets.receivable", "repurchase"): TWO,
    ("wallets.receivable", "write_off"): TWO,
}
FORMS = {
    ("auth.group", "add"): TWO,
    ("auth.group", "change"): TWO,
    ("wallets.user", "add"): MOVES_NOTHING,
    ("wallets.user", "change"): TWO,
    ("wallets.deposit", "add"): TWO,
    ("trading.coin", "add"): TWO,
    ("trading.coin", "change"): TWO,
    ("trading.pricerule", "add"): TWO,
    ("trading.saleslimit", "add"): TWO,
    ("trading.shop", "add"): LESSENS,
    ("trading.shop", "change"): TWO,
    ("settlement.pause", "add"): LESSENS,
    ("settlement.accountmove", "add"): TWO,
    ("settlement.venueentry", "change"): TWO,
}
COMMANDS = {
    "price_rule": TWO,
    "import_statement": TWO,
    "after_restore": TWO,
    "export_payouts": TWO,
    "close_customer": LESSENS,
}
# `reconcile` books what the venue says, as a periodic job does. The first line gives or takes powers, and is refused where
# they need two persons, or waits a day; so is the seeder once somebody has money: see tests/wallets/test_staff.py.
WITHOUT_MONEY = {
    "bootstrap_staff", "break_glass", "export_customer", "erase_closed", "changepassword", "check", "createsuperuser",
    "reconcile", "result", "verify_ledger", "configuration", "database_roles", "dbshell", "exchange_simulator", "flush",
    "loaddata", "makemigrations", "migrate", "openapi", "procrastinate", "runserver", "rotate_keys", "seeder",
    "show_urls", "sqlflush", "sqlmigrate", "venue_check", "write_baseline",
}  # fmt: skip


class TestTheAdmin:
    def test_has_no_action_that_is_not_listed(self):
        actions = {
            (model._meta.label_lower, action if isinstance(action, str) else action.__name__)
            for model, page in admin.site._registry.items()
            for action in page.actions or ()
        }
        assert actions == ACTIONS.keys()

    def test_writes_the_values_of_every_filter_in_one_way(self, ann):
        make_coin("ABAN", "4.00")
        names = set()
        for model, page in admin.site._registry.items():
            if page.list_filter:
                shown = ann.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/").content.decode()
                shown = re.sub(
                    r'data-filter-title="(?:coin|currency|asset|queue.name|task.name)".*?</details>',
                    "",
                    shown,
                    flags=re.DOTALL,
                )
                names |= set(re.findall(r'<a href="\?[^"]*">([^<]+)</a>', shown.split('id="changelist-filter"')[1]))
        assert {"Waits for approval", "Price improvement", "Taken back", "API", "Sent back"} <= names
        assert {name for name in names if name not in {"API", "USD"} and name != name.capitalize()} == set()

    def test_has_no_form_that_is_not_listed(self, ann):
        request = RequestFactory().get("/")
        request.user = User.objects.get(username="ann")
        forms = {
            (model._meta.label_lower, kind)
            for model, page in admin.site._registry.items()
            for kind, may in (("add", page.has_add_permission), ("change", page.has_change_permission))
            if may(request)
        }
        assert forms == FORMS.keys()

    def test_has_no_command_that_is_not_listed(self):
        ours = {
            name for name, app in get_commands().items() if app in {"exchange_site", "wallets", "trading", "settlement"}
        }
        assert ours == COMMANDS.keys() | WITHOUT_MONEY


# What the words of the matrix of roles mean.
SEEN = {
    "customers": {"wallets.view_user"},
    "wallets": {"wallets.view_wallet"},
    "movements": {"wallets.view_transaction"},
    "orders": {"trading.view_order"},
    "proposals": {"wallets.view_proposal"},
    "reviews": {"trading.view_review"},
    "the security log": {"wallets.view_securityevent"},
    "deposits": {"wallets.view_deposit"},
    "bank statements": {"wallets.view_statement", "wallets.view_statementline"},
    "returns": {"wallets.view_return"},
    "debts": {"wallets.view_receivable"},
    "payouts": {"wallets.view_payee", "wallets.view_payout", "wallets.view_payoutfile"},
    "the shop": {
        f"trading.view_{name}"
        for name in ("coin", "pricerule", "saleslimit", "headroom", "salesstop", "suspension", "dayloss")
    },
    "its switch": {"trading.view_shop"},
    "settlement": {
        f"settlement.view_{name}"
        for name in (
            "batch", "attempt", "intervention", "finding", "pause", "excess", "venueaccount", "balancereading",
            "accountmove", "databasewatch", "failingitem", "venueentry",
        )
    },
}  # fmt: skip


class TestRoles:
    @pytest.fixture(autouse=True)
    def _roles(self, db):
        make_roles_after_migrate(using="default")

    def test_are_groups_with_their_permissions(self):
        held = {
            group.name: {
                f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")
            }
            for group in Group.objects.all()
        }
        assert held == {name: set(wanted) for name, wanted in ROLES.items()}

    def test_are_renewed_where_they_are_as_an_earlier_release_made_them(self, monkeypatch):
        group, view = Group.objects.get(name="support"), Permission.objects.get(codename="view_order")
        group.permissions.set([view, Permission.objects.get(codename="decide_payout")])
        earlier = digest_of(["trading.view_order", "wallets.decide_payout"])
        monkeypatch.setitem(GIVEN, "support", (earlier, *GIVEN["support"]))
        make_roles_after_migrate(using="default")
        assert set(list_permissions(group)) == {*ROLES["support"]}
        event = SecurityEvent.objects.get()
        assert (event.kind, event.details["group"]) == ("permissions_changed", "support")
        assert "wallets.decide_payout" in event.details["old"]
        make_roles_after_migrate(using="default")
        assert SecurityEvent.objects.count() == 1

    def test_that_superusers_have_made_what_they_were_before_stay_so(self, monkeypatch):
        group, boss = Group.objects.get(name="support"), User.objects.create_superuser("boss")
        fewer = sorted({*ROLES["support"]} - {"wallets.freeze_user"})
        payload = GROUP_PERMISSIONS.payload_of(group=group, new=fewer)
        propose(kind=GROUP_PERMISSIONS.name, payload=payload, reason="others freeze", asked_by=boss)
        monkeypatch.setitem(GIVEN, "support", (digest_of(fewer), *GIVEN["support"]))
        make_roles_after_migrate(using="default")
        assert list_permissions(group) == fewer

    def test_are_known_to_later_releases(self):
        """If this fails, ROLES has changed: append the new digests to GIVEN, and change none that is there."""
        assert {name: digest_of(held) for name, held in ROLES.items()} == {
            name: given[-1] for name, given in GIVEN.items()
        }

    def test_that_somebody_else_has_made_stay_as_they_are(self):
        group = Group.objects.get(name="finance")
        group.permissions.set([Permission.objects.get(codename="view_order")])
        make_roles_after_migrate(using="default")
        assert list_permissions(group) == ["trading.view_order"]
        assert not SecurityEvent.objects.exists()

    def test_stay_as_superusers_have_changed_them(self):
        Group.objects.get(name="support").permissions.clear()
        make_roles_after_migrate(using="default")
        assert not Group.objects.get(name="support").permissions.exists()

    def test_are_those_of_the_documents(self):
        section = (PROJECT / "docs/security.md").read_text().split("### Roles")[1].split("\n## ")[0]
        table = re.findall(r"^\| `(\w+)` \| .+? \| (.+?) \|$", section, re.MULTILINE)
        documented = {name: set(re.findall(r"`([\w.]+)`", cell)) for name, cell in table}
        assert documented == {name: {each for each in wanted if ".view_" not in each} for name, wanted in ROLES.items()}

    def test_see_what_the_documents_say(self):
        section = (PROJECT / "docs/security.md").read_text().split("### Roles")[1].split("\n## ")[0]
        cells = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", section, re.MULTILINE))
        documented = {
            role: {each for words in cell.split(", ") for each in SEEN[words]} for role, cell in cells.items()
        }
        assert documented == {role: {each for each in held if ".view_" in each} for role, held in ROLES.items()}

    def test_ask_for_the_deeds_of_the_documents_and_approve_them(self):
        section = (PROJECT / "docs/security.md").read_text().split("### Who asks for what")[1].split("\n### ")[0]
        documented = {}
        for row in re.findall(r"^\| (`.+) \| (.+) \| (.+) \|$", section, re.MULTILINE):
            deeds, askers, approvers = (set(re.findall(r"`(\w+)`", cell)) for cell in row)
            documented |= dict.fromkeys(deeds, (askers, approvers))
        of_superusers = {"powers", "group_permissions"}
        may_decide = {name for name, held in ROLES.items() if MAY_DECIDE in held}
        actual = {
            name: (
                {role for role, held in ROLES.items() if {*held} & {*kind.permissions}},
                set() if name in of_superusers else may_decide,
            )
            for name, kind in registered_kinds().items()
            if not kind.only_lessens
        }
        assert documented == actual

    @pytest.mark.parametrize("role", ROLES)
    def test_open_only_the_pages_of_their_permissions(self, role):
        staff = User.objects.create_user(role, is_staff=True)
        staff.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(staff)
        for model in admin.site._registry:
            app, name = model._meta.app_label, model._meta.model_name
            allowed = name == "breakglass" or {f"{app}.view_{name}", f"{app}.change_{name}"} & {*ROLES[role]}
            assert client.get(f"/admin/{app}/{name}/").status_code == (200 if allowed else 403), (role, name)

    @by_name
    def test_are_needed_by_superusers_too(self, world, deed):
        """A superuser without a role gives powers, and does no other deed, also where one person suffices."""
        do, read = deed(world)
        before, client = read(), Client()
        client.force_login(User.objects.create_superuser("boss"))
        do(client)
        of_powers = registered_kinds()[DEEDS[deed]].of_powers
        assert (read() != before, ProposalRecord.objects.exists()) == (of_powers, of_powers)

    @pytest.mark.usefixtures("_two")
    @by_name
    def test_are_needed_by_superusers_who_approve(self, world, ann, deed):
        do, read = deed(world)
        before, client = read(), Client()
        client.force_login(User.objects.create_superuser("boss"))
        do(ann)
        proposal = Proposal.objects.get()
        page = client.get(f"/admin/wallets/proposal/{proposal.pk}/change/").content.decode()
        act(client, "wallets/proposal", "approve", proposal.pk)
        of_powers = registered_kinds()[DEEDS[deed]].of_powers
        assert (read() != before, ProposalRecord.objects.exists()) == (of_powers, of_powers)
        assert ('value="approve"' in page) == of_powers

    @pytest.mark.usefixtures("_two")
    @by_name
    def test_do_no_deed_alone(self, world, deed):
        """Each role tries the deed, and then tries to approve its own proposal."""
        do, read = deed(world)
        before = read()
        for role in ROLES:
            staff = User.objects.create_user(role, is_staff=True)
            staff.groups.add(Group.objects.get(name=role))
            client = Client()
            client.force_login(staff)
            do(client)
            for proposal in Proposal.objects.filter(asked_by=staff):
                act(client, "wallets/proposal", "approve", proposal.pk)
            assert read() == before, role
        assert not ProposalRecord.objects.exists()
