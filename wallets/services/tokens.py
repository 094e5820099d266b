"""Access and refresh tokens (JSON Web Tokens, RFC 7519). The refresh tokens of one sign-in form a family."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import transaction
from ninja_jwt.exceptions import TokenError

from wallets.exceptions import TokenInvalid
from wallets.models import TokenFamily, User
from wallets.runtime import clock
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import Principal
from wallets.services.dated_tokens import AccessToken, RefreshToken

_VERSION_CLAIM = "version"
_FAMILY_CLAIM = "family"


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """An access token for API calls, and a refresh token that is exchanged for the next pair."""

    access: str
    refresh: str


def start_token_family(*, user: User, now: datetime) -> TokenPair:
    """Return the first pair of tokens of a new sign-in."""
    token = _refresh_token(user, family_id=uuid.uuid4())
    TokenFamily.objects.create(
        id=token[_FAMILY_CLAIM],
        user=user,
        current_jti=token["jti"],
        created_at=now,
        expires_at=now + RefreshToken.lifetime,
    )
    return _pair(token)


def read_access_token(token: str) -> Principal:
    """Return the customer named in the token's signed claims, without a query. Raises TokenInvalid."""
    principal, expires_at = _verify_access_token(token)
    if expires_at <= clock.now().timestamp():
        raise TokenInvalid
    return principal


@lru_cache(maxsize=10_000)
def _verify_access_token(token: str) -> tuple[Principal, int]:
    """Return the token's customer and expiry (Unix time). Cached, because a valid signature stays valid."""
    claims = _decode(AccessToken, token)
    user_id, version = claims.get("user_id"), claims.get(_VERSION_CLAIM)
    if type(user_id) is not int or type(version) is not int:
        raise TokenInvalid
    return Principal(user_id=user_id, token_version=version), claims["exp"]


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """The customer and the sign-in named in a signed refresh token. Both may have ended by now."""

    user_id: int
    family: str


def read_refresh_token(token: str) -> SignedIn:
    """Return the sign-in named in the token's signed claims, without a query. Raises TokenInvalid."""
    claims = _decode(RefreshToken, token)
    user_id, family = claims.get("user_id"), claims.get(_FAMILY_CLAIM)
    if type(user_id) is not int or type(family) is not str:
        raise TokenInvalid
    return SignedIn(user_id=user_id, family=family)


def rotate_refresh_token(*, refresh: str, now: datetime) -> TokenPair:
    """Exchange a refresh token for the next pair; the old token becomes invalid.

    Raises TokenInvalid. A second use of the old token ends its whole family, because two parties hold that token.
    """
    claims = _decode(RefreshToken, refresh)
    pair = _rotate(claims=claims, now=now)
    if pair is None:
        raise TokenInvalid
    return pair


@retried_on_conflict
@transaction.atomic(durable=True)
def _rotate(*, claims: Any, now: datetime) -> TokenPair | None:
    """Return the next pair, or None for an invalid token. Raising would roll back the end of the family."""
    family = _lock_family(claims)
    if family is None or family.ended_at or not family.user.is_active:
        return None
    if family.current_jti != claims["jti"] or family.user.token_version != claims.get(_VERSION_CLAIM):
        _end(family, now)
        return None
    token = _refresh_token(family.user, family_id=family.id)
    family.current_jti = token["jti"]
    family.expires_at = now + RefreshToken.lifetime
    family.save(update_fields=["current_jti", "expires_at"])
    return _pair(token)


@retried_on_conflict
@transaction.atomic(durable=True)
def sign_out(*, refresh: str, user_id: int, now: datetime) -> None:
    """End the token family of `refresh`. Raises TokenInvalid, also for a token of another user."""
    family = _lock_family(_decode(RefreshToken, refresh))
    if family is None or family.ended_at or family.user_id != user_id:
        raise TokenInvalid
    _end(family, now)


def prune_token_families(*, before: datetime) -> int:
    """Delete the token families that expired before `before`, and return their number."""
    return TokenFamily.objects.filter(expires_at__lt=before).delete()[0]


def _lock_family(claims: Any) -> TokenFamily | None:
    try:
        family_id = uuid.UUID(claims.get(_FAMILY_CLAIM))
    except (TypeError, ValueError, AttributeError):
        return None
    return (
        TokenFamily.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(id=family_id)
        .first()
    )


def _end(family: TokenFamily, now: datetime) -> None:
    family.ended_at = now
    family.save(update_fields=["ended_at"])


def _refresh_token(user: User, *, family_id: uuid.UUID) -> Any:
    token = RefreshToken.for_user(user)
    token[_FAMILY_CLAIM] = str(family_id)
    token[_VERSION_CLAIM] = user.token_version
    return token


def _pair(token: Any) -> TokenPair:
    return TokenPair(access=str(token.access_token), refresh=str(token))


def _decode(kind: Any, token: str) -> Any:
    try:
        return kind(token)
    except TokenError as error:
        raise TokenInvalid from error
