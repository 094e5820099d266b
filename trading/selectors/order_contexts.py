"""Reads what decides about new orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings

from trading.headroom_rules import LastCount
from trading.loss_rules import day_of
from trading.models import is_coin_name
from trading.offers import CoinFields, Offer, PriceFields, make_offer
from trading.price_rules import RuleFields
from trading.risk import RecentOrders
from wallets.runtime import sql

_UNSETTLED_FOR: Final = timedelta(days=7)
"""How old an order can be that counts against its customer's share of a sales limit."""


@dataclass(frozen=True, kw_only=True)
class ContextQuery:
    """What to look for: the customer's recent orders, the coin's offer, and the orders with this key and this quote.

    If the coin has a sales limit, also the customer's unsettled orders of it.
    """

    customer_id: int
    coin_name: str
    key: str | None
    quote_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class OrderContext:
    """What decides about a new order: recent orders, the order with the same key, and the offer, if there are any.

    `quote_is_used`: an order has used the quote. `last_count`: what might still be sold of the coin, if it was counted.
    `unsettled`: the subtotals (US dollars) of the customer's orders of the coin, of the last week, that are neither
    settled nor held, if the coin has a sales limit; 0 otherwise.
    """

    recent: RecentOrders
    same_key_id: int | None
    quote_is_used: bool
    last_count: LastCount | None
    unsettled: Decimal
    offer: Offer | None


def read_order_contexts(*, queries: Sequence[ContextQuery], now: datetime) -> list[OrderContext]:
    """Read what the risk rules, the idempotency keys, the quotes and the prices of orders need, in one statement.

    RISK_MAX_ORDERS bounds the cost. The caller holds the locks on the customers' wallets, so that concurrent orders
    see each other. There is no offer unless `coin_name` (any text) is on sale.
    """
    asked = _as_records(queries)
    part, values = ("asked_order", asked[0]) if len(asked) == 1 else ("asked_orders", {"asked": sql.records(asked)})
    rows = sql.fetch_all(
        f"trading.order_contexts+trading.{part}",
        **values,
        now=now,
        since=now - settings.RISK.window,
        most=settings.RISK.max_orders + 1,
        unsettled_since=now - _UNSETTLED_FOR,
        today=day_of(now),
    )
    recent: dict[int, RecentOrders] = {}
    unsettled: dict[tuple[int, str], Decimal] = {}
    offers: dict[str, tuple[Offer | None, LastCount | None]] = {}
    contexts = []
    for query, row in zip(queries, sorted(rows), strict=True):
        _, same_key_id, quote_is_used, count, cancels, charge = row[:6]
        if query.customer_id not in recent:
            recent[query.customer_id] = RecentOrders(count=count, cancels=cancels, charge=charge)
        if query.coin_name not in offers:
            offers[query.coin_name] = _offer_and_count(row[6:-1])
        offer, last_count = offers[query.coin_name]
        context = OrderContext(
            recent=recent[query.customer_id],
            same_key_id=same_key_id,
            quote_is_used=quote_is_used,
            last_count=last_count,
            unsettled=unsettled.setdefault((query.customer_id, query.coin_name), row[-1]),
            offer=offer,
        )
        contexts.append(context)
    return contexts


def _as_records(queries: Sequence[ContextQuery]) -> list[dict[str, Any]]:
    """Return the statement's records: each customer's orders are counted once, and each coin is read once."""
    seen = set[object]()
    asked = []
    for number, query in enumerate(queries):
        customer_id, pair = query.customer_id, (query.customer_id, query.coin_name)
        asked.append(
            {
                "number": number,
                "customer_id": customer_id,
                "counted_id": None if customer_id in seen else customer_id,
                "unsettled_of": None if pair in seen else customer_id,
                "coin": query.coin_name if is_coin_name(query.coin_name) else None,
                "is_read": query.coin_name not in seen,
                "key": query.key,
                "quote": query.quote_id,
            }
        )
        seen.update((customer_id, query.coin_name, pair))
    return asked


def _offer_and_count(fields: tuple[Any, ...]) -> tuple[Offer | None, LastCount | None]:
    room, most, counted_at = fields[21:]
    last_count = LastCount(room=room, most=most, counted_at=counted_at) if counted_at else None
    stops = (fields[19], fields[20])
    return _offer_of(fields[:8], fields[8:13], fields[13:19], stops=stops, last_count=last_count), last_count


def _offer_of(
    coin: tuple[Any, ...],
    current: tuple[Any, ...],
    rule: tuple[Any, ...],
    *,
    stops: tuple[bool, date | None],
    last_count: LastCount | None,
) -> Offer | None:
    """Make the offer of the columns that LEFT JOINs have found; the id or the value is None if one has not."""
    if coin[0] is None:
        return None
    return make_offer(
        coin=cast("CoinFields", coin),
        current=None if current[0] is None else cast("PriceFields", current),
        rule=None if rule[0] is None else cast("RuleFields", rule),
        shop_is_closed=stops[0],
        stopped_on=stops[1],
        last_count=last_count,
    )
