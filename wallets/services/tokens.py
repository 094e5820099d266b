"""Access and refresh tokens (JSON Web Tokens, RFC 7519). The refresh tokens of one sign-in form a family.

A pair of tokens is made from the family, the id of its refresh token and the time of issue, and from nothing else. So a
refresh whose answer was lost can be answered again, although no token is stored.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from ninja_jwt.exceptions import TokenError

from wallets.exceptions import NotFound, TokenInvalid
from wallets.models import SecurityEventKind, TokenFamily, User
from wallets.runtime import clock, sql
from wallets.runtime.acting import current_origin
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.accounts import Principal
from wallets.services.addresses import forget_addresses, remember_address
from wallets.services.dated_tokens import AccessToken, RefreshToken
from wallets.services.security_log import record_event

_VERSION_CLAIM = "version"
_FAMILY_CLAIM = "family"
_SUBJECT_CLAIM = "sub"
_LARGEST_VERSION: Final = 2**31 - 1
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999, the last that datetime knows


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """An access token for API calls, and a refresh token that is exchanged for the next pair."""

    access: str
    refresh: str


@dataclass(frozen=True, kw_only=True)
class _Claims:
    """The claims that this project reads, of the right types. `expires_at` is in Unix time."""

    subject: uuid.UUID
    version: int
    family_id: uuid.UUID
    jti: str
    expires_at: int


def start_token_family(*, user: User, now: datetime, address: str | None = None) -> TokenPair:
    """Return the first pair of tokens of a new sign-in, and remember its address, if given. One statement.

    Raises TokenInvalid if the user's tokens were revoked since `user` was read, so that the password that was checked
    may be an old one. A revocation that is under way is waited for.
    """
    family = TokenFamily(
        user=user, current_jti=uuid.uuid4().hex, created_at=now, expires_at=now + RefreshToken.lifetime
    )
    begun = sql.fetch_one(
        "wallets.begin_sign_in",
        user=user.pk,
        version=user.token_version,
        address=address,
        family=family.pk,
        jti=family.current_jti,
        now=now,
        expires_at=family.expires_at,
        exact_address=current_origin().address,
        device=current_origin().device,
    )
    if begun is None:
        raise TokenInvalid
    return _current_pair(family, user=user, issued_at=now)


def read_access_token(token: str) -> Principal:
    """Return the customer named in the token's signed claims, without a query. Raises TokenInvalid."""
    principal, expires_at = _verify_access_token(token)
    if expires_at + settings.SIGN_IN.leeway_seconds <= clock.now().timestamp():
        raise TokenInvalid
    return principal


@lru_cache(maxsize=10_000)
def _verify_access_token(token: str) -> tuple[Principal, int]:
    """Return the token's customer and expiry (Unix time). Cached, because a valid signature stays valid."""
    claims = _decode(AccessToken, token)
    principal = Principal(subject=claims.subject, token_version=claims.version, family_id=claims.family_id)
    return principal, claims.expires_at


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """The sign-in named in a signed refresh token. It may have ended by now."""

    family: str


def read_refresh_token(token: str) -> SignedIn:
    """Return the sign-in named in the token's signed claims, without a query. Raises TokenInvalid."""
    claims = _decode(RefreshToken, token)
    return SignedIn(family=str(claims.family_id))


def rotate_refresh_token(*, refresh: str, now: datetime, address: str | None = None) -> TokenPair:
    """Exchange a refresh token for the next pair; the old token becomes invalid. Remember the address, if given.

    Within `REFRESH_GRACE_SECONDS` the token that was replaced last yields the same pair again, because its answer may
    have been lost. Raises TokenInvalid. Any other second use of a token ends its whole family, because two parties
    hold that token.
    """
    pair = _rotate(claims=_decode(RefreshToken, refresh), now=now, address=address)
    if pair is None:
        raise TokenInvalid
    return pair


@retried_on_conflict
@transaction.atomic(durable=True)
def _rotate(*, claims: _Claims, now: datetime, address: str | None) -> TokenPair | None:
    """Return the next pair, or None for an invalid token. Raising would roll back the end of the family."""
    family = _lock_family(claims)
    if family is None or family.ended_at:
        return None
    user = User.objects.get(pk=family.user_id)  # after the wait for the family: it may have been disabled by then
    if not user.is_active or user.token_version != claims.version:
        _end(family, now)
        return None
    if claims.jti == family.current_jti:
        _replace_current_token(family, now)
    elif not _is_within_grace(family, claims, now):
        _end(family, now)
        forget_addresses(user_id=user.pk)  # a thief may have refreshed from one of them
        record_event(SecurityEventKind.REFRESH_REUSED, user=user)
        return None
    # In this transaction: a reuse that ends the family, and forgets addresses, waits for it.
    if address and not remember_address(user_id=user.pk, version=claims.version, address=address, now=now):
        _end(family, now)
        return None
    assert family.replaced_at is not None
    return _current_pair(family, user=user, issued_at=family.replaced_at)


