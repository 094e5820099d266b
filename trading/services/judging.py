"""Judges orders, each by itself, by what its customer's locked wallet and the database say at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings

from trading.exceptions import TooManyHeld, UnknownCoin
from trading.models import Order, OrderState
from trading.pool_rules import joins_pool, reaches_threshold
from trading.quotes import PricedAmount
from trading.risk import Breach, find_breach
from trading.selectors.order_contexts import ContextQuery, OrderContext, read_order_contexts
from trading.selectors.orders import has_many_held_orders
from trading.services.asked_orders import ALONE, PASSED_OVER, AskedOrder, Judgement, PlacedOrder
from trading.services.headroom import ensure_room, needs_count
from trading.services.quoting import ensure_price_within, price_amount, take_quote
from wallets.exceptions import DomainError
from wallets.runtime.allowances import Outcome
from wallets.services.ledger.locking import CallersWallet, LockedWallet
from wallets.services.ledger.moving import ensure_funds

UNDER_REVIEW: Final = "under_review"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """An order that is about to be placed, its wallet, its breach of a risk rule, and whether to claim its coin now."""

    asked: AskedOrder
    order: Order
    wallet: LockedWallet
    breach: Breach | None
    claim_now: bool

    def as_judgement(self) -> Judgement:
        """Return the order as placed. It has an id as soon as it is written."""
        coin_name = self.asked.order_request.coin_name
        placed = PlacedOrder(order=self.order, coin_name=coin_name, replayed=False, job_deferred=self.claim_now)
        return Judgement(customer_id=self.wallet.owner_id, placed=placed)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An order whose customer may trade, and what decides about it."""

    asked: AskedOrder
    wallet: LockedWallet
    context: OrderContext
    now: datetime


def find_candidates(
    group: Sequence[AskedOrder], *, found: Sequence[CallersWallet | None], now: datetime | None
) -> list[Candidate | None]:
    """Return a candidate for each order whose caller may use the wallet. One statement."""
    wallets = [None if each is None or each.refusal else each.wallet for each in found]
    allowed = [(asked, wallet) for asked, wallet in zip(group, wallets, strict=True) if wallet is not None]
    if not allowed:
        return [None] * len(group)
    now = now or allowed[0][1].now
    queries = [
        ContextQuery(
            customer_id=wallet.owner_id,
            coin_name=asked.order_request.coin_name,
            key=asked.key.value if asked.key else None,
            quote_id=asked.quote.id if asked.quote else None,
        )
        for asked, wallet in allowed
    ]
    contexts = iter(read_order_contexts(queries=queries, now=now))
    return [
        None if wallet is None else Candidate(asked=asked, wallet=wallet, context=next(contexts), now=now)
        for asked, wallet in zip(group, wallets, strict=True)
    ]


def judge_without_wallet(found: CallersWallet | None, *, passes_over: bool) -> Judgement:
    """Judge an order whose caller may not use the wallet, or has none that was locked."""
    if found is None:
        return PASSED_OVER if passes_over else ALONE
    return Judgement(customer_id=found.wallet.owner_id, refusal=found.refusal)


def judge(candidate: Candidate, *, before: Sequence[Placement], is_shared: bool) -> "Placement | Judgement":
    """Judge an order by what those `before` it in its database transaction have left.

    In a transaction that several orders share, one that needs statements of its own is left to be placed alone.
    """
    customer_id = candidate.wallet.owner_id
    if is_shared and _needs_statements(candidate, before=before):
        return ALONE
    try:
        if earlier := _find_earlier(candidate):
            return Judgement(customer_id=customer_id, placed=earlier)
        priced = _price(candidate)
        # Funds first: a customer who cannot pay does not learn how much is left.
        ensure_funds(wallet=candidate.wallet, amount=priced.charge)
        _ensure_room(candidate, subtotal=priced.subtotal, before=before)
        if candidate.asked.counters.taking is Outcome.LATER:
            return Judgement(customer_id=customer_id, has_funds=True)
        breach = _find_breach(candidate, charge=priced.charge, before=before)
        if breach and is_shared:
            return ALONE
        if breach and has_many_held_orders(customer_id=customer_id):
            raise TooManyHeld
    except DomainError as refusal:
        return Judgement(customer_id=customer_id, refusal=refusal)
    return _make_placement(candidate, priced=priced, breach=breach)


def _needs_statements(candidate: Candidate, *, before: Sequence[Placement]) -> bool:
    """Say whether an order has to look for another one of its key or quote, or has to count what may still be sold."""
    has_earlier = candidate.asked.key is not None and candidate.context.same_key_id is not None
    counts = needs_count(last=candidate.context.last_count, taking=candidate.asked.counters.taking, now=candidate.now)
    return has_earlier or counts or any(_is_same(each, candidate) for each in before)


