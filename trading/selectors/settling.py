"""Reads the open orders of a batch."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Max, QuerySet

from trading.models import Order, OrderState
from trading.offers import FIXED
from trading.price_moves import Comparison


def has_fixed_prices(*, batch_id: int) -> bool:
    """Say whether an open order of a batch has a price that staff fixed."""
    return Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING, price_source=FIXED).exists()


def newest_order_at(*, batch_id: int) -> datetime | None:
    """Return when the newest open order of a batch was placed, of those with a market price that staff did not fix."""
    newest: datetime | None = _at_market(batch_id).aggregate(at=Max("created_at"))["at"]
    return newest


def is_beyond_bounds(*, batch_id: int, ask: Decimal) -> bool:
    """Say whether an open order of a batch, of those at a market price, would lose more than it may at the ask."""
    return _at_market(batch_id).filter(Comparison(ask=ask).beyond).exists()


def _at_market(batch_id: int) -> QuerySet[Order]:
    open_orders = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING, market_price__isnull=False)
    return open_orders.exclude(price_source=FIXED)
