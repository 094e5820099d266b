"""Whatever customers do at once, it ends as if they had done it one after the other: seeded stories, and a model."""

import random
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

import pytest
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.configure import configure
from tests.conftest import make_coin
from tests.processes import at_once, wait_for
from tests.trading.test_orders import order_request_of
from tests.trading.test_placing_together import limit_sales
from trading import pools
from trading.models import Coin, Order, OrderState, Review
from trading.quotes import sign_quote
from trading.services import placing
from trading.services.asked_orders import OrderRequest
from trading.services.coins import stop_selling
from trading.services.placing import place_order
from trading.services.quoting import make_quote
from wallets.exceptions import DomainError
from wallets.models import Transaction
from wallets.services.accounts import freeze_within_transaction
from wallets.verification import verify_balances

STORIES = range(300)
_CHARGES = {1: Decimal(4), 2: Decimal(8), 3: Decimal(12), 8: Decimal(32), 20: Decimal(80)}
"""What amounts of the coin cost. The first two are small orders, which join the pool."""
_THRESHOLD = Decimal(10)


@contextmanager
def gathering(*, most):
    """Let the first order's transaction begin when `most` orders have come. Yield the sizes of the groups."""
    group, sizes = placing._group, []
    really = group._carry_out

    def carry_out(members):
        sizes.append(len(members))
        if len(sizes) == 1 and most:
            wait_for(lambda: len(group._waiting) == most - 1)
        return really(members)

    group._carry_out = carry_out
    try:
        yield sizes
    finally:
        group._carry_out = really


@dataclass(frozen=True)
class Rules:
    """The rules of a story: the risk rules, and the most that a customer may have of the coin and not settled."""

    max_orders: int = 200
    max_value: Decimal = Decimal(50_000)
    max_held: int = 20
    share: Decimal | None = None


class Story:
    """Customers who order at once, some of them frozen, and a coin taken off sale, all in between.

    In some stories the risk rules are narrow, the coin has a sales limit, or nobody knows how full the pool is.
    """

    def __init__(self, seed, *, make_shopper, settings, now):
        chance = random.Random(seed)
        coin = make_coin("ABAN", "4.00")
        self.rules = self._choose_rules(chance)
        configure(
            settings,
            "RISK",
            max_orders=self.rules.max_orders,
            max_value=self.rules.max_value,
            max_held=self.rules.max_held,
        )
        if self.rules.share is not None:
            limit_sales(coin, self.rules.share * 5, now=now)
        self.counts_pool = chance.random() < 0.7
        if self.counts_pool:
            pools.rewrite(totals={"ABAN": Decimal(0)})
        self.shoppers = [make_shopper(chance.choice(["100.00", "40.00", "12.00"])) for _ in range(chance.randint(1, 3))]
        self.before = [shopper.wallet.balance for shopper in self.shoppers]
        self.calls = [self._order(chance) for _ in range(chance.randint(6, 12))]
        if chance.random() < 0.4:
            self.calls.append(("freeze", chance.randrange(len(self.shoppers))))
        if chance.random() < 0.3:
            self.calls.append(("stop", None))
        chance.shuffle(self.calls)
        self.gathers = chance.random() < 0.5

    @staticmethod
    def _choose_rules(chance):
        rules = Rules()
        if chance.random() < 0.4:
            max_value = Decimal(chance.choice([20, 40, 50_000]))
            rules = replace(
                rules, max_orders=chance.choice([2, 4]), max_value=max_value, max_held=chance.choice([1, 2])
            )
        if chance.random() < 0.4:
            rules = replace(rules, share=Decimal(chance.choice([20, 36])))
        return rules

    def _order(self, chance):
        number = chance.randrange(len(self.shoppers))
        if chance.random() < 0.25:
            return ("quote", number, self._quote(number, chance))
        return ("order", number, chance.choice(list(_CHARGES)), chance.choice([None, None, "k1", "k2"]))

    def _quote(self, number, chance):
        """Return one of the customer's two quotes."""
        self._quotes = getattr(self, "_quotes", {})
        name = (number, chance.randrange(2))
        if name not in self._quotes:
            customer_id = self.shoppers[number].user.pk
            quote = make_quote(customer_id=customer_id, coin_name="ABAN", amount=Decimal(3), total=None)
            self._quotes[name] = sign_quote(quote)
        return self._quotes[name]

    def play(self):
        """Make all calls at once, and return what became of each."""
        orders = sum(call[0] in {"order", "quote"} for call in self.calls)
        with gathering(most=orders if self.gathers else 0) as sizes:
            outcomes = at_once(len(self.calls), lambda number: self._make(self.calls[number]))
        assert not self.gathers or max(sizes) > 1
        return outcomes

    def _make(self, call):
        kind, number = call[:2]
        if kind == "stop":
            stop_selling(coin=Coin.objects.get(name="ABAN"))
            return "done"
        shopper = self.shoppers[number]
        if kind == "freeze":
            with transaction.atomic():
                freeze_within_transaction(owner_id=shopper.user.pk)
            return "done"
        request = OrderRequest(quote=call[2]) if kind == "quote" else order_request_of(amount=call[2], key=call[3])
        try:
            placed = place_order(buyer=shopper.principal, order_request=request)
        except DomainError as error:
            return type(error).__name__
        return "replayed" if placed.replayed else str(placed.order.state)

    def explains(self, outcomes):
        """Say whether some order of the calls, one by one, has these outcomes."""
        return all(
            _explains(tuple(self._calls_of(number, outcomes)), Customer(balance=balance, rules=self.rules))
            for number, balance in enumerate(self.before)
        )

    def _calls_of(self, number, outcomes):
        """Yield a customer's calls and what stops the coin: customers meet only there."""
        for call, outcome in zip(self.calls, outcomes, strict=True):
            if call[1] in (number, None):
                yield call, outcome


