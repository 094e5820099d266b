"""The caller, and whether their account is active."""

from dataclasses import dataclass

from wallets.exceptions import TokenInvalid
from wallets.models import User


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The customer named in a valid access token. The account may be disabled or frozen by now."""

    user_id: int
    token_version: int


def ensure_active(*, principal: Principal) -> None:
    """Raise TokenInvalid for a disabled account or a revoked token. One query."""
    users = User.objects.filter(pk=principal.user_id, token_version=principal.token_version, is_active=True)
    if not users.exists():
        raise TokenInvalid
