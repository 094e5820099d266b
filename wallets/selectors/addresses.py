"""The addresses where an account has signed in lately."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from wallets.runtime import sql

_KNOWN_DAYS: Final = 30


def is_known_address(*, username: str, address: str, now: datetime) -> bool:
    """Say whether the account has signed in at the address within 30 days, or refreshed its tokens there.

    `address` is an IPv4 address or an IPv6 /64, as `wallets.web.addresses` gives it. One query, also for an unknown
    name.
    """
    since = known_since(now=now)
    return sql.fetch_one("wallets.is_known_address", username=username, address=address, since=since) is not None


def known_since(*, now: datetime) -> datetime:
    """Return the moment before which an address is forgotten. No refresh token lives longer than its address."""
    return now - timedelta(days=max(_KNOWN_DAYS, settings.SIGN_IN.refresh_token_days))
