"""Places orders."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import transaction

from trading import headroom, jobs, pools
from trading.exceptions import TooManyHeld, UnknownCoin
from trading.metrics import count_placed
from trading.models import Order, OrderState, Review, is_coin_name
from trading.pool_rules import joins_pool, reaches_threshold
from trading.quotes import PricedAmount, Quote, read_quote
from trading.risk import Breach, find_breach
from trading.selectors.orders import OrderContext, has_many_held_orders, read_order_context
from trading.services.headroom import ensure_room
from trading.services.quoting import ensure_price_within, price_amount, take_quote
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints
from wallets.runtime.allowances import Outcome, Wanted
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import IdempotencyKey
from wallets.runtime.log_context import add_to_log_context
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.tracing import mark_job
from wallets.selectors.accounts import Principal
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.ledger.moving import Movement, NewSubject, debit_for, ensure_funds

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


class _HasFunds(Exception):
    """Ends the transaction of an order that would be placed: its dollars are taken outside of it."""


def place_order(
    *,
    buyer: Principal,
    order_request: OrderRequest,
    redis_round: RedisRound | None = None,
    now: datetime | None = None,
) -> PlacedOrder:
    """Sell a coin to `buyer` at the current price, or at that of a quote.

    The order, its charge and the job that claims the order commit together or not at all. An order that breaks
    a risk rule is charged too, and held for a review by staff. The price is read after the wallet is locked, and the
    moment that counts is that of the lock, by Postgres' clock; tests give another one as `now`. `redis_round` is the
    request's round trip, which may have read the pool's counter and taken the order's dollars from what may still be
    sold; an order that is refused or held gives them back. If they are to be taken later, the order is first tried
    without them, which checks everything else.

    Raises UnknownCoin, PriceUnavailable, SalesStopped, BelowMinimum, AboveMaximum, AmountOffStep, PriceAboveMax,
    QuoteInvalid, QuoteUsed, QuoteExpired, QuoteWithdrawn, InsufficientFunds, TooManyHeld, AccountFrozen, TokenInvalid,
    IdempotencyKeyReused.
    """
    quote = read_quote(order_request.quote) if order_request.quote is not None else None
    if quote is not None:
        order_request = replace(order_request, coin_name=quote.coin_name)
    redis_round = redis_round or RedisRound()
    counters = _read_counters(order_request, buyer=buyer, quote=quote, redis_round=redis_round)
    place = partial(_place, buyer=buyer, order_request=order_request, quote=quote, now=now)
    try:
        placed = _take_later(place, counters=counters, redis_round=redis_round)
        if not placed.replayed and placed.order.state != OrderState.HELD:
            redis_round.keep()
        redis_round.give_back(in_vain=False)  # the customer could pay
    finally:
        redis_round.give_back()
    failpoints.reach("order.committed")
    add_to_log_context(order_id=placed.order.pk)
    if placed.replayed:
        return placed
    count_placed(state=placed.order.state)
    return _join_pool(placed) if placed.order.state == OrderState.POOLED else placed


def _take_later(place: Callable[..., PlacedOrder], *, counters: Counters, redis_round: RedisRound) -> PlacedOrder:
    try:
        return place(counters=counters)
    except _HasFunds:
        assert counters.wanted is not None, "it is to be taken later"
        return place(counters=replace(counters, taking=redis_round.take_proven(counters.wanted)))


@retried_on_conflict
@transaction.atomic(durable=True)
def _place(
    *,
    buyer: Principal,
    order_request: OrderRequest,
    quote: Quote | None,
    counters: Counters,
    now: datetime | None,
) -> PlacedOrder:
    wallet = lock_dollar_wallet(principal=buyer)
    now = now or wallet.now
    context = read_order_context(
        customer_id=wallet.owner_id,
        coin_name=order_request.coin_name,
        key=order_request.key,
        quote_id=quote.id if quote else None,
        now=now,
    )
    if earlier := _find_earlier(context, key=order_request.key):
        return earlier
    priced = _price(order_request, quote=quote, customer_id=wallet.owner_id, context=context, now=now)
    ensure_funds(wallet=wallet, amount=priced.charge)  # first: who cannot pay does not learn how much is left
    _ensure_room(priced, customer_id=wallet.owner_id, context=context, taking=counters.taking, now=now)
    if counters.taking is Outcome.LATER:
        raise _HasFunds
    order, breach = _make_order(wallet, priced, key=order_request.key, context=context, now=now)
    order.quote_id = quote.id if quote else None
    claim_now = breach is None and is_to_be_claimed(order, pool_total=counters.pool_total)
    _write(order, wallet=wallet, claim_now=claim_now)
    if breach:
        logger.warning("order %s is held: %s", order.pk, breach.grounds, extra={"order_id": order.pk})
        Review.objects.create(order=order, customer_id=order.customer_id, rule=breach.rule, grounds=breach.grounds)
    failpoints.reach("order.debited")
    return PlacedOrder(order=order, coin_name=order_request.coin_name, replayed=False, job_deferred=claim_now)


def _read_counters(
    order_request: OrderRequest, *, buyer: Principal, quote: Quote | None, redis_round: RedisRound
) -> Counters:
    """Read the pool's counter and take the order's dollars, unless the request's round trip has done so."""
    if not is_coin_name(order_request.coin_name):
        return Counters()
    wanted = dollars_of(order_request, quote=quote, taker=str(buyer.subject))
    return Counters(
        pool_total=pools.read_counter(coin_name=order_request.coin_name, redis_round=redis_round),
        taking=redis_round.take(wanted),
        wanted=wanted,
    )