def _replace_current_token(family: TokenFamily, now: datetime) -> None:
    family.replaced_jti = family.current_jti
    family.replaced_at = now
    family.current_jti = uuid.uuid4().hex
    family.expires_at = now + RefreshToken.lifetime
    family.address = current_origin().address
    family.save(update_fields=["current_jti", "replaced_jti", "replaced_at", "expires_at", "address"])


def _is_within_grace(family: TokenFamily, claims: _Claims, now: datetime) -> bool:
    if family.replaced_at is None or claims.jti != family.replaced_jti:
        return False
    return now <= family.replaced_at + settings.SIGN_IN.refresh_grace


@retried_on_conflict
@transaction.atomic(durable=True)
def sign_out(*, refresh: str, user_id: int, now: datetime) -> None:
    """End the token family of `refresh`. Raises TokenInvalid, also for a token of another user."""
    family = _lock_family(_decode(RefreshToken, refresh))
    if family is None or family.ended_at or family.user_id != user_id:
        raise TokenInvalid
    _end(family, now)
    record_event(SecurityEventKind.SIGNED_OUT, user=family.user)


@retried_on_conflict
@transaction.atomic(durable=True)
def end_session(*, family_id: uuid.UUID, user_id: int, now: datetime) -> None:
    """End a sign-in of the user, on whatever device. Raises NotFound for another user's, and if it has ended."""
    alive = TokenFamily.objects.select_for_update(no_key=True, of=("self",)).filter(ended_at=None, expires_at__gt=now)
    family = alive.filter(id=family_id, user_id=user_id).first()
    if family is None:
        raise NotFound
    _end(family, now)
    record_event(SecurityEventKind.SESSION_ENDED, user=family.user, details={"device": family.device})


def end_sign_ins(*, user_id: int, now: datetime) -> None:
    """End every sign-in of a user whose tokens are revoked, so that none is shown as if it worked."""
    TokenFamily.objects.filter(user_id=user_id, ended_at=None).update(ended_at=now)


def end_all_token_families(*, now: datetime) -> int:
    """End every sign-in, with its access tokens, and return their number. Everybody signs in again."""
    return TokenFamily.objects.filter(ended_at=None, expires_at__gt=now).update(ended_at=now)


def prune_token_families(*, before: datetime) -> int:
    """Delete the token families that expired before `before`, and return their number."""
    return TokenFamily.objects.filter(expires_at__lt=before).delete()[0]


def _lock_family(claims: _Claims) -> TokenFamily | None:
    families = TokenFamily.objects.select_for_update(no_key=True, of=("self",))
    return families.filter(id=claims.family_id, user__subject=claims.subject).first()


def _end(family: TokenFamily, now: datetime) -> None:
    """End the family, at once for its access tokens too: whatever moves money reads `ended_at` from a locked row."""
    family.ended_at = now
    family.save(update_fields=["ended_at"])


def _current_pair(family: TokenFamily, *, user: User, issued_at: datetime) -> TokenPair:
    """Return the pair of the family's current refresh token. Equal arguments give equal tokens."""
    refresh = RefreshToken.for_user(user)
    refresh[_FAMILY_CLAIM] = str(family.id)
    refresh[_VERSION_CLAIM] = user.token_version
    refresh["jti"] = family.current_jti
    # Never in the future: another host would refuse such a token.
    refresh.set_iat(at_time=min(issued_at, clock.now()))
    refresh.set_exp(from_time=issued_at)
    access = refresh.access_token
    access["jti"] = uuid.uuid5(family.id, family.current_jti).hex
    access.set_exp(from_time=issued_at)
    return TokenPair(access=str(access), refresh=str(refresh))


def _decode(kind: Any, token: str) -> _Claims:
    """Verify a token and return its claims. Raises TokenInvalid, also for signed claims of wrong types.

    The library lets the errors of int() and of datetime through.
    """
    try:
        claims = kind(token)
        family_id, subject = uuid.UUID(claims.get(_FAMILY_CLAIM)), uuid.UUID(claims.get(_SUBJECT_CLAIM))
    except (TokenError, TypeError, ValueError, AttributeError, ArithmeticError, OSError, RecursionError) as error:
        raise TokenInvalid from error
    version, jti, expires_at = claims.get(_VERSION_CLAIM), claims.get("jti"), claims.get("exp")
    if type(version) is not int or type(expires_at) is not int or not isinstance(jti, str):
        raise TokenInvalid
    if not 0 <= version <= _LARGEST_VERSION or expires_at > _LAST_SECOND:
        raise TokenInvalid
    _ensure_begun(claims)
    return _Claims(subject=subject, version=version, family_id=family_id, jti=jti, expires_at=expires_at)


def _ensure_begun(claims: Any) -> None:
    """Raise TokenInvalid if a token is of the future: RFC 7519, sections 4.1.5 and 4.1.6."""
    latest = clock.now().timestamp() + settings.SIGN_IN.leeway_seconds
    for claim in ("iat", "nbf"):
        begins_at = claims.get(claim, 0)
        if type(begins_at) is not int or begins_at > latest:
            raise TokenInvalid
