"""The caller, and whether their account is active."""

from dataclasses import dataclass

from wallets.exceptions import TokenInvalid
from wallets.models import User


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The customer whom a valid access token was given to. Whether they may act is still to be looked up."""

    user_id: int
    token_version: int


def ensure_active(*, principal: Principal) -> None:
    """Raise TokenInvalid for a disabled account and for an outdated token. One query."""
    users = User.objects.filter(pk=principal.user_id, token_version=principal.token_version, is_active=True)
    if not users.exists():
        raise TokenInvalid
