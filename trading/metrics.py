"""The shop's metrics for Prometheus. They change only after a commit, so that a rollback leaves no trace."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from django.db import transaction
from prometheus_client import Counter, Histogram

from trading.headroom_rules import Shortage
from trading.models import OrderState

_PLACED: Final = Counter("exchange_orders_placed", "Orders placed, by the state they began in.", ["state"])
_FAILED_GROUPS: Final = Counter(
    "exchange_order_groups_failed",
    "Database transactions of groups of orders that failed; the orders were tried again.",
)
_CLOSED: Final = Counter("exchange_orders_closed", "Orders completed, refunded or cancelled.", ["state"])
_FEES: Final = Counter("exchange_fees_usd", "Fees of completed orders, in US dollars.")
_SETTLEMENT_SECONDS: Final = Histogram(
    "exchange_settlement_seconds",
    "From placing an order to its completion.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 7200),
)

_NO_ROOM: Final = Counter("exchange_orders_without_room", "Orders refused because of what may still be sold.", ["by"])
_SUSPENSIONS: Final = Counter("exchange_price_suspensions", "Coins suspended because their price jumped.", ["coin"])
_SUSPENSIONS_ENDED: Final = Counter(
    "exchange_price_suspensions_ended", "Suspensions of coins that have ended, by how.", ["coin", "outcome"]
)


def count_suspension_after_commit(*, coin: str) -> None:
    """Count the suspension of a coin that the current database transaction begins, after it commits."""
    transaction.on_commit(_SUSPENSIONS.labels(coin).inc)


def count_suspension_end_after_commit(*, coin: str, outcome: str) -> None:
    """Count the suspension of a coin that the current database transaction ends, after it commits."""
    transaction.on_commit(_SUSPENSIONS_ENDED.labels(coin, outcome).inc)


def count_failed_group() -> None:
    """Count a database transaction of a group of orders that was rolled back, or of which that is not known."""
    _FAILED_GROUPS.inc()


def count_placed(*, state: str) -> None:
    """Count an order whose database transaction has committed."""
    _PLACED.labels(state).inc()


def count_without_room(*, by: Shortage) -> None:
    """Count an order that is refused because it is more than may still be sold."""
    _NO_ROOM.labels(by.value).inc()


def count_closed_after_commit(*, state: OrderState, count: int = 1, ages: Iterable[float] = ()) -> None:
    """Count orders that the current database transaction closes, after it commits.

    `ages` are the seconds from placing each completed order to its completion.
    """

    def count_now() -> None:
        _CLOSED.labels(state.value).inc(count)
        for seconds in ages:
            _SETTLEMENT_SECONDS.observe(seconds)

    transaction.on_commit(count_now)


def count_fees_after_commit(*, fee: Decimal) -> None:
    """Add the fees (US dollars) of orders that the current database transaction completes, after it commits."""
    if fee:
        transaction.on_commit(lambda: _FEES.inc(float(fee)))
