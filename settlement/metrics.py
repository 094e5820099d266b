"""Settlement's counters, for Prometheus."""

from typing import Final

from prometheus_client import Counter

_MENDED: Final = Counter(
    "exchange_mended", "Repairs by the sweep: stalled work started again, or counters corrected.", ["what"]
)
_PAUSES: Final = Counter(
    "exchange_pauses", "Answers of a venue that paused buying there (no coin: of all coins).", ["coin", "venue"]
)

_FAILED: Final = Counter(
    "exchange_items_failed", "Items of a loop (coins, orders, jobs, rows) that failed without stopping it.", ["what"]
)


_UNTRUE: Final = Counter("exchange_untrue_answers", "Answers about a purchase that cannot be true. Staff decide.")


def count_untrue_answer() -> None:
    """Count an answer about a purchase that the gate did not let pass."""
    _UNTRUE.inc()


def count_mended(*, what: str, count: int = 1) -> None:
    """Count repairs by the sweep, by cause."""
    _MENDED.labels(what).inc(count)


def count_pause(*, coin: str, venue: str) -> None:
    """Count an answer of a venue that paused buying of `coin` (empty: of every coin) there."""
    _PAUSES.labels(coin, venue).inc()


def count_failed_item(*, what: str) -> None:
    """Count an item that failed, by the work that failed."""
    _FAILED.labels(what).inc()
