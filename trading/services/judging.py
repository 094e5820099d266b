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
from trading.services.asked_orders import ALONE, AskedOrder, Judgement, PlacedOrder
from trading.services.headroom import ensure_room
from trading.services.quoting import ensure_price_within, price_amount, take_quote
from wallets.exceptions import DomainError
from wallets.runtime.allowances import Outcome
from wallets.runtime.idempotency import IdempotencyKey
from wallets.services.ledger.locking import Lock, LockedWallet
from wallets.services.ledger.moving import ensure_funds

UNDER_REVIEW: Final = "under_review"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An order that is about to be placed, its wallet, its breach of a risk rule, and whether to claim its coin now."""

    asked: AskedOrder
    order: Order
    wallet: LockedWallet
    breach: Breach | None
    claim_now: bool

    def as_placed(self) -> PlacedOrder:
        """Return the order as placed; it has an id as soon as it is written."""
        coin_name = self.asked.order_request.coin_name
        return PlacedOrder(order=self.order, coin_name=coin_name, replayed=False, job_deferred=self.claim_now)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An order whose customer may trade, and what decides about it."""

    asked: AskedOrder
    wallet: LockedWallet
    context: OrderContext
    now: datetime


def open_cases(group: Sequence[AskedOrder], *, locks: Sequence[Lock | None], now: datetime | None) -> list[Case | None]:
    """Return a case for each order whose lock allows it. One statement."""
    wallets = [None if lock is None or lock.refusal else lock.wallet for lock in locks]
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
        None if wallet is None else Case(asked=asked, wallet=wallet, context=next(contexts), now=now)
        for asked, wallet in zip(group, wallets, strict=True)
    ]


def judge_without_case(lock: Lock | None) -> Judgement:
    return ALONE if lock is None else Judgement(customer_id=lock.wallet.owner_id, refusal=lock.refusal)


def judge(case: Case, *, before: Sequence[Draft], is_shared: bool) -> "Draft | Judgement":
    """Judge an order by what the drafts `before` it in its transaction have left."""
    asked, customer_id = case.asked, case.wallet.owner_id
    if any(_is_same(draft, asked, customer_id=customer_id) for draft in before):
        return ALONE  # the database will know the other one then
    try:
        if earlier := _find_earlier(case.context, key=asked.key):
            return Judgement(customer_id=customer_id, placed=earlier)
        priced = _price(case)
        ensure_funds(wallet=case.wallet, amount=priced.charge)  # first: who cannot pay does not learn how much is left
        _ensure_room(case, subtotal=priced.subtotal, before=before)
        if asked.counters.taking is Outcome.LATER:
            return Judgement(customer_id=customer_id, has_funds=True)
        breach = _find_breach(case, charge=priced.charge, before=before)
        if breach and is_shared:
            return ALONE
        if breach and has_many_held_orders(customer_id=customer_id):
            raise TooManyHeld
    except DomainError as refusal:
        return Judgement(customer_id=customer_id, refusal=refusal)
    return _draft(case, priced=priced, breach=breach)


def _is_same(draft: Draft, asked: AskedOrder, *, customer_id: int) -> bool:
    """Say whether a draft has the key or the quote of an order."""
    order = draft.order
    has_key = asked.key is not None and order.idempotency_key == asked.key.value and order.customer_id == customer_id
    return has_key or (asked.quote is not None and order.quote_id == asked.quote.id)


def _find_earlier(context: OrderContext, *, key: IdempotencyKey | None) -> PlacedOrder | None:
    """Return the order that an earlier request with this key placed, if any. Raises IdempotencyKeyReused."""
    if key is None or context.same_key_id is None:
        return None
    order = Order.objects.select_related("coin__unclear").get(pk=context.same_key_id)
    key.ensure_same_request(earlier_hash=order.request_hash or "")
    return PlacedOrder(order=order, coin_name=order.coin.name, replayed=True)


def _price(case: Case) -> PricedAmount:
    """Return what the order buys and pays: by its quote, or at the price of this moment."""
    asked, context, now = case.asked.order_request, case.context, case.now
    if asked.quote is not None:
        return take_quote(quote=case.asked.quote, customer_id=case.wallet.owner_id, context=context, now=now)
    if context.offer is None:
        raise UnknownCoin
    priced = price_amount(offer=context.offer, amount=asked.amount, total=asked.total, now=now)
    ensure_price_within(priced=priced, max_price=asked.max_price)
    return priced


def _ensure_room(case: Case, *, subtotal: Decimal, before: Sequence[Draft]) -> None:
    ensure_room(
        customer_id=case.wallet.owner_id,
        context=case.context,
        taking=case.asked.counters.taking,
        subtotal=subtotal,
        unwritten=[draft.order for draft in before],
        now=case.now,
    )


def _find_breach(case: Case, *, charge: Decimal, before: Sequence[Draft]) -> Breach | None:
    assert case.context.offer is not None, "without an offer nothing has a price"
    recent = case.context.recent
    charges = [draft.order.charge for draft in before if draft.wallet is case.wallet]
    if charges:
        recent = replace(recent, count=recent.count + len(charges), charge=recent.charge + sum(charges))
    return find_breach(recent=recent, charge=charge, coin_name=case.context.offer.name)


def _draft(case: Case, *, priced: PricedAmount, breach: Breach | None) -> Draft:
    asked, now = case.asked, case.now
    is_pooled = joins_pool(subtotal=priced.subtotal, threshold=settings.POOLS.threshold)
    assert case.context.offer is not None, "without an offer nothing has a price"
    order = Order.draft(
        customer_id=case.wallet.owner_id,
        coin_id=case.context.offer.coin_id,
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
    return Draft(asked=asked, order=order, wallet=case.wallet, breach=breach, claim_now=claim_now)


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """Say whether to request a claim now: if the order is large, or its pool is full or of unknown total."""
    if not order.is_pooled or pool_total is None:
        return True
    return reaches_threshold(total=pool_total + order.subtotal, threshold=settings.POOLS.threshold)
