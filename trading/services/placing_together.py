"""Places a group of orders in one database transaction: three statements, however many orders there are.

Each order is judged by itself, by the rules that it would meet alone; the orders of one wallet are judged one after the
other, and each finds what those before it have left. A refused order refuses only itself.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from trading import jobs
from trading.models import Order, Review
from trading.risk import Breach
from trading.services.asked_orders import AskedOrder, Judgement
from trading.services.judging import Placement, find_candidates, judge, judge_without_wallet
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints, sql
from wallets.runtime.log_context import add_to_log_context
from wallets.services.ledger.locking import lock_dollar_wallets, refuse_without_wallet
from wallets.services.ledger.moving import Movement, NewSubject, debit_for, debit_for_many

logger = logging.getLogger(__name__)


@transaction.atomic(durable=True)
def place_group(*, group: Sequence[AskedOrder], patience: timedelta) -> list[Judgement]:
    """Place the orders that nothing is against: with their charges, and a job for each coin that is to be claimed.

    The moment that counts is that of the last lock, by Postgres' clock. No customer's lock is waited for: the orders
    of one who is locked by somebody else are passed over. Any other lock is waited for no longer than `patience`.
    Of several orders, one that needs more than the three statements is left to be placed alone.
    Nothing runs after the commit: an error means that nothing was placed, unless it says that this is not known.
    """
    return _place(group, patience=patience, now=None)


@transaction.atomic(durable=True)
def place_group_of_customer(*, group: Sequence[AskedOrder]) -> list[Judgement]:
    """Place orders of one customer as `place_group` does, but wait for the customer's locks."""
    return _place(group, patience=None, now=None)


@transaction.atomic(durable=True)
def place_alone(*, asked: AskedOrder, now: datetime | None) -> Judgement:
    """Place an order in a database transaction of its own. Tests give a moment as `now`.

    Raises TokenInvalid and NotFound for a caller without a wallet.
    """
    [judgement] = _place([asked], patience=None, now=now)
    if judgement.alone:
        refuse_without_wallet(principal=asked.buyer)
    return judgement


def _place(group: Sequence[AskedOrder], *, patience: timedelta | None, now: datetime | None) -> list[Judgement]:
    found = lock_dollar_wallets(principals=[asked.buyer for asked in group], patience=patience)
    failpoints.reach("orders.locked")
    if len(group) == 1 and found[0] is not None:  # else the log lines of this thread are others' too
        add_to_log_context(customer_id=found[0].wallet.owner_id)
    candidates = find_candidates(group, found=found, now=now)
    placements: list[Placement] = []
    judgements = []
    for callers_wallet, candidate in zip(found, candidates, strict=True):
        if candidate is None:
            judgements.append(judge_without_wallet(callers_wallet, passes_over=patience is not None))
            continue
        judged = judge(candidate, before=placements, is_shared=len(group) > 1)
        if isinstance(judged, Placement):
            candidate.wallet.balance -= judged.order.charge
            placements.append(judged)
            judged = judged.as_judgement()
        judgements.append(judged)
    if placements:
        _write(placements)
        failpoints.reach("order.debited")
    return judgements


_JOB: Final = {"task": jobs.CLAIM_TASK, "queue": jobs.SETTLEMENT_QUEUE}
_WRITTEN: Final = (
    "customer_id",
    "coin_id",
    "amount",
    "price",
    "price_source",
    "price_at",
    "market_price",
    "spread_rate",
    "price_rule_id",
    "quote_id",
    "charge",
    "fee",
    "state",
    "is_pooled",
    "settle_by",
    "reason",
    "idempotency_key",
    "request_hash",
    "created_at",
    "held_at",
)
"""The attributes of a new order that are written; its other columns have defaults."""


def _write(placements: Sequence[Placement]) -> None:
    """Insert the orders, charge them, and insert a job for each coin that is to be claimed. One statement."""
    order_ids = _write_one(placements[0]) if len(placements) == 1 else _write_many(placements)
    for placement, order_id in zip(placements, order_ids, strict=True):
        placement.order.pk = order_id
        if placement.breach:
            _hold(placement.order, placement.breach)


def _write_one(placement: Placement) -> list[int]:
    """Do what `_write_many` does, for three quarters of Postgres' time."""
    mark = placement.asked.mark_claim() if placement.claim_now else None
    values = {**_columns(placement), **_JOB, "claim_now": placement.claim_now, "lock": mark}
    charge = Movement(
        amount=placement.order.charge,
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=placement.order.created_at,
    )
    subject = NewSubject(name="trading.place_order", values=values)
    return [debit_for(wallet=placement.wallet, movement=charge, subject=subject)]


def _write_many(placements: Sequence[Placement]) -> list[int]:
    orders = [
        {"number": number, "wallet_id": placement.wallet.id, **_columns(placement)}
        for number, placement in enumerate(placements)
    ]
    values = {**_JOB, "orders": sql.records(orders), "claims": sql.records(_claims(placements))}
    return debit_for_many(
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=placements[0].order.created_at,
        subject=NewSubject(name="trading.place_orders", values=values),
    )


def _claims(placements: Sequence[Placement]) -> list[dict[str, Any]]:
    """Return a claim for each coin that is to be claimed now. It continues the first trace of the coin's orders."""
    marks: dict[int, str | None] = {}
    for placement in placements:
        if placement.claim_now and marks.get(placement.order.coin_id) is None:
            marks[placement.order.coin_id] = placement.asked.mark_claim()
    return [{"coin_id": coin_id, "lock": mark} for coin_id, mark in marks.items()]


def _columns(placement: Placement) -> dict[str, Any]:
    return {name: getattr(placement.order, name) for name in _WRITTEN}


def _hold(order: Order, breach: Breach) -> None:
    logger.warning("order %s is held: %s", order.pk, breach.grounds, extra={"order_id": order.pk})
    Review.objects.create(order=order, customer_id=order.customer_id, rule=breach.rule, grounds=breach.grounds)
