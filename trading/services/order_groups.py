"""Places a group of orders in one database transaction: three statements, however many orders there are.

Each order is judged by itself, by the rules that it would meet alone; the orders of one wallet are judged one after the
other, and each finds what those before it have left. A refused order refuses only itself.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from trading import jobs
from trading.exceptions import TooManyHeld, UnknownCoin
from trading.models import Order, OrderState, Review
from trading.pool_rules import joins_pool, reaches_threshold
from trading.quotes import PricedAmount, Quote
from trading.risk import Breach, find_breach
from trading.selectors.order_contexts import ContextQuery, OrderContext, read_order_contexts
from trading.selectors.orders import has_many_held_orders
from trading.services.headroom import ensure_room
from trading.services.quoting import ensure_price_within, price_amount, take_quote
from wallets.exceptions import DomainError
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints, sql
from wallets.runtime.allowances import Outcome, Wanted
from wallets.runtime.idempotency import IdempotencyKey
from wallets.selectors.accounts import Principal
from wallets.services.ledger.locking import Lock, LockedWallet, lock_dollar_wallets, refuse_without_wallet
from wallets.services.ledger.moving import NewSubjects, debit_for, ensure_funds

logger = logging.getLogger(__name__)

UNDER_REVIEW = "under_review"


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """A request for `amount` coins, or for as many coins as `total` US dollars buy, or for what a `quote` promises.

    Exactly one of the three is set; a quote names its coin itself. `max_price` is the most that one coin may cost.
    """

    coin_name: str = ""
    amount: Decimal | None = None
    total: Decimal | None = None
    max_price: Decimal | None = None
    quote: str | None = None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """An order and its pool's total (US dollars). `replayed`: an earlier request with the same key placed the order."""

    order: Order
    coin_name: str
    replayed: bool
    job_deferred: bool = False
    pool_total: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What Redis says before the order: its pool's total (US dollars), and whether the order's dollars are taken.

    Neither decides: the total tells whether to look into the pool now, `taking` can only refuse; `wanted` is taken.
    """

    pool_total: Decimal | None = None
    taking: Outcome = Outcome.UNKNOWN
    wanted: Wanted | None = None


@dataclass(frozen=True, kw_only=True)
class AskedOrder:
    """An order that somebody asks for, with all that is known before its database transaction.

    `trace`: the mark of a job by which the order's claim continues the request's trace, if there is one.
    """

    buyer: Principal
    order_request: OrderRequest
    quote: Quote | None
    counters: Counters
    trace: str | None = None

    @property
    def key(self) -> IdempotencyKey | None:
        return self.order_request.key


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of an order: placed, found by its key, or refused. None of these: it has to be placed alone.

    `refusal`: why not; any error of an order that was tried alone. `has_funds`: nothing is against it, but its dollars
    have yet to be taken from what may still be sold.
    """

    customer_id: int | None = None
    placed: PlacedOrder | None = None
    refusal: Exception | None = None
    has_funds: bool = False


ALONE = Judgement()


@dataclass(frozen=True, kw_only=True)
class _Draft:
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


@transaction.atomic(durable=True)
def place_group(
    *, group: Sequence[AskedOrder], now: datetime | None = None, patience: timedelta | None = None
) -> list[Judgement]:
    """Judge orders, and place those that nothing is against: with their charges, and the jobs that claim them.

    The moment that counts is that of the last lock, by Postgres' clock; tests give another one as `now`. The
    transaction waits at most `patience` for each lock. An order that is alone is placed, found by its key, or refused;
    in a group, one that needs more than the three statements is left to be placed alone.

    Raises TokenInvalid and NotFound for an order that is alone, and whose customer has no wallet.
    """
    locks = lock_dollar_wallets(principals=[asked.buyer for asked in group], patience=patience)
    failpoints.reach("orders.locked")
    is_shared = len(group) > 1
    if not is_shared and locks[0] is None:
        refuse_without_wallet(principal=group[0].buyer)
    cases = _open_cases(group, locks=locks, now=now)
    drafts: list[_Draft] = []
    judgements = []
    for lock, case in zip(locks, cases, strict=True):
        if case is None:
            judgements.append(_judge_without_case(lock))
            continue
        judged = _judge(case, before=drafts, is_shared=is_shared)
        if isinstance(judged, _Draft):
            drafts.append(judged)
            case.wallet.balance -= judged.order.charge
            judged = Judgement(customer_id=case.wallet.owner_id, placed=judged.as_placed())
        judgements.append(judged)
    if drafts:
        _write(drafts)
        failpoints.reach("order.debited")
    return judgements


