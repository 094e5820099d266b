"""Bounds for the waits that a venue asks for."""

import math

from django.conf import settings


def bounded(seconds: float | None) -> float:
    """Return a wait that the venue asked for, from 0 to EXCHANGE_MAX_WAIT_SECONDS; 0 for none and for no number."""
    if seconds is None or math.isnan(seconds):
        return 0.0
    return min(max(seconds, 0.0), settings.VENUE.max_wait_seconds)
