"""The configured venues: their profiles, and one connection to each for each thread, opened on first use."""

import difflib
import logging
import threading
from collections.abc import Mapping
from typing import Final

from django.conf import settings

from settlement.venues.configured import config_of, list_configured
from settlement.venues.profiles.binance import BINANCE
from settlement.venues.profiles.binanceus import BINANCEUS
from settlement.venues.profiles.bybit import BYBIT
from settlement.venues.profiles.coinbase import COINBASE
from settlement.venues.profiles.kraken import KRAKEN
from settlement.venues.profiles.kucoin import KUCOIN
from settlement.venues.profiles.okx import OKX
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.refusals import Meaning
from settlement.venues.profiles.words import Failure
from settlement.venues.protocol import (
    Venue,
    VenueAway,
)
from settlement.venues.quotes import SecondSource

logger = logging.getLogger(__name__)

PROFILES: Final[Mapping[str, VenueProfile]] = {
    profile.name: profile for profile in (BINANCE, BINANCEUS, BYBIT, COINBASE, KRAKEN, KUCOIN, OKX)
}
"""Profiles by ccxt's name of the venue, which EXCHANGE_ID holds."""

_of_thread = threading.local()


class NoProfile(Exception):
    """Coins can be bought only at venues with a profile. `nearest` is the most similar name that has one, if any."""

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name.lower(), PROFILES, n=1, cutoff=0.6)
        self.name = name
        self.nearest = near[0] if near else None
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        super().__init__(f"{name!r:.40} is no venue with a profile (those are {', '.join(sorted(PROFILES))}){hint}")


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
        asked = CcxtSecondSource(
            name=settings.VENUE.check_id, url=settings.VENUE.url, quote_asset=settings.VENUE.quote_asset
        )
        _of_thread.second_source = MeasuredSecondSource(asked)
    source: SecondSource = _of_thread.second_source
    return source


def find_fault_of_second_source() -> str | None:
    """Return the reason why PRICE_CHECK_VENUE_ID cannot be used, or None. Loads ccxt, and asks nothing."""
    from settlement.venues.ccxt.second import find_fault_of_source

    if not settings.VENUE.check_id:
        return None
    return find_fault_of_source(settings.VENUE.check_id, venue=settings.VENUE.id)


def find_profile(name: str) -> VenueProfile:
    """Return the venue's profile. Raises NoProfile."""
    if name not in PROFILES:
        raise NoProfile(name)
    return PROFILES[name]


def proves_that_calls_are_refused(*, name: str, failure: Failure) -> bool:
    """Say whether a venue refused a question for a reason that stands: a key, a permission, the account."""
    return find_profile(name).refusals.find_meaning(failure) is Meaning.VENUE


def load_markets() -> None:
    """Load ccxt and all venues' markets now, for all threads, so that the first purchase does not wait for them."""
    for name in list_configured():
        try:
            get_venue(name).read_prices(coins=[])
        except VenueAway as error:
            logger.warning("%s does not answer; its markets will be loaded on first use: %s", name, error)
