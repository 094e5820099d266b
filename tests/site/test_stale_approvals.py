"""An approval is about what somebody asked for, not about what looks like it later."""

from copy import copy
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from model_bakery import baker

from exchange_site.configuration.persons import KINDS
from settlement.models import Attempt, AttemptState, Batch, BatchState, InterventionAction, VenueEntry
from settlement.services.proposals import INTERVENTION
from settlement.services.proposals_of_venues import VENUE
from tests.configure import configure
from tests.processes import at_once
from tests.staff import make_chief
from tests.wallets.payees import add
from tests.wallets.payees import ask as ask_for_payout
from tests.wallets.returned import owed, receive, spend, take
from trading.models import Coin, CoinPrice, SalesStop, Shop
from trading.services.coins import open_or_close_shop, sell_again, stop_selling
from trading.services.prices import record_price
from trading.services.proposing.coins import COIN_LIMITS, PUT_ON_SALE
from trading.services.proposing.kinds import OPEN_SHOP, SALES_GO_ON, SUSPECT_PRICE
from wallets.models import (
    Deposit,
    Payout,
    PayoutState,
    Proposal,
    ProposalRecord,
    Return,
    Transaction,
    TransactionKind,
    User,
    Wallet,
)
from wallets.runtime import clock
from wallets.services.accounts import freeze_within_transaction, unfreeze_within_transaction
from wallets.services.correcting import correct_movement
from wallets.services.customer_names import CUSTOMER_NAME
from wallets.services.deposit_kinds import ASSIGNMENT, SEND_BACK
from wallets.services.money_kinds import PUT_ASIDE, WRITE_OFF
from wallets.services.payouts.kinds import PAYOUT_OUTCOME
from wallets.services.payouts.line_kinds import CAME_BACK
from wallets.services.payouts.outcomes import approve_payout, note_outcome
from wallets.services.proposals import approve, propose
from wallets.services.proposing import GROUP_PERMISSIONS, UNFREEZE, USER_POWERS
from wallets.services.security_log import list_permissions, read_powers, record_power_changes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two(settings):
    configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))


@pytest.fixture
def ann(db):
    return make_chief("ann")


@pytest.fixture
def bob(db):
    return make_chief("bob")


@pytest.fixture
def ask(ann):
    def ask(kind, payload):
        proposal = propose(kind=kind.name, payload=payload, reason="because", asked_by=ann)
        return Proposal.objects.get(pk=proposal.pk)

    return ask


@pytest.fixture
def decide(bob):
    def decide(proposal):
        return approve(proposal_id=proposal.pk, approved_by=bob).outcome

    return decide


class TestUnfreezing:
    def is_frozen(self, customer):
        return Wallet.objects.get(owner=customer, asset="USD").frozen

    def test_is_done_once_it_is_approved(self, make_shopper, ask, decide):
        customer = make_shopper().user
        freeze_within_transaction(owner_id=customer.pk)
        assert decide(ask(UNFREEZE, UNFREEZE.payload_of(owner_id=customer.pk))) == "done"
        assert not self.is_frozen(customer)

    def test_is_refused_if_the_customer_was_frozen_again(self, make_shopper, ask, decide):
        customer = make_shopper().user
        freeze_within_transaction(owner_id=customer.pk)
        asked = ask(UNFREEZE, UNFREEZE.payload_of(owner_id=customer.pk))
        unfreeze_within_transaction(owner_id=customer.pk)
        freeze_within_transaction(owner_id=customer.pk)
        assert decide(asked) == "refused"
        assert self.is_frozen(customer)

    def test_is_refused_if_a_frozen_customer_is_frozen_for_another_reason(self, make_shopper, ask, decide):
        customer = make_shopper().user
        freeze_within_transaction(owner_id=customer.pk)
        asked = ask(UNFREEZE, UNFREEZE.payload_of(owner_id=customer.pk))
        freeze_within_transaction(owner_id=customer.pk)
        assert decide(asked) == "refused"
        assert self.is_frozen(customer)