@dataclass(frozen=True)
class Customer:
    """What decides about a customer's next call."""

    balance: Decimal
    rules: Rules
    frozen: bool = False
    stopped: bool = False
    keys: tuple = ()
    quotes: tuple = ()
    orders: int = 0
    spent: Decimal = Decimal(0)
    held: int = 0
    unsettled: Decimal = Decimal(0)


@cache
def _explains(calls, customer):
    """Play the calls one by one, in any order in which each has its outcome."""
    if not calls:
        return True
    for place, (call, outcome) in enumerate(calls):
        found, after = _alone(call, customer)
        if found == outcome and _explains(calls[:place] + calls[place + 1 :], after):
            return True
    return False


def _alone(call, customer):
    """Return what becomes of a call that is made alone, and the customer after it: the rules in words of their own."""
    kind = call[0]
    if kind in {"freeze", "stop"}:
        return "done", replace(customer, **{"frozen" if kind == "freeze" else "stopped": True})
    amount, key = (3, None) if kind == "quote" else call[2:]
    if why_not := _why_not(call, customer, amount=amount, key=key):
        return why_not, customer
    charge, held = _CHARGES[amount], _is_held(customer, charge=_CHARGES[amount])
    after = replace(
        customer,
        balance=customer.balance - charge,
        spent=customer.spent + charge,
        orders=customer.orders + 1,
        held=customer.held + held,
        unsettled=customer.unsettled + (0 if held else charge),
        keys=customer.keys if key is None else (*customer.keys, (key, amount)),
        quotes=(*customer.quotes, call[2]) if kind == "quote" else customer.quotes,
    )
    return "held" if held else "aggregated" if charge < _THRESHOLD else "pending", after


def _why_not(call, customer, *, amount, key):
    by_quote, rules, charge = call[0] == "quote", customer.rules, _CHARGES[amount]
    earlier = dict(customer.keys).get(key)
    refusals = {
        "AccountFrozen": customer.frozen,
        "replayed": earlier == amount,
        "IdempotencyKeyReused": earlier is not None,
        "QuoteUsed": by_quote and call[2] in customer.quotes,
        "QuoteWithdrawn": by_quote and customer.stopped,
        "UnknownCoin": customer.stopped,
        "InsufficientFunds": customer.balance < charge,
        "SalesStopped": rules.share is not None and customer.unsettled + charge > rules.share,
        "TooManyHeld": _is_held(customer, charge=charge) and customer.held >= rules.max_held,
    }
    return next((outcome for outcome, holds in refusals.items() if holds), None)


def _is_held(customer, *, charge):
    rules = customer.rules
    return customer.orders >= rules.max_orders or customer.spent + charge > rules.max_value


def _has_claim():
    return ProcrastinateJob.objects.filter(task_name="settlement.claim_waiting_orders").exists()


@pytest.mark.django_db(transaction=True)
class TestStories:
    @pytest.mark.parametrize("seed", STORIES)
    def test_end_as_if_all_had_happened_one_by_one(self, seed, make_shopper, settings, now):
        story = Story(seed, make_shopper=make_shopper, settings=settings, now=now)
        outcomes = story.play()
        assert story.explains(outcomes), (story.rules, list(zip(story.calls, outcomes, strict=True)))
        states = list(Order.objects.values_list("state", flat=True))
        assert sorted(states) == sorted(each for each in outcomes if each in OrderState.values)
        assert len(states) == Transaction.objects.filter(kind="purchase").count()
        assert Review.objects.count() == states.count("held")
        assert verify_balances() == []
        for shopper, balance in zip(story.shoppers, story.before, strict=True):
            charges = [order.charge for order in Order.objects.filter(customer=shopper.user)]
            assert shopper.wallet.balance == balance - sum(charges)
        pooled = sum(order.charge for order in Order.objects.filter(state="aggregated"))
        if story.counts_pool:
            assert pools.read_counter(coin_name="ABAN") == pooled
            assert _has_claim() == ("pending" in states or pooled >= _THRESHOLD)
        else:
            assert _has_claim() == bool({"pending", "aggregated"} & set(states))