@dataclass(frozen=True, kw_only=True)
class _Case:
    """An order whose customer may trade, and what decides about it."""

    asked: AskedOrder
    wallet: LockedWallet
    context: OrderContext
    now: datetime


def _open_cases(
    group: Sequence[AskedOrder], *, locks: Sequence[Lock | None], now: datetime | None
) -> list[_Case | None]:
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
        None if wallet is None else _Case(asked=asked, wallet=wallet, context=next(contexts), now=now)
        for asked, wallet in zip(group, wallets, strict=True)
    ]


def _judge_without_case(lock: Lock | None) -> Judgement:
    return ALONE if lock is None else Judgement(customer_id=lock.wallet.owner_id, refusal=lock.refusal)


def _judge(case: _Case, *, before: Sequence[_Draft], is_shared: bool) -> "_Draft | Judgement":
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


def _is_same(draft: _Draft, asked: AskedOrder, *, customer_id: int) -> bool:
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


def _price(case: _Case) -> PricedAmount:
    """Return what the order buys and pays: by its quote, or at the price of this moment."""
    asked, context, now = case.asked.order_request, case.context, case.now
    if asked.quote is not None:
        return take_quote(quote=case.asked.quote, customer_id=case.wallet.owner_id, context=context, now=now)
    if context.offer is None:
        raise UnknownCoin
    priced = price_amount(offer=context.offer, amount=asked.amount, total=asked.total, now=now)
    ensure_price_within(priced=priced, max_price=asked.max_price)
    return priced


def _ensure_room(case: _Case, *, subtotal: Decimal, before: Sequence[_Draft]) -> None:
    assert case.context.offer is not None, "without an offer nothing has a price"
    ensure_room(
        customer_id=case.wallet.owner_id,
        coin_id=case.context.offer.coin_id,
        last=case.context.last_count,
        taking=case.asked.counters.taking,
        subtotal=subtotal,
        unwritten=[draft.order for draft in before],
        now=case.now,
    )


def _find_breach(case: _Case, *, charge: Decimal, before: Sequence[_Draft]) -> Breach | None:
    assert case.context.offer is not None, "without an offer nothing has a price"
    recent = case.context.recent
    charges = [draft.order.charge for draft in before if draft.wallet is case.wallet]
    if charges:
        recent = replace(recent, count=recent.count + len(charges), charge=recent.charge + sum(charges))
    return find_breach(recent=recent, charge=charge, coin_name=case.context.offer.name)


def _draft(case: _Case, *, priced: PricedAmount, breach: Breach | None) -> _Draft:
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
    return _Draft(asked=asked, order=order, wallet=case.wallet, breach=breach, claim_now=claim_now)


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """Say whether to request a claim now: if the order is large, or its pool is full or of unknown total."""
    if not order.is_pooled or pool_total is None:
        return True
    return reaches_threshold(total=pool_total + order.subtotal, threshold=settings.POOLS.threshold)


_WRITTEN: Final = (
    *("customer_id", "coin_id", "amount", "price", "price_source", "price_at", "market_price", "spread_rate"),
    *("price_rule_id", "quote_id", "charge", "fee", "state", "is_pooled", "settle_by", "reason", "idempotency_key"),
    *("request_hash", "created_at", "held_at"),
)


def _write(drafts: Sequence[_Draft]) -> None:
    """Insert the orders, charge them, and insert a job for each coin that is to be claimed. One statement."""
    orders = [
        {"number": number, "wallet_id": draft.wallet.id, **{name: getattr(draft.order, name) for name in _WRITTEN}}
        for number, draft in enumerate(drafts)
    ]
    traces = {draft.order.coin_id: draft.asked.trace for draft in reversed(drafts) if draft.claim_now}
    claims = [{"coin_id": coin_id, "lock": trace} for coin_id, trace in traces.items()]
    values = {
        "orders": sql.records(orders),
        "claims": sql.records(claims),
        "task": jobs.CLAIM_TASK,
        "queue": jobs.SETTLEMENT_QUEUE,
    }
    order_ids = debit_for(
        subjects=NewSubjects(name="trading.place_orders", values=values),
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        now=drafts[0].order.created_at,
    )
    for draft, order_id in zip(drafts, order_ids, strict=True):
        draft.order.pk = order_id
        if draft.breach:
            _hold(draft.order, draft.breach)


def _hold(order: Order, breach: Breach) -> None:
    logger.warning("order %s is held: %s", order.pk, breach.grounds, extra={"order_id": order.pk})
    Review.objects.create(order=order, customer_id=order.customer_id, rule=breach.rule, grounds=breach.grounds)
