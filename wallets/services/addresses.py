"""Remembers where accounts have signed in, so that failures elsewhere cannot lock their owners out there."""

from datetime import datetime

from wallets.models import KnownAddress
from wallets.selectors.addresses import known_since


def remember_address(*, user_id: int, address: str, now: datetime) -> None:
    """Note that the account has signed in at the address, or refreshed its tokens there. One statement."""
    KnownAddress.objects.bulk_create(
        [KnownAddress(user_id=user_id, address=address, seen_at=now)],
        update_conflicts=True,
        unique_fields=["user", "address"],
        update_fields=["seen_at"],
    )


def forget_addresses(*, user_id: int) -> None:
    """Treat every address of the account as strange again. The database does so at a new password or a disabling."""
    KnownAddress.objects.filter(user_id=user_id).delete()


def prune_addresses(*, now: datetime) -> int:
    """Delete the addresses where nobody has signed in within 30 days, and return their number."""
    return KnownAddress.objects.filter(seen_at__lte=known_since(now=now)).delete()[0]
