"""Waits before the venue is asked again: our own, and bounds for those that it asks for."""

import math
from typing import Final

from django.conf import settings

_RETRY_WAITS_SECONDS: Final = (1, 5, 15, 60)


def before_retry(*, number: int) -> float:
    """Return the wait in seconds after the attempt of a batch of this number, before the next one. The first is 1."""
    return _RETRY_WAITS_SECONDS[min(number, len(_RETRY_WAITS_SECONDS)) - 1]


def bounded(seconds: float | None) -> float:
    """Return a wait that the venue asked for, from 0 to EXCHANGE_MAX_WAIT_SECONDS; 0 for none and for no number."""
    if seconds is None or math.isnan(seconds):
        return 0.0
    return min(max(seconds, 0.0), settings.VENUE.max_wait_seconds)
