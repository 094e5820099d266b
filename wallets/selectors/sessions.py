"""Sign-ins of customers as the customers see them, and whether one is on a new device."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models.functions import Coalesce

from wallets.models import KnownAddress, TokenFamily, User
from wallets.selectors.accounts import Principal
from wallets.selectors.addresses import known_since

_MOST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Session:
    """A sign-in that has not ended: where it was used last, and what its device says that it is."""

    id: UUID
    address: str
    device: str
    signed_in_at: datetime
    used_at: datetime
    is_current: bool


def list_sessions(*, principal: Principal, now: datetime) -> list[Session]:
    """List the caller's sign-ins, at most 200: those that were used last come first."""
    assert principal.user_id is not None, "the account was read"
    alive = TokenFamily.objects.filter(user_id=principal.user_id, ended_at=None, expires_at__gt=now)
    latest = alive.annotate(used_at=Coalesce("replaced_at", "created_at")).order_by("-used_at", "id")[:_MOST]
    return [
        Session(
            id=family.pk,
            address=family.address,
            device=family.device,
            signed_in_at=family.created_at,
            used_at=family.used_at,
            is_current=family.pk == principal.family_id,
        )
        for family in latest
    ]


def is_new_device(*, user: User, address: str, device: str, now: datetime) -> bool:
    """Say whether the account has not signed in lately at the address, or not with a device that says it is this one.

    `address` is one of `wallets.web.addresses.client_address`. A sign-in is remembered until its tokens have expired.
    """
    if not TokenFamily.objects.filter(user=user, device=device).exists():
        return True
    known = KnownAddress.objects.filter(user=user, address=address, seen_at__gt=known_since(now=now))
    return not known.exists()
