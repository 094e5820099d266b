"""The configured venues: their profiles, and one connection to each for each thread, opened on first use."""

import logging
import threading
from collections.abc import Mapping
from typing import Final

from django.conf import settings

from settlement.venues.configured import config_of, list_configured
from settlement.venues.profiles.binance import BINANCE, BINANCE_US
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.unproven import UNPROVEN
from settlement.venues.protocol import SecondSource, Venue, VenueAway

logger = logging.getLogger(__name__)

_PROFILES: Final[Mapping[str, VenueProfile]] = {"binance": BINANCE, "binanceus": BINANCE_US}
"""Profiles by ccxt's name of the venue, which EXCHANGE_ID holds."""

_of_thread = threading.local()


def get_venue(name: str | None = None) -> Venue:
    """Return the current thread's own connection to a venue; without a name, to the one that EXCHANGE_ID names.

    Raises VenueNotConfigured. ccxt is imported here, so that only processes that settle load it: ccxt takes a third of
    a second and 75 MiB.
    """
    from settlement.venues.ccxt.adapter import CcxtVenue
    from settlement.venues.measured import MeasuredVenue

    wanted = name or settings.VENUE.id
    opened: dict[str, Venue] = vars(_of_thread).setdefault("venues", {})
    if wanted not in opened:
        opened[wanted] = MeasuredVenue(CcxtVenue(profile=find_profile(wanted), config=config_of(wanted)))
    return opened[wanted]


def get_second_source() -> SecondSource | None:
    """Return the current thread's own connection to the second source of prices; None if none is configured."""
    from settlement.venues.ccxt.second import CcxtSecondSource
    from settlement.venues.measured import MeasuredSecondSource

    if not settings.VENUE.check_id:
        return None
    if not hasattr(_of_thread, "second_source"):
        _of_thread.second_source = MeasuredSecondSource(CcxtSecondSource(name=settings.VENUE.check_id))
    source: SecondSource = _of_thread.second_source
    return source


def find_fault_of_second_source() -> str | None:
    """Return the reason why PRICE_CHECK_VENUE_ID cannot be used, or None. Loads ccxt, and asks nothing."""
    from settlement.venues.ccxt.second import find_fault_of_source

    if not settings.VENUE.check_id:
        return None
    return find_fault_of_source(settings.VENUE.check_id, venue=settings.VENUE.id)


def find_profile(name: str) -> VenueProfile:
    """Return the venue's own profile, or UNPROVEN for a venue without one."""
    return _PROFILES.get(name, UNPROVEN)


def load_markets() -> None:
    """Load ccxt and all venues' markets now, for all threads, so that the first purchase does not wait for them."""
    for name in list_configured():
        try:
            get_venue(name).read_prices(coins=[])
        except VenueAway as error:
            logger.warning("%s does not answer; its markets will be loaded on first use: %s", name, error)
