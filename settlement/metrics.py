"""Settlement's counters, for Prometheus."""

from typing import Final

from prometheus_client import Counter

_MENDED: Final = Counter(
    "exchange_mended", "Repairs of the sweep: work that stood still, or figures that were wrong.", ["what"]
)
_PAUSES: Final = Counter("exchange_pauses", "How often the venue gave a reason to pause; no coin: all of it.", ["coin"])


def count_mended(*, what: str, count: int = 1) -> None:
    """Count repairs of the sweep, by cause."""
    _MENDED.labels(what).inc(count)


def count_pause(*, coin: str) -> None:
    """Count an answer that paused a coin, or the venue."""
    _PAUSES.labels(coin).inc()
