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
from trading.services.judging import Draft, judge, judge_without_case, open_cases
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints, sql
from wallets.services.ledger.locking import lock_dollar_wallets, refuse_without_wallet
from wallets.services.ledger.moving import Movement, NewSubject, debit_for, debit_for_many

logger = logging.getLogger(__name__)


@transaction.atomic(durable=True)
def place_group(
    *, group: Sequence[AskedOrder], now: datetime | None = None, patience: timedelta | None = None
) -> list[Judgement]:
    """Judge orders, and place those that nothing is against: with their charges, and the jobs that claim them.

    The moment that counts is that of the last lock, by Postgres' clock; tests give another one as `now`. With
    `patience` the transaction waits no longer for each lock, and orders that need more than the three statements are
    left to be placed alone: as a group of one, without patience.

    Raises TokenInvalid and NotFound, without patience, for a customer without a wallet.
    """
    locks = lock_dollar_wallets(principals=[asked.buyer for asked in group], patience=patience)
    failpoints.reach("orders.locked")
    is_shared = len(group) > 1
    if patience is None and locks[0] is None:
        refuse_without_wallet(principal=group[0].buyer)
    cases = open_cases(group, locks=locks, now=now)
    drafts: list[Draft] = []
    judgements = []
    for lock, case in zip(locks, cases, strict=True):
        if case is None:
            judgements.append(judge_without_case(lock))
            continue
        judged = judge(case, before=drafts, is_shared=is_shared)
        if isinstance(judged, Draft):
            drafts.append(judged)
            case.wallet.balance -= judged.order.charge
            judged = Judgement(customer_id=case.wallet.owner_id, placed=judged.as_placed())
        judgements.append(judged)
    if drafts:
        _write(drafts)
        failpoints.reach("order.debited")
    return judgements


_JOB: Final = {"task": jobs.CLAIM_TASK, "queue": jobs.SETTLEMENT_QUEUE}
_WRITTEN: Final = (
    *("customer_id", "coin_id", "amount", "price", "price_source", "price_at", "market_price", "spread_rate"),
    *("price_rule_id", "quote_id", "charge", "fee", "state", "is_pooled", "settle_by", "reason", "idempotency_key"),
    *("request_hash", "created_at", "held_at"),
)


def _write(drafts: Sequence[Draft]) -> None:
    """Insert the orders, charge them, and insert a job for each coin that is to be claimed. One statement."""
    order_ids = _write_one(drafts[0]) if len(drafts) == 1 else _write_many(drafts)
    for draft, order_id in zip(drafts, order_ids, strict=True):
        draft.order.pk = order_id
        if draft.breach:
            _hold(draft.order, draft.breach)


def _write_one(draft: Draft) -> list[int]:
    """Do what `_write_many` does, for three quarters of Postgres' time."""
    values = {**_columns(draft), **_JOB, "claim_now": draft.claim_now, "lock": draft.asked.trace}
    charge = Movement(
        amount=draft.order.charge,
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=draft.order.created_at,
    )
    subject = NewSubject(name="trading.place_order", values=values)
    return [debit_for(wallet=draft.wallet, movement=charge, subject=subject)]


def _write_many(drafts: Sequence[Draft]) -> list[int]:
    orders = [
        {"number": number, "wallet_id": draft.wallet.id, **_columns(draft)} for number, draft in enumerate(drafts)
    ]
    traces = {draft.order.coin_id: draft.asked.trace for draft in reversed(drafts) if draft.claim_now}
    claims = [{"coin_id": coin_id, "lock": trace} for coin_id, trace in traces.items()]
    values = {**_JOB, "orders": sql.records(orders), "claims": sql.records(claims)}
    return debit_for_many(
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=drafts[0].order.created_at,
        subject=NewSubject(name="trading.place_orders", values=values),
    )


def _columns(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft.order, name) for name in _WRITTEN}


def _hold(order: Order, breach: Breach) -> None:
    logger.warning("order %s is held: %s", order.pk, breach.grounds, extra={"order_id": order.pk})
    Review.objects.create(order=order, customer_id=order.customer_id, rule=breach.rule, grounds=breach.grounds)
