"""Who is calling, and whether they have called too often. Ninja runs these before an operation."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from wallets.exceptions import TokenInvalid
from wallets.limits import ANONYMOUS, USER, Limit, Usage, count_call_against_all
from wallets.selectors import Principal, ensure_active
from wallets.services.tokens import read_access_token

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_CUSTOMER_PREFIX = 64  # what one customer is given, RFC 6177


class AccessToken(HttpBearer):
    """A customer with an access token. Counts against USER and, if given, a narrower limit.

    Calls without a good token count against ANONYMOUS, so that guessing is limited too.
    """

    def __init__(self, *, limit: Limit | None = None) -> None:
        super().__init__()
        self._limits = (USER, limit) if limit else (USER,)

    def __call__(self, request: HttpRequest) -> Any:
        try:
            caller = super().__call__(request)
        except TokenInvalid:
            _limit_stranger(request)
            raise
        if caller is None:
            _limit_stranger(request)
            raise TokenInvalid("An access token is needed: Authorization: Bearer <token>.")
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> Principal:
        """A signed, unexpired token, and no query.

        For operations that read the caller's wallet or lock it: they see at once whether the account is active.
        """
        principal = read_access_token(token)
        limit_caller(request, *self._limits, caller=str(principal.user_id))
        return principal


class FreshAccessToken(AccessToken):
    """The same, of an account that is active today. Costs one query."""

    def authenticate(self, request: HttpRequest, token: str) -> Principal:
        principal = super().authenticate(request, token)
        ensure_active(principal=principal)
        return principal


class Anybody:
    """No token needed; counts against a limit of the caller's address.

    What the operation is going to read from Redis it may name: the keys `along` are read in the same round trip.
    """

    def __init__(self, limit: Limit = ANONYMOUS, *, along: Sequence[str] = ()) -> None:
        self._limit = limit
        self._along = along

    def __call__(self, request: HttpRequest) -> str:
        address = client_address(request)
        limit_caller(request, self._limit, caller=address, along=self._along)
        return address


def caller(request: HttpRequest) -> Any:
    """Whom the operation's authentication let in: a Principal, or an address."""
    return request.auth  # type: ignore[attr-defined]  # set by Ninja


def found_along(request: HttpRequest) -> Sequence[str | None]:
    """What Redis held under the keys that the operation's authentication read along."""
    return request.found_along  # type: ignore[attr-defined, no-any-return]  # set below


def limit_caller(request: HttpRequest, *limits: Limit, caller: str, along: Sequence[str] = ()) -> None:
    """Count the call; every answer to it says what is left. Raises RateLimited."""
    count = count_call_against_all(limits=limits, caller=caller, along=along)
    request.rate_limits = [*limits_counted(request), *count.usages]  # type: ignore[attr-defined]  # ours
    if along:
        request.found_along = count.found  # type: ignore[attr-defined]  # ours
    for usage in count.usages:
        usage.ensure_within()


def _limit_stranger(request: HttpRequest) -> None:
    limit_caller(request, ANONYMOUS, caller=client_address(request))


def limits_counted(request: HttpRequest) -> list[Usage]:
    """What the request was counted against so far."""
    return getattr(request, "rate_limits", [])


def client_address(request: HttpRequest) -> str:
    """The caller's address: the peer, or the last hop before the proxies that TRUSTED_PROXIES names.

    X-Forwarded-For of anybody else is not believed. An IPv6 address stands for its /64.
    """
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while address and hops and _is_trusted(address):
        hop = _parsed(hops.pop())
        if hop is None:
            break
        address = hop
    return _customer_network(address) if address else "unknown"


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _customer_network(address: Address) -> str:
    if address.version == 4:  # noqa: PLR2004  the IP version
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_CUSTOMER_PREFIX), strict=False))