def _is_same(earlier: Placement, candidate: Candidate) -> bool:
    """Say whether an order that is not written yet has a candidate's key or quote."""
    key, quote = candidate.asked.key, candidate.asked.quote
    has_key = key is not None and earlier.order.idempotency_key == key.value and earlier.wallet is candidate.wallet
    return has_key or (quote is not None and earlier.order.quote_id == quote.id)


def _find_earlier(candidate: Candidate) -> PlacedOrder | None:
    """Return the order that an earlier request with this key placed, if any. Raises IdempotencyKeyReused."""
    key = candidate.asked.key
    if key is None or candidate.context.same_key_id is None:
        return None
    order = Order.objects.select_related("coin__unclear").get(pk=candidate.context.same_key_id)
    key.ensure_same_request(earlier_hash=order.request_hash or "")
    return PlacedOrder(order=order, coin_name=order.coin.name, replayed=True)


def _price(candidate: Candidate) -> PricedAmount:
    """Return what the order buys and pays: by its quote, or at the price of this moment."""
    order_request, context, now = candidate.asked.order_request, candidate.context, candidate.now
    if order_request.quote is not None:
        return take_quote(quote=candidate.asked.quote, customer_id=candidate.wallet.owner_id, context=context, now=now)
    if context.offer is None:
        raise UnknownCoin
    priced = price_amount(offer=context.offer, amount=order_request.amount, total=order_request.total, now=now)
    ensure_price_within(priced=priced, max_price=order_request.max_price)
    return priced


def _ensure_room(candidate: Candidate, *, subtotal: Decimal, before: Sequence[Placement]) -> None:
    assert candidate.context.offer is not None, "without an offer nothing has a price"
    coin_id = candidate.context.offer.coin_id
    own = [each.order.subtotal for each in _of_wallet(before, candidate) if each.order.coin_id == coin_id]
    ensure_room(
        coin_id=coin_id,
        last=candidate.context.last_count,
        unsettled=candidate.context.unsettled + sum(own),
        taking=candidate.asked.counters.taking,
        subtotal=subtotal,
        now=candidate.now,
    )


def _find_breach(candidate: Candidate, *, charge: Decimal, before: Sequence[Placement]) -> Breach | None:
    assert candidate.context.offer is not None, "without an offer nothing has a price"
    recent = candidate.context.recent
    charges = [each.order.charge for each in _of_wallet(before, candidate)]
    if charges:
        recent = replace(recent, count=recent.count + len(charges), charge=recent.charge + sum(charges))
    return find_breach(recent=recent, charge=charge, coin_name=candidate.context.offer.name)


def _of_wallet(before: Sequence[Placement], candidate: Candidate) -> list[Placement]:
    """Return the orders before a candidate that its wallet has paid. None is held: a held one is placed alone."""
    return [each for each in before if each.wallet is candidate.wallet]


def _make_placement(candidate: Candidate, *, priced: PricedAmount, breach: Breach | None) -> Placement:
    asked, now = candidate.asked, candidate.now
    is_pooled = joins_pool(subtotal=priced.subtotal, threshold=settings.POOLS.threshold)
    assert candidate.context.offer is not None, "without an offer nothing has a price"
    order = Order.draft(
        customer_id=candidate.wallet.owner_id,
        coin_id=candidate.context.offer.coin_id,
        amount=priced.amount,
        price=priced.price,
        price_source=priced.price_source,
        price_at=priced.price_at,
        market_price=priced.market_price,
        spread_rate=priced.spread_rate,
        price_rule_id=priced.rule_id,
        quote_id=asked.quote.id if asked.quote else None,
        charge=priced.charge,
        fee=priced.fee,
        state=OrderState.HELD if breach else OrderState.POOLED if is_pooled else OrderState.PENDING,
        is_pooled=is_pooled,
        settle_by=now + settings.POOLS.max_age if is_pooled else None,
        idempotency_key=asked.key.value if asked.key else None,
        request_hash=asked.key.request_hash if asked.key else None,
        reason=UNDER_REVIEW if breach else None,
        created_at=now,
        held_at=now if breach else None,
    )
    claim_now = breach is None and is_to_be_claimed(order, pool_total=asked.counters.pool_total)
    return Placement(asked=asked, order=order, wallet=candidate.wallet, breach=breach, claim_now=claim_now)


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """Say whether to request a claim now: if the order is large, or its pool is full or of unknown total."""
    if not order.is_pooled or pool_total is None:
        return True
    return reaches_threshold(total=pool_total + order.subtotal, threshold=settings.POOLS.threshold)