class TestTheShop:
    def test_opens_once_it_is_approved(self, coin, ask, decide):
        open_or_close_shop(is_open=False, reason="a")
        assert decide(ask(OPEN_SHOP, OPEN_SHOP.payload_of(reason="b"))) == "done"
        assert Shop.objects.get().is_open

    @pytest.mark.parametrize("reason", ["the same", "another one"])
    def test_stays_closed_if_it_was_closed_again(self, coin, ask, decide, reason):
        open_or_close_shop(is_open=False, reason="the same")
        asked = ask(OPEN_SHOP, OPEN_SHOP.payload_of(reason="b"))
        open_or_close_shop(is_open=False, reason=reason)
        assert decide(asked) == "refused"
        assert not Shop.objects.get().is_open


class TestACoin:
    def test_is_sold_again_once_it_is_approved(self, coin, ask, decide):
        stop_selling(coin=coin)
        assert decide(ask(PUT_ON_SALE, self.selling(coin))) == "done"
        assert Coin.objects.get().is_sold

    def test_stays_off_sale_if_its_sale_was_stopped_again(self, coin, ask, decide):
        stop_selling(coin=coin)
        asked = ask(PUT_ON_SALE, self.selling(coin))
        sell_again(coin=coin)
        stop_selling(coin=coin)
        assert decide(asked) == "refused"
        assert not Coin.objects.get().is_sold

    def test_keeps_a_limit_that_was_lowered_after_it_was_raised(self, coin, ask, decide):
        Coin.objects.update(maximum=10)
        first, second = ask(COIN_LIMITS, self.limit(20)), ask(COIN_LIMITS, self.limit(20))
        assert decide(first) == "done"
        ask(COIN_LIMITS, self.limit(10))  # which waits for nobody
        assert decide(second) == "refused"
        assert Coin.objects.get().maximum == 10

    def selling(self, coin):
        before = Coin.objects.get(pk=coin.pk)
        after = copy(before)
        after.is_sold = True
        return PUT_ON_SALE.payload_of(before=before, after=after)

    def limit(self, maximum):
        before = Coin.objects.get()
        after = copy(before)
        after.maximum = Decimal(maximum)
        return COIN_LIMITS.payload_of(before=before, after=after)


class TestALimitOfACoinWithoutOne:
    """Such a coin sells what ORDER_MAXIMUM dollars buy: 1,000 of them buy 250 coins at 4.00."""

    @pytest.mark.parametrize(("maximum", "waits"), [("1000000000", True), ("251", True), ("250", False), ("1", False)])
    def test_waits_unless_it_is_lower_now(self, coin, ask, settings, maximum, waits):
        configure(settings, "PRICES", order_maximum=Decimal(1000))
        assert ask(COIN_LIMITS, TestACoin().limit(maximum)).needs_two is waits
        assert Coin.objects.get().maximum == (None if waits else Decimal(maximum))

    def test_waits_if_nobody_knows_the_price(self, coin, ask):
        Coin.objects.update(fixed_price=None)
        CoinPrice.objects.update(read_at=clock.now() - timedelta(days=1))
        assert ask(COIN_LIMITS, TestACoin().limit("0.5")).needs_two
        assert Coin.objects.get().maximum is None


class TestSalesAfterAStop:
    def test_do_not_go_on_after_another_stop(self, coin, ask, decide, settings):
        configure(settings, "LOSSES", per_day=Decimal(100))
        now = clock.now()
        stop = SalesStop.objects.create(day=now.date(), loss=200, ceiling=100, stopped_at=now)
        payload = SALES_GO_ON.payload_of(stop=SalesStop.objects.get(), further=Decimal(50), reason="because")
        asked = ask(SALES_GO_ON, payload)
        SalesStop.objects.filter(pk=stop.pk).update(ceiling=150, loss=250, stopped_at=clock.now())
        assert decide(asked) == "refused"
        assert SalesStop.objects.get().stopped_at is not None


