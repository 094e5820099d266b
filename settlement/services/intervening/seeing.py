"""See what the account at the venue holds, before staff's decision to book what a venue did beyond a request."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from settlement.clock import database_now
from settlement.services.calling import call
from settlement.venues.configured import quote_asset_of
from settlement.venues.protocol import Venue, VenueAway


@dataclass(frozen=True, kw_only=True)
class AccountSeen:
    """What the account held at `seen_at` of a coin and of the quote asset; `funds` is None if the venue did not say."""

    coins: Decimal
    funds: Decimal | None
    seen_at: datetime


def see_account(*, coin: str, venue: Venue) -> AccountSeen | None:
    """Read the account, or return None if the venue does not say what it holds."""
    now = database_now()
    try:
        held = call(venue=venue.name, read=venue.read_balances, now=now)
    except VenueAway:
        return None
    funds = held.get(quote_asset_of(venue.name))
    return AccountSeen(coins=held.get(coin, Decimal(0)), funds=funds, seen_at=now)
