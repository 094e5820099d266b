"""Authentication for Ninja: identifies each caller, and counts each call against limits.

A call with an access token counts for the customer whom the token names. That the token is not revoked is known only
when the operation's own query has read the account. A call whose token proves to be revoked is then counted for its
address instead (`count_revoked_token`): a stranger with a stolen token must not use up its owner's limits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest
from ninja.security import HttpBearer

from wallets.exceptions import TokenInvalid
from wallets.runtime.acting import Origin
from wallets.runtime.allowances import Wanted
from wallets.runtime.redis_round import RedisRound
from wallets.selectors.accounts import Principal, ensure_active
from wallets.services.tokens import read_access_token
from wallets.web.addresses import WIDER_PREFIXES, client_address, exact_address, wider_networks
from wallets.web.limits import ANONYMOUS, USER, Limit, Usage, count_callers, read_again, take_back
from wallets.web.recent_refusals import RecentRefusals
from wallets.web.waiting_answers import waited_before

KeysOf = Callable[[HttpRequest], Iterable[str]]
"""Names the Redis keys that an operation needs for a request."""

WantedBy = Callable[[HttpRequest, str], Wanted | None]
"""Says what a request wants to take from an allowance, if anything, for the taker of that name."""

_refused_here = RecentRefusals()
"""Sign-ins whose tokens were revoked, by what this process saw within a minute. A hint: the operation decides."""


@dataclass(kw_only=True)
class TokenCall:
    """A call with a signed access token: whom the token names, and what was counted for them."""

    principal: Principal
    usages: Sequence[Usage] = field(default_factory=list)
    proven: bool = False  # the account was found active, and the token not revoked


class AccessToken(HttpBearer):
    """Requires a customer's access token. Each call counts against USER, and against `limit` if one is given.

    Calls without a valid token count against ANONYMOUS, so that guessing tokens is limited too. `prefetch` names the
    Redis keys that the operation needs; the round trip that counts the call reads them. In the same round trip a call
    with a token takes what it wants from an allowance (`want`). The operation keeps it, or `give_back_unused` does not;
    then the customer's next calls take nothing before the operation has looked at their funds.
    """

    def __init__(
        self, *, limit: Limit | None = None, prefetch: KeysOf | None = None, want: WantedBy | None = None
    ) -> None:
        super().__init__()
        self._limits = (USER, limit) if limit else (USER,)
        self._prefetch = prefetch
        self._want = want

    def __call__(self, request: HttpRequest) -> Any:
        if self._prefetch:
            redis_round_of(request).prefetch(*self._prefetch(request))
        try:
            caller = self._find_caller(request)
        except TokenInvalid:
            if _token_call_of(request) is None:
                limit_address(request, ANONYMOUS)
            raise
        if caller is None:
            limit_address(request, ANONYMOUS)
            raise TokenInvalid("An access token is needed: Authorization: Bearer <token>.")
        return caller

    def _find_caller(self, request: HttpRequest) -> Principal | None:
        """Return the caller whom the header's token names; None without a token.

        Ninja's own way logs headers of another scheme whole, if DEBUG is on: a token without `Bearer` too.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.authenticate(request, token) if scheme.lower() == self.openapi_scheme else None

    def authenticate(self, request: HttpRequest, token: str) -> Principal:
        """Accept a signed, unexpired token, without a query.

        Use it for operations that read or lock the caller's wallet: the query of such an operation checks that the
        account is active.
        """
        principal = read_access_token(token)
        call, subject = TokenCall(principal=principal), str(principal.subject)
        request.token_call = call  # type: ignore[attr-defined]  # our own attribute
        if waited := waited_before(request):  # the call was counted before it waited
            call.usages = waited.usages
            note_usages(request, read_again(waited.usages, caller=subject))
        elif principal in _refused_here:
            limit_address(request, ANONYMOUS)
        else:
            if self._want and (wanted := self._want(request, subject)):
                redis_round_of(request).want(wanted)
            call.usages = limit_caller(request, *self._limits, caller=subject)
        return principal


class FreshAccessToken(AccessToken):
    """Like AccessToken, and checks with one query that the account is active."""

    def authenticate(self, request: HttpRequest, token: str) -> Principal:
        principal = ensure_active(principal=super().authenticate(request, token))
        request.token_call.proven = True  # type: ignore[attr-defined]  # set above
        return principal


class AnonymousCaller:
    """Accepts callers without a token. Each call counts against `limit`, by the caller's address.

    With `refuses=False` the operation itself refuses a call that exceeds the limit. `prefetch`: see AccessToken.
    """

    def __init__(self, limit: Limit = ANONYMOUS, *, refuses: bool = True, prefetch: KeysOf | None = None) -> None:
        self._limit = limit
        self._refuses = refuses
        self._prefetch = prefetch

    def __call__(self, request: HttpRequest) -> str:
        if self._prefetch:
            redis_round_of(request).prefetch(*self._prefetch(request))
        usages = count_address(request, self._limit)
        if self._refuses:
            _ensure_within(usages)
        return client_address(request)


