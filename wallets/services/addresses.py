"""Remembers where accounts have signed in, so that failures elsewhere cannot lock their owners out there."""

from datetime import datetime

from wallets.models import KnownAddress
from wallets.runtime import sql
from wallets.selectors.addresses import known_since


def remember_address(*, user_id: int, version: int, address: str, now: datetime) -> bool:
    """Note that the account has signed in at the address, or refreshed its tokens there. One statement.

    Say whether `version` is still the account's token version. If it is not, note nothing: the password or token that
    was checked may be a thief's by now.
    """
    noted = sql.execute("wallets.remember_address", user=user_id, version=version, address=address, now=now)
    return noted == 1


def forget_addresses(*, user_id: int) -> None:
    """Treat every address of the account as strange again. The database does so at a new password or a disabling."""
    KnownAddress.objects.filter(user_id=user_id).delete()


def prune_addresses(*, now: datetime) -> int:
    """Delete the addresses where nobody has signed in within 30 days, and return their number."""
    return KnownAddress.objects.filter(seen_at__lte=known_since(now=now)).delete()[0]
