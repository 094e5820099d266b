"""Authentication for Ninja: identifies each caller, and counts each call against limits."""

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from wallets.exceptions import TokenInvalid
from wallets.runtime.acting import Origin
from wallets.runtime.redis_round import RedisRound
from wallets.selectors.accounts import Principal, ensure_active
from wallets.services.tokens import read_access_token
from wallets.web.limits import ANONYMOUS, USER, Limit, Usage, count_call

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_CUSTOMER_PREFIX = 64  # a customer gets at least one /64, RFC 6177


class AccessToken(HttpBearer):
    """Requires a customer's access token. Each call counts against USER, and against `limit` if one is given.

    Calls without a valid token count against ANONYMOUS, so that guessing tokens is limited too.
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
        """Accept a signed, unexpired token, without a query.

        Use it for operations that read or lock the caller's wallet: the query of such an operation checks that the
        account is active.
        """
        principal = read_access_token(token)
        limit_caller(request, *self._limits, caller=str(principal.user_id))
        return principal


class FreshAccessToken(AccessToken):
    """Like AccessToken, and checks with one query that the account is active."""

    def authenticate(self, request: HttpRequest, token: str) -> Principal:
        principal = super().authenticate(request, token)
        ensure_active(principal=principal)
        return principal


class AnonymousCaller:
    """Accepts callers without a token. Each call counts against `limit`, by the caller's address."""

    def __init__(self, limit: Limit = ANONYMOUS) -> None:
        self._limit = limit

    def __call__(self, request: HttpRequest) -> str:
        address = client_address(request)
        limit_caller(request, self._limit, caller=address)
        return address


class Prefetch:
    """Reads Redis keys that the operation needs, in the round trip that counts the call.

    Put Prefetch first in an operation's `auth`: Ninja tries the list's items in order until one returns a caller, and
    Prefetch returns None.
    """

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def __call__(self, request: HttpRequest) -> None:
        redis_round_of(request).prefetch(*self._keys)


def caller(request: HttpRequest) -> Any:
    """Return the caller that the operation's authentication found: a Principal, or an address."""
    return request.auth  # type: ignore[attr-defined]  # set by Ninja


def redis_round_of(request: HttpRequest) -> RedisRound:
    """Return the request's round trip to Redis; any code may add keys to it until the call is counted."""
    if not hasattr(request, "redis_round"):
        request.redis_round = RedisRound()  # type: ignore[attr-defined]  # our own attribute
    found: RedisRound = request.redis_round  # type: ignore[attr-defined]  # set above
    return found


def limit_caller(request: HttpRequest, *limits: Limit, caller: str) -> None:
    """Count the call against `limits`; every answer states the calls left. Raises RateLimited."""
    usages = count_call(limits=limits, caller=caller, redis_round=redis_round_of(request))
    request.rate_limits = [*limits_counted(request), *usages]  # type: ignore[attr-defined]  # our own attribute
    for usage in usages:
        usage.ensure_within()


def _limit_stranger(request: HttpRequest) -> None:
    limit_caller(request, ANONYMOUS, caller=client_address(request))


def limits_counted(request: HttpRequest) -> list[Usage]:
    """Return the usage of each limit that has counted the request so far."""
    return getattr(request, "rate_limits", [])


def origin_of(request: HttpRequest) -> Origin:
    """Return where a request comes from, for the security log."""
    network = client_address(request)
    if request.path_info.startswith("/api/"):
        return Origin(realm="api", address=network, network=network)
    staff = getattr(request, "user", None)
    return Origin(realm="admin", address=network, network=network, actor_id=staff.pk if staff else None)


def client_address(request: HttpRequest) -> str:
    """Return the caller's address: the peer's, or the last hop before the proxies that TRUSTED_PROXIES names.

    X-Forwarded-For is ignored if any other peer sends it. An IPv6 address is replaced by its /64 network.
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
    return any(address in network for network in settings.LIMITS.trusted_proxies)


def _customer_network(address: Address) -> str:
    if address.version == 4:  # noqa: PLR2004  the IP version
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_CUSTOMER_PREFIX), strict=False))