class TestPowers:
    def test_of_a_user_who_was_disabled_again_are_not_given_back(self, ask, decide):
        carl = User.objects.create_user("carl", is_active=False)
        asked = ask(USER_POWERS, USER_POWERS.payload_of(user=carl, new=read_powers(carl) | {"is_active": True}))
        for is_active in (True, False):
            before = read_powers(carl)
            carl.is_active = is_active
            carl.save(update_fields=["is_active"])
            record_power_changes(user=carl, before=before)
        assert decide(asked) == "refused"
        carl.refresh_from_db()
        assert not carl.is_active

    def test_of_a_group_that_were_taken_again_are_not_given_back(self, ask, decide):
        group = Group.objects.create(name="chiefs")
        wanted = GROUP_PERMISSIONS.payload_of(group=group, new=["wallets.freeze_user"])
        first, second = ask(GROUP_PERMISSIONS, wanted), ask(GROUP_PERMISSIONS, wanted)
        assert decide(first) == "done"
        ask(GROUP_PERMISSIONS, GROUP_PERMISSIONS.payload_of(group=group, new=[]))
        assert decide(second) == "refused"
        assert list_permissions(group) == []


class TestASuspectPrice:
    """Beyond 20 % staff need two persons: 4.00 becomes 4.81, which is not 4.79."""

    @pytest.fixture
    def jumped(self, coin, settings):
        configure(settings, "PRICES", deviation_limit=Decimal("0.20"))
        Coin.objects.update(fixed_price=None)
        for _ in range(4):
            record_price(coin=coin, value=Decimal("4.81"), source="binance", now=clock.now())
        return coin

    def test_is_judged_by_what_is_sold_and_not_by_what_a_form_says(self, jumped, ask):
        asked = ask(SUSPECT_PRICE, SUSPECT_PRICE.payload_of(coin=jumped, expected=Decimal("4.79")))
        assert asked.needs_two
        assert CoinPrice.objects.get().value == 4
        assert not ProposalRecord.objects.exists()

    def test_is_not_accepted_for_an_earlier_suspension(self, jumped, ask, decide):
        asked = ask(SUSPECT_PRICE, SUSPECT_PRICE.payload_of(coin=jumped, expected=Decimal("4.81")))
        CoinPrice.objects.update(suspended_at=clock.now())
        assert decide(asked) == "refused"
        assert CoinPrice.objects.get().value == 4


class TestADepositOfNobody:
    """Staff may have asked twice, or by two ways. A correction makes the deposit one of nobody again."""

    @pytest.fixture
    def deposit(self, now):
        return receive(None, now)

    @pytest.fixture
    def corrected(self, deposit, make_shopper, ask, decide, ann):
        """Assign the deposit, and correct that."""

        def run():
            payload = ASSIGNMENT.payload_of(deposit=deposit, customer_id=make_shopper().user.pk, note="")
            assert decide(ask(ASSIGNMENT, payload)) == "done"
            movement = Transaction.objects.get(kind=TransactionKind.DEPOSIT, reference=f"deposit:{deposit.pk}:assigned")
            correct_movement(movement_id=movement.pk, by=ann, approved_by=None, note="another customer's")

        return run

    def test_is_assigned_once_it_is_approved(self, deposit, make_shopper, ask, decide):
        payload = ASSIGNMENT.payload_of(deposit=deposit, customer_id=make_shopper().user.pk, note="")
        assert decide(ask(ASSIGNMENT, payload)) == "done"

    def test_is_not_assigned_once_more_after_a_correction(self, deposit, make_shopper, ask, decide, corrected):
        shopper = make_shopper()
        asked = ask(ASSIGNMENT, ASSIGNMENT.payload_of(deposit=deposit, customer_id=shopper.user.pk, note=""))
        corrected()
        assert decide(asked) == "refused"
        assert shopper.wallet.balance == 100
        deposit.refresh_from_db()
        assert (
            decide(ask(ASSIGNMENT, ASSIGNMENT.payload_of(deposit=deposit, customer_id=shopper.user.pk, note="")))
            == "done"
        )

    def test_is_not_sent_back_for_a_reason_from_before_a_correction(self, deposit, ask, decide, corrected):
        asked = ask(SEND_BACK, SEND_BACK.payload_of(deposit=deposit, note=""))
        corrected()
        assert decide(asked) == "refused"
        assert Deposit.objects.get(pk=deposit.pk).state == "unassigned"

    def test_is_no_payout_by_a_word_from_before_a_correction(self, deposit, sent, ask, decide, corrected):
        asked = ask(CAME_BACK, CAME_BACK.payload_of(deposit=deposit, payout_id=sent.pk, note=""))
        corrected()
        assert decide(asked) == "refused"
        assert Payout.objects.get().state == PayoutState.SENT


