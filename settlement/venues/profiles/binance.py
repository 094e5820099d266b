"""Binance, and Binance.US, which runs the same API.

Sources: "Error codes for Binance", "Filters", for lists "All orders", and for the time of prices "24hr ticker price
change statistics" of the spot REST API documentation: its `closeTime` is the end of the statistics, not the last trade.
"""

from dataclasses import replace
from typing import Final

from settlement.venues.profiles.profile import Refusals, VenueProfile
from settlement.venues.protocol import Trouble

BINANCE: Final = VenueProfile(
    requests_expire=True,
    lists_by_id=True,
    order_not_found_code="-2013",
    quote_time="timestamp",  # closeTime
    stale_timestamp_code="-1021",
    refusals=Refusals(
        refused_codes=frozenset({"-1121"}),  # unknown symbol
        refused_filters=frozenset({"MAX_POSITION"}),
        not_placed_codes={
            "-1002": Trouble.VENUE,  # not authorised
            "-1003": Trouble.CALLS,  # rate limit
            "-1015": Trouble.VENUE,  # order rate limit
            "-1021": None,  # clock
            "-1022": Trouble.VENUE,  # signature
            "-1111": None,  # precision
            "-2014": Trouble.VENUE,  # key
            "-2015": Trouble.VENUE,  # key, address or permission
        },
        not_placed_messages={
            "Account has insufficient balance": Trouble.COIN,
            "This action is disabled on this account": Trouble.VENUE,
            "This account may not place or cancel orders": Trouble.VENUE,
            "Market is closed": Trouble.COIN,
        },
        order_limit_codes=frozenset({"-1015"}),
        filter_failure="Filter failure",
    ),
)
BINANCE_US: Final = replace(BINANCE, order_not_found_code=None)
