"""See what the account at the venue holds, before staff's decision to book what a venue did beyond a request."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from settlement.clock import database_now
from settlement.connections import release_database_connection
from settlement.services.pausing import ask_to_call, pause_after_no_answer
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
    permit = ask_to_call(now=now)
    if permit.wait_until:
        return None
    release_database_connection()
    try:
        held = venue.read_balances()
    except VenueAway as error:
        if error.retry_after_seconds is not None:
            pause_after_no_answer(coin=None, error=error, now=now)
        return None
    permit.report_answer()
    return AccountSeen(coins=held.get(coin, Decimal(0)), funds=held.get(settings.VENUE.quote_asset), seen_at=now)