@pytest.fixture
def sent(make_shopper):
    """A payout that was sent."""
    shopper = make_shopper()
    add(shopper)
    payout = ask_for_payout(shopper, "30.00")
    with transaction.atomic():
        approve_payout(payout_id=payout.pk)
    Payout.objects.filter(pk=payout.pk).update(state=PayoutState.SENT, sent_at=clock.now())
    return Payout.objects.get(pk=payout.pk)


def note(**outcome):
    with transaction.atomic():
        note_outcome(**outcome)


class TestTheOutcomeOfAPayout:
    def outcome(self, payout, becomes):
        payout.refresh_from_db()
        return PAYOUT_OUTCOME.payload_of(payout=payout, becomes=becomes)

    def test_is_noted_once_it_is_approved(self, sent, ask, decide):
        assert decide(ask(PAYOUT_OUTCOME, self.outcome(sent, PayoutState.PAID))) == "done"
        assert decide(ask(PAYOUT_OUTCOME, self.outcome(sent, PayoutState.RETURNED))) == "done"
        assert decide(ask(PAYOUT_OUTCOME, self.outcome(sent, PayoutState.PAID))) == "done"

    def test_credits_the_customer_not_once_more_by_an_earlier_word(self, sent, ask, decide):
        note(payout_id=sent.pk, outcome=PayoutState.PAID)
        asked = ask(PAYOUT_OUTCOME, self.outcome(sent, PayoutState.RETURNED))
        note(payout_id=sent.pk, outcome=PayoutState.RETURNED)
        note(payout_id=sent.pk, outcome=PayoutState.PAID)
        assert decide(asked) == "refused"
        assert Wallet.objects.get(owner=sent.customer, asset="USD").balance == 70

    def test_is_not_the_return_as_a_deposit_of_before(self, sent, ask, decide, now):
        deposit = receive(None, now)
        asked = ask(CAME_BACK, CAME_BACK.payload_of(deposit=deposit, payout_id=sent.pk, note=""))
        note(payout_id=sent.pk, outcome=PayoutState.RETURNED)
        note(payout_id=sent.pk, outcome=PayoutState.PAID)
        assert decide(asked) == "refused"
        assert Deposit.objects.get(pk=deposit.pk).state == "unassigned"


class TestADebt:
    def test_is_not_written_off_once_more(self, make_shopper, now, ask, decide):
        shopper = make_shopper()
        first, second = receive(shopper, now), receive(shopper, now, reference="line 2")
        spend(shopper, "150.00")
        take(first, now)
        asked = [
            ask(WRITE_OFF, WRITE_OFF.payload_of(customer_id=shopper.user.pk, amount=Decimal(25))) for _ in range(2)
        ]
        assert decide(asked[0]) == "done"
        take(second, now, reference="r2")
        assert decide(asked[1]) == "refused"
        assert owed(shopper) == 25
        assert decide(ask(WRITE_OFF, WRITE_OFF.payload_of(customer_id=shopper.user.pk, amount=Decimal(25)))) == "done"

    def test_is_written_off_once_if_two_approve_at_once(self, make_shopper, now, ask, decide):
        shopper = make_shopper()
        first = receive(shopper, now)
        spend(shopper, "125.00")
        take(first, now)
        half = owed(shopper) / 2
        asked = [ask(WRITE_OFF, WRITE_OFF.payload_of(customer_id=shopper.user.pk, amount=half)) for _ in range(2)]
        assert sorted(at_once(2, lambda number: decide(asked[number]))) == ["done", "refused"]
        assert owed(shopper) == half


