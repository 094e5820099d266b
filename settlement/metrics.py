"""Settlement's counters, for Prometheus."""

from typing import Final

from prometheus_client import Counter

_MENDED: Final = Counter(
    "exchange_mended", "Repairs by the sweep: stalled work started again, or counters corrected.", ["what"]
)
_PAUSES: Final = Counter(
    "exchange_pauses", "Answers of the venue that paused buying (no coin: of all coins).", ["coin"]
)


def count_mended(*, what: str, count: int = 1) -> None:
    """Count repairs by the sweep, by cause."""
    _MENDED.labels(what).inc(count)


def count_pause(*, coin: str) -> None:
    """Count an answer of the venue that paused buying of `coin` (empty: of every coin)."""
    _PAUSES.labels(coin).inc()
