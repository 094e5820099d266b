"""The parts of an adapter that its readers share."""

from dataclasses import dataclass
from typing import Any

from settlement.venues.ccxt.wire import CcxtWire
from settlement.venues.profiles.profile import VenueProfile


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A venue's profile, ccxt's client, and the wire over it."""

    profile: VenueProfile
    client: Any
    wire: CcxtWire
