"""What settlement counts, for Prometheus."""

from typing import Final

from prometheus_client import Counter

_MENDED: Final = Counter(
    "exchange_mended", "What a sweep found standing still or wrong, and started or set right.", ["what"]
)
_PAUSES: Final = Counter("exchange_pauses", "How often the venue gave a reason to pause; no coin: all of it.", ["coin"])


def count_mended(*, what: str, count: int = 1) -> None:
    """Count what a sweep has mended."""
    _MENDED.labels(what).inc(count)


def count_pause(*, coin: str) -> None:
    """Count an answer that paused a coin, or the venue."""
    _PAUSES.labels(coin).inc()
