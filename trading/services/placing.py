"""Places orders. Those that wait at the same time share a database transaction: see `placing_together`."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from procrastinate.exceptions import ConnectorException

from trading import headroom, jobs, pools
from trading.metrics import count_failed_group, count_placed
from trading.models import OrderState, is_coin_name
from trading.pool_rules import reaches_threshold
from trading.quotes import Quote, read_quote
from trading.services.asked_orders import (
    ALONE,
    PASSED_OVER,
    AskedOrder,
    Counters,
    Judgement,
    OrderRequest,
    PlacedOrder,
)
from trading.services.placing_together import place_alone, place_group, place_group_of_customer
from wallets.exceptions import Busy
from wallets.runtime import failpoints
from wallets.runtime.allowances import Wanted
from wallets.runtime.conflicts import is_conflict, may_run_again, retried_on_conflict
from wallets.runtime.group_commit import GroupCommit, GroupCommitByKey, GroupFailed, TurnTooLate
from wallets.runtime.log_context import add_to_log_context
from wallets.runtime.lost_connections import CommitUnknown, is_lost, may_be_committed
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.tracing import mark_job
from wallets.selectors.accounts import Principal

logger = logging.getLogger(__name__)

_LARGEST_GROUP: Final = 32  # and no more than WEB_ORDER_THREADS
_PATIENCE: Final = timedelta(milliseconds=200)
"""How long a group waits for a lock that is no customer's, and others for the group. Then its orders are placed one by
one, each in its own thread, where it waits for its own locks only."""
_LONGEST_WAIT: Final = 3 * timedelta(milliseconds=settings.POSTGRES.lock_timeout_ms)
"""How long an order waits in all for the turn of its customer's group, whatever the number of its tries."""
_LONG_WAIT: Final = timedelta(seconds=4)
"""An order that has waited so long is not tried again over a connection of its own if its group has lost one: perhaps
Postgres is silent, and the group before has waited in vain too."""


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
    IdempotencyKeyReused, Busy.
    """
    redis_round = redis_round or RedisRound()
    asked = _ask(order_request, buyer=buyer, redis_round=redis_round)
    try:
        placed = _take_later(asked, redis_round=redis_round, now=now)
        if not placed.replayed and placed.order.state != OrderState.HELD:
            redis_round.keep()
        redis_round.give_back(in_vain=False)  # the customer could pay
    except CommitUnknown:
        redis_round.keep()  # the order may stand; the next count knows
        raise
    finally:
        redis_round.give_back()
    failpoints.reach("order.committed")
    add_to_log_context(order_id=placed.order.pk)
    if placed.replayed:
        return placed
    count_placed(state=placed.order.state)
    return _join_pool(placed) if placed.order.state == OrderState.POOLED else placed


def _ask(order_request: OrderRequest, *, buyer: Principal, redis_round: RedisRound) -> AskedOrder:
    quote = read_quote(order_request.quote) if order_request.quote is not None else None
    if quote is not None:
        order_request = replace(order_request, coin_name=quote.coin_name)
    return AskedOrder(
        buyer=buyer,
        order_request=order_request,
        quote=quote,
        counters=_read_counters(order_request, buyer=buyer, quote=quote, redis_round=redis_round),
        mark_claim=partial(copy_context().run, _mark_claim),  # another request's thread may call it
    )


def _mark_claim() -> str | None:
    return mark_job(task=jobs.CLAIM_TASK, queue=jobs.SETTLEMENT_QUEUE)


def _take_later(asked: AskedOrder, *, redis_round: RedisRound, now: datetime | None) -> PlacedOrder:
    """Place an order; if its dollars are to be taken once its funds are proven, take them then, and try again."""
    judgement = _judge(asked, now=now, redis_round=redis_round)
    if judgement.has_funds:
        assert asked.counters.wanted is not None, "it is to be taken later"
        taking = redis_round.take_proven(asked.counters.wanted)
        taken = replace(asked, counters=replace(asked.counters, taking=taking))
        judgement = _judge(taken, now=now, redis_round=redis_round)
    if judgement.refusal:
        try:
            raise judgement.refusal.with_traceback(None)
        finally:
            del judgement  # its frames would hold it, and it them
    assert judgement.placed is not None, "an order is placed or refused"
    return judgement.placed


def _judge(asked: AskedOrder, *, now: datetime | None, redis_round: RedisRound) -> Judgement:
    """Place or refuse an order together with others that wait; alone, if that cannot be done or if it has a moment."""
    judgement = _judge_together(asked, redis_round=redis_round) if now is None else ALONE
    if judgement.alone:
        judgement = _judge_alone(asked=asked, now=now)
    if judgement.customer_id is not None:
        add_to_log_context(customer_id=judgement.customer_id)
    return judgement


def _judge_together(asked: AskedOrder, *, redis_round: RedisRound) -> Judgement:
    """Place an order with others that wait; with those of its customer only, while somebody else holds their wallet."""
    begun_at = monotonic()
    try:
        judgement = PASSED_OVER if _groups_of_customers.has(asked.buyer) else _group.submit(asked)
        if not judgement.passed_over:
            return judgement
        return _judge_among_own(asked=asked, until=monotonic() + _LONGEST_WAIT.total_seconds())
    except GroupFailed as failed:
        error = failed.__cause__
        has_time = monotonic() - begun_at < _LONG_WAIT.total_seconds() or not is_lost(error)
        if has_time and may_run_again(error, has_key=asked.key is not None):
            if may_be_committed(error):
                redis_round.keep()  # the order may stand, and be found by its key; the next count knows
            return ALONE
        assert isinstance(error, DatabaseError), "only a lost connection is not tried again"
        # A copy: to raise the error that all requests of the group have would change it.
        raise type(error)(*error.args) from error.__cause__


@retried_on_conflict
def _judge_among_own(*, asked: AskedOrder, until: float) -> Judgement:
    """Place an order with those of its customer that wait for the wallet too; with others at each try.

    Raises Busy if the wallet stays locked, if its turn does not come `until` a moment of the monotonic clock, or if the
    wallet is locked while half of the threads wait for it.
    """
    try:
        return _groups_of_customers.submit(asked.buyer, asked, patience=timedelta(seconds=max(until - monotonic(), 0)))
    except TurnTooLate as error:
        raise Busy from error


@retried_on_conflict
def _judge_alone(*, asked: AskedOrder, now: datetime | None) -> Judgement:
    return place_alone(asked=asked, now=now)


def _judge_group(group: Sequence[AskedOrder]) -> Sequence[Judgement]:
    with _failures_counted(size=len(group)):
        return place_group(group=group, patience=_PATIENCE)


def _judge_group_of_customer(group: Sequence[AskedOrder]) -> Sequence[Judgement]:
    with _failures_counted(size=len(group)):
        return place_group_of_customer(group=group)


@contextmanager
def _failures_counted(*, size: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        count_failed_group()
        if not is_conflict(error) and not is_lost(error):
            logger.exception("a group of %d orders failed, so each is tried again", size)
        raise


_group: Final = GroupCommit(_judge_group, most=_LARGEST_GROUP)
_groups_of_customers: Final = GroupCommitByKey[Principal, AskedOrder, Judgement](
    _judge_group_of_customer, most=_LARGEST_GROUP, crowd=settings.SERVING.order_threads // 2, patience=_PATIENCE
)


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


def _join_pool(placed: PlacedOrder) -> PlacedOrder:
    """Add a committed order to its pool's counter. Request the claim if other orders have filled the pool meanwhile."""
    order = placed.order
    total = pools.add(coin_name=placed.coin_name, amount=order.subtotal)
    if (
        total is not None
        and not placed.job_deferred
        and reaches_threshold(total=total, threshold=settings.POOLS.threshold)
    ):
        _request_claim(coin_id=order.coin_id)
    return replace(placed, pool_total=total)


def _request_claim(*, coin_id: int) -> None:
    """Request a claim after the commit, over this thread's own connection, which another thread's group has not used.

    The order stands, so its answer does not depend on this: without the claim, the sweep finds the full pool.
    """
    try:
        retried_on_conflict(jobs.request_claim)(coin_id=coin_id)
    except (Busy, DatabaseError, ConnectorException) as error:
        logger.warning("the claim of a full pool is left to the sweep: %s", error)