class TestAReturnThatWaits:
    def test_is_not_put_aside_again_after_it_was_there_once_more(self, ask, decide, now):
        row = Return.objects.create(amount=5, source="X", reference="r", received_at=now, state="waiting")
        asked = [ask(PUT_ASIDE, PUT_ASIDE.payload_of(return_id=row.pk)) for _ in range(2)]
        assert decide(asked[0]) == "done"
        Return.objects.filter(pk=row.pk).update(seen_at=None, seen_by=None, note="its deposit has come")
        assert decide(asked[1]) == "refused"
        assert Return.objects.get().seen_at is None


class TestANameOfACustomer:
    def test_is_not_given_again_after_it_was_taken(self, make_shopper, ask, decide):
        user = make_shopper().user

        def rename(first):
            return ask(
                CUSTOMER_NAME,
                CUSTOMER_NAME.payload_of(user=User.objects.get(pk=user.pk), new={"first_name": first, "last_name": ""}),
            )

        asked = [rename("Mallory"), rename("Mallory")]
        assert decide(asked[0]) == "done"
        assert decide(rename("")) == "done"
        assert decide(asked[1]) == "refused"
        assert User.objects.get(pk=user.pk).first_name == ""


class TestAVenue:
    def test_is_not_used_again_after_it_was_put_out_of_use(self, db, ask, decide):
        venue = VenueEntry.objects.create(name="kraken", priority=2, state="not_used")

        def change(state):
            return ask(VENUE, VENUE.payload_of(venue=VenueEntry.objects.get(pk=venue.pk), priority=3, state=state))

        asked = [change("in_use"), change("in_use")]
        assert decide(asked[0]) == "done"
        back = VENUE.payload_of(venue=VenueEntry.objects.get(pk=venue.pk), priority=2, state="not_used")
        assert decide(ask(VENUE, back)) == "done"
        assert decide(asked[1]) == "refused"
        assert VenueEntry.objects.get(pk=venue.pk).state == "not_used"


class TestABatch:
    @pytest.mark.parametrize("action", [InterventionAction.RETRY, InterventionAction.REFUND])
    def test_is_not_decided_about_after_a_further_attempt(self, coin, ask, decide, action):
        batch = baker.make(Batch, coin=coin, state=BatchState.PARKED, reason="a")
        payload = INTERVENTION.payload_of(batch=batch, action=action, reason="b", figures=None)
        asked = ask(INTERVENTION, payload)
        baker.make(Attempt, batch=batch, coin=coin, number=1, state=AttemptState.NOT_PLACED, ended_at=clock.now())
        assert decide(asked) == "refused"
        assert (
            decide(ask(INTERVENTION, INTERVENTION.payload_of(batch=batch, action=action, reason="b", figures=None)))
            == "done"
        )

    def test_that_buys_by_itself_is_refunded_after_a_further_attempt(self, coin, ask, decide):
        """The venue declines: the batch makes another attempt after each pause, and nobody approves within a minute."""
        batch = baker.make(Batch, coin=coin, state=BatchState.OPEN)
        refund = {"action": InterventionAction.REFUND, "reason": "b", "figures": None}
        asked = ask(INTERVENTION, INTERVENTION.payload_of(batch=batch, **refund))
        baker.make(Attempt, batch=batch, coin=coin, number=1, state=AttemptState.NOT_PLACED, ended_at=clock.now())
        assert decide(asked) == "done"