def dollars_of(order_request: OrderRequest, *, quote: Quote | None, taker: str) -> Wanted:
    """Return what an order takes from what may still be sold: all that it may pay, or its coins at the last price."""
    if quote is not None:
        return headroom.dollars_wanted(coin_name=quote.coin_name, dollars=quote.priced.subtotal, taker=taker)
    if order_request.total is not None:
        return headroom.dollars_wanted(coin_name=order_request.coin_name, dollars=order_request.total, taker=taker)
    coins = order_request.amount or Decimal(0)
    return headroom.coins_wanted(coin_name=order_request.coin_name, coins=coins, taker=taker)


def _find_earlier(context: OrderContext, *, key: IdempotencyKey | None) -> PlacedOrder | None:
    """Return the order that an earlier request with this key placed, if any. Raises IdempotencyKeyReused."""
    if key is None or context.same_key_id is None:
        return None
    order = Order.objects.select_related("coin__unclear").get(pk=context.same_key_id)
    key.ensure_same_request(earlier_hash=order.request_hash or "")
    return PlacedOrder(order=order, coin_name=order.coin.name, replayed=True)


def _price(
    order_request: OrderRequest, *, quote: Quote | None, customer_id: int, context: OrderContext, now: datetime
) -> PricedAmount:
    """Return what the order buys and pays: by its quote, or at the price of this moment."""
    if order_request.quote is not None:
        return take_quote(quote=quote, customer_id=customer_id, context=context, now=now)
    if context.offer is None:
        raise UnknownCoin
    priced = price_amount(offer=context.offer, amount=order_request.amount, total=order_request.total, now=now)
    ensure_price_within(priced=priced, max_price=order_request.max_price)
    return priced


def _ensure_room(
    priced: PricedAmount, *, customer_id: int, context: OrderContext, taking: Outcome, now: datetime
) -> None:
    assert context.offer is not None, "without an offer nothing has a price"
    ensure_room(
        customer_id=customer_id,
        coin_id=context.offer.coin_id,
        last=context.last_count,
        taking=taking,
        subtotal=priced.subtotal,
        now=now,
    )


def _make_order(
    wallet: LockedWallet, priced: PricedAmount, *, key: IdempotencyKey | None, context: OrderContext, now: datetime
) -> tuple[Order, Breach | None]:
    """Return the order, not yet written, and its breach of a risk rule, if any. Raises TooManyHeld for a breach."""
    is_pooled = joins_pool(subtotal=priced.subtotal, threshold=settings.POOLS.threshold)
    assert context.offer is not None, "without an offer nothing has a price"
    breach = find_breach(recent=context.recent, charge=priced.charge, coin_name=context.offer.name)
    if breach and has_many_held_orders(customer_id=wallet.owner_id):
        raise TooManyHeld
    order = Order.draft(
        customer_id=wallet.owner_id,
        coin_id=context.offer.coin_id,
        amount=priced.amount,
        price=priced.price,
        price_source=priced.price_source,
        price_at=priced.price_at,
        market_price=priced.market_price,
        spread_rate=priced.spread_rate,
        price_rule_id=priced.rule_id,
        charge=priced.charge,
        fee=priced.fee,
        state=OrderState.HELD if breach else OrderState.POOLED if is_pooled else OrderState.PENDING,
        is_pooled=is_pooled,
        settle_by=now + settings.POOLS.max_age if is_pooled else None,
        idempotency_key=key.value if key else None,
        request_hash=key.request_hash if key else None,
        reason=UNDER_REVIEW if breach else None,
        created_at=now,
        held_at=now if breach else None,
    )
    return order, breach


def _write(order: Order, *, wallet: LockedWallet, claim_now: bool) -> None:
    """Insert the order and, if `claim_now`, the job that claims it, and charge the order."""
    job = {"task": jobs.CLAIM_TASK, "queue": jobs.SETTLEMENT_QUEUE}
    values = vars(order) | job | {"claim_now": claim_now, "lock": mark_job(**job) if claim_now else None}
    del values["_state"]  # Django's own
    charge = Movement(
        amount=order.charge,
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=order.created_at,
    )
    order.pk = debit_for(wallet=wallet, movement=charge, subject=NewSubject(name="trading.place_order", values=values))


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """Say whether to request a claim now: if the order is large, or its pool is full or of unknown total."""
    if not order.is_pooled or pool_total is None:
        return True
    return reaches_threshold(total=pool_total + order.subtotal, threshold=settings.POOLS.threshold)


def _join_pool(placed: PlacedOrder) -> PlacedOrder:
    """Add a committed order to its pool's counter. Request the claim if other orders have filled the pool meanwhile."""
    order = placed.order
    total = pools.add(coin_name=placed.coin_name, amount=order.subtotal)
    if (
        total is not None
        and not placed.job_deferred
        and reaches_threshold(total=total, threshold=settings.POOLS.threshold)
    ):
        jobs.request_claim(coin_id=order.coin_id)
    return replace(placed, pool_total=total)
