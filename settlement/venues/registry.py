"""The configured venue: its profile by name, and one connection a thread, opened on first use."""

import logging
import threading
from collections.abc import Mapping
from typing import Final

from django.conf import settings

from settlement.venues.profiles.binance import BINANCE, BINANCE_US
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.unproven import UNPROVEN
from settlement.venues.protocol import Venue, VenueAway

logger = logging.getLogger(__name__)

_PROFILES: Final[Mapping[str, VenueProfile]] = {"binance": BINANCE, "binanceus": BINANCE_US}
"""By the name that EXCHANGE_ID gives the venue, which is ccxt's."""

_of_thread = threading.local()


def get_venue() -> Venue:
    """Return the thread's own connection to the configured venue.

    ccxt is loaded here, and so only in processes that settle: it takes a third of a second and 75 MiB.
    """
    from settlement.venues.ccxt.adapter import CcxtVenue
    from settlement.venues.measured import MeasuredVenue

    if not hasattr(_of_thread, "venue"):
        _of_thread.venue = MeasuredVenue(CcxtVenue(profile=find_profile(settings.VENUE.id)))
    venue: Venue = _of_thread.venue
    return venue


def find_profile(name: str) -> VenueProfile:
    """Return the venue's own profile, or that of all venues nobody has tried."""
    return _PROFILES.get(name, UNPROVEN)


def load_markets() -> None:
    """Load ccxt and the venue's markets now, for all threads, and not during the first purchase."""
    try:
        get_venue().read_prices(coins=[])
    except VenueAway as error:
        logger.warning("the venue does not answer; its markets are loaded when they are needed: %s", error)