def caller(request: HttpRequest) -> Any:
    """Return the caller that the operation's authentication found: a Principal, or an address."""
    return request.auth  # type: ignore[attr-defined]  # set by Ninja


def redis_round_of(request: HttpRequest) -> RedisRound:
    """Return the request's round trip to Redis; any code may add keys to it until the call is counted."""
    if not hasattr(request, "redis_round"):
        request.redis_round = RedisRound()  # type: ignore[attr-defined]  # our own attribute
    found: RedisRound = request.redis_round  # type: ignore[attr-defined]  # set above
    return found


def give_back_unused(request: HttpRequest) -> None:
    """Give back what the request has taken from an allowance and not kept. Call it after the answer is known."""
    found: RedisRound | None = getattr(request, "redis_round", None)
    if found is not None:
        found.give_back()


def limit_caller(request: HttpRequest, *limits: Limit, caller: str) -> list[Usage]:
    """Count the call against `limits`; every answer states the calls left. Raises RateLimited."""
    usages = count_for_request(request, [(limit, caller) for limit in limits])
    _ensure_within(usages)
    return usages


def limit_address(request: HttpRequest, limit: Limit) -> None:
    """Count the call against `limit` for the caller's address. Raises RateLimited."""
    _ensure_within(count_address(request, limit))


def count_address(request: HttpRequest, limit: Limit) -> list[Usage]:
    """Count the call against `limit` for the caller's address and, for IPv6, for the two networks around it."""
    address = client_address(request)
    wider = zip(WIDER_PREFIXES, (settings.LIMITS.times_per_56, settings.LIMITS.times_per_48), strict=True)
    limits = [limit, *(limit.of_network(prefix, times=times) for prefix, times in wider)]
    return count_for_request(request, list(zip(limits, (address, *wider_networks(address)), strict=False)))


def count_for_request(request: HttpRequest, counted: Sequence[tuple[Limit, str]]) -> list[Usage]:
    """Count the call against each limit for the caller beside it, and note what is left for the answer's headers."""
    usages = count_callers(counted, redis_round=redis_round_of(request))
    note_usages(request, [*limits_counted(request), *usages])
    return usages


def count_revoked_token(request: HttpRequest, *, status: int) -> None:
    """Count the call for its address instead of the customer, if its access token proves to be revoked.

    Call it after the answer's `status` is known. An answer that is no refusal proves the token, because every
    operation reads the account. A refusal may have come before that, so the account is read now.
    """
    call = _token_call_of(request)
    if call is None or call.proven or status == HTTPStatus.TOO_MANY_REQUESTS or status >= _FIRST_SERVER_ERROR:
        return
    if status < _FIRST_REFUSAL or (status != HTTPStatus.UNAUTHORIZED and _is_active(call.principal)):
        _refused_here.discard(call.principal)
        return
    _refused_here.add(call.principal)
    if call.usages:
        take_back(call.usages)
        note_usages(request, [])
        count_address(request, ANONYMOUS)


_FIRST_REFUSAL = 400
_FIRST_SERVER_ERROR = 500


def _is_active(principal: Principal) -> bool:
    try:
        ensure_active(principal=principal)
    except TokenInvalid:
        return False
    except DatabaseError:  # nothing is known, so the count stays
        return True
    return True


def _token_call_of(request: HttpRequest) -> TokenCall | None:
    return getattr(request, "token_call", None)


def _ensure_within(usages: Sequence[Usage]) -> None:
    for usage in usages:
        usage.ensure_within()


def note_usages(request: HttpRequest, usages: Sequence[Usage]) -> None:
    """Set what the answer's headers say about limits."""
    request.rate_limits = list(usages)  # type: ignore[attr-defined]  # our own attribute


def limits_counted(request: HttpRequest) -> list[Usage]:
    """Return the usage of each limit that has counted the request so far."""
    return getattr(request, "rate_limits", [])


def origin_of(request: HttpRequest) -> Origin:
    """Return where a request comes from, for the security log."""
    network, address = client_address(request), exact_address(request)
    if request.path_info.startswith("/api/"):
        return Origin(realm="api", address=address, network=network, device=_device_of(request))
    staff = getattr(request, "user", None)
    return Origin(realm="admin", address=address, network=network, actor_id=staff.pk if staff else None)


_LONGEST_DEVICE = 200


def _device_of(request: HttpRequest) -> str:
    """Return the header User-Agent as far as it can be printed and stored."""
    named = request.META.get("HTTP_USER_AGENT", "")[:_LONGEST_DEVICE]
    return "".join(character for character in named if character.isprintable())
