"""Reads waiting orders and the totals of pools."""

from decimal import Decimal

from django.db.models import F, Sum

from trading.models import Coin, Order, OrderState
from trading.pool_rules import WaitingOrders
from trading.pools import read_counters
from wallets.runtime import sql


def read_pool_totals(*, coin_names: set[str]) -> dict[str, Decimal]:
    """Return each pool's total in US dollars: from its counter, or from Postgres if the counter is missing."""
    totals = read_counters(coin_names=sorted(coin_names))
    missing = coin_names - totals.keys()
    if missing:
        sums = sum_pools()
        totals |= {name: sums.get(name, Decimal(0)) for name in missing}
    return totals


def sum_pools() -> dict[str, Decimal]:
    """Return every pool's total from Postgres, by coin name, empty pools included. Reads no closed orders."""
    totals = dict.fromkeys(Coin.objects.filter(is_sold=True).values_list("name", flat=True), Decimal(0))
    pooled = Order.objects.filter(state=OrderState.POOLED).order_by()
    totals.update(pooled.values_list("coin__name").annotate(total=Sum(F("charge") - F("fee"))))
    return totals


def is_pool(*, batch_id: int) -> bool:
    """Say whether all open orders of a batch come from the pool."""
    return not Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING, is_pooled=False).exists()


def read_waiting_orders(*, coin_id: int) -> WaitingOrders:
    """Sum up the waiting orders of a coin. Large orders are not counted, because their backlog may be long."""
    row = sql.fetch_one("trading.waiting_orders", coin=coin_id)
    assert row is not None, "sums return a row"
    has_large, pool_total, pool_settle_by = row
    return WaitingOrders(has_large=has_large, pool_total=pool_total, pool_settle_by=pool_settle_by)
