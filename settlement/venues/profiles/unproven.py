"""The profile for any venue that ccxt knows and that nobody has tried with this code.

Requests are assumed not to expire, so "not found" never proves by itself that an order was not placed. Refusals are
read by Binance's tables. A venue with other codes matches none of them, so its refusals stay Unknown.
"""

from typing import Final

from settlement.venues.profiles.binance import BINANCE
from settlement.venues.profiles.profile import VenueProfile

UNPROVEN: Final = VenueProfile(
    requests_expire=False,
    lists_by_id=False,
    order_not_found_code=None,
    stale_timestamp_code=BINANCE.stale_timestamp_code,
    refusals=BINANCE.refusals,
)
