"""Counts sign-ins, in the API and in the admin.

Three limits hold back whoever guesses passwords: attempts from the address, failures at the account from the address,
and failures at the account from anywhere. The last one is loose, because strangers can use it up. Where the account has
signed in within 30 days, strangers' failures do not count: neither those at the account, nor those of a neighbour who
shares the address. An unknown name is counted like any other, so an answer tells nothing about it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Final

from django.db import Error as DatabaseError
from django.http import HttpRequest

from wallets.exceptions import HashingBusy, OtpRequired, TokenInvalid, WeakPassword
from wallets.runtime import clock
from wallets.runtime.hashing import hashing_slot
from wallets.selectors.addresses import is_known_address
from wallets.services.tokens import SignedIn, read_refresh_token
from wallets.usernames import account_named
from wallets.web.addresses import client_address
from wallets.web.callers import (
    count_address,
    count_for_request,
    limit_address,
    limit_caller,
    limits_counted,
    note_usages,
)
from wallets.web.limits import (
    ANONYMOUS,
    LOGIN,
    LOGIN_ACCOUNT,
    LOGIN_ADDRESS,
    MAILBOX,
    MAILBOX_PROOF,
    MAILED_TOKEN,
    REFRESH,
    REGISTER,
    STAFF_LOGIN,
    STAFF_LOGIN_ACCOUNT,
    STAFF_LOGIN_ADDRESS,
    Limit,
    Usage,
    count_callers,
    take_back,
)


@dataclass(frozen=True, kw_only=True)
class SignInLimits:
    """Limits on attempts from an address, and on failures at an account: from one address, and from anywhere."""

    attempts: Limit
    address: Limit
    account: Limit


OF_CUSTOMERS: Final = SignInLimits(attempts=LOGIN_ADDRESS, address=LOGIN, account=LOGIN_ACCOUNT)
OF_STAFF: Final = SignInLimits(attempts=STAFF_LOGIN_ADDRESS, address=STAFF_LOGIN, account=STAFF_LOGIN_ACCOUNT)


class UncountedCaller:
    """Accepts callers without a token, for an operation that counts them by itself."""

    def __call__(self, request: HttpRequest) -> str:
        return client_address(request)


@contextmanager
def counted_sign_in(request: HttpRequest, *, username: str, limits: SignInLimits) -> Iterator[None]:
    """Hold a slot for the hashes of an attempt to sign in, and count the attempt.

    An attempt is counted before its password is checked, so that attempts at the same time cannot exceed a limit. It
    is taken back if it succeeds, and if the password was not checked. Without a free slot nothing is
    counted: whoever tries again, as `busy` asks for, is not limited for it. Raises RateLimited, HashingBusy.
    """
    address = client_address(request)

    @cache
    def is_known() -> bool:
        return is_known_address(username=username, address=address, now=clock.now())

    with hashing_slot(is_known=is_known, account=account_named(username)):
        exceeded = [usage for usage in count_address(request, limits.attempts) if usage.exceeded]
        if exceeded and not is_known():
            exceeded[0].ensure_within()
        usages = _count_attempt(request, username=username, limits=limits, is_known=is_known)
        try:
            yield
        except (DatabaseError, WeakPassword, OtpRequired):  # nothing was guessed
            _take_back(request, usages)
            raise
    _take_back(request, usages)


@contextmanager
def counted_command(*, username: str) -> Iterator[None]:
    """Hold a slot for the hash of an attempt to prove who runs a command, and count the attempt as one of staff.

    It is taken back if it succeeds, and if the password was not checked. Raises RateLimited, HashingBusy.
    """
    account = account_named(username)
    with hashing_slot(account=account):
        usages = count_callers([(OF_STAFF.address, f"command {account}")])
        for usage in usages:
            usage.ensure_within()
        try:
            yield
        except (DatabaseError, OtpRequired):  # nothing was guessed
            take_back(usages)
            raise
        take_back(usages)


@contextmanager
def counted_registration(request: HttpRequest) -> Iterator[None]:
    """Hold a slot for the hash of a new account's password, and count the account for its address.

    Without a free slot nothing is counted. Raises RateLimited, HashingBusy.
    """
    with hashing_slot():
        limit_address(request, REGISTER)
        yield


@contextmanager
def counted_reset(request: HttpRequest) -> Iterator[None]:
    """Hold a slot for the hash of a password that is set with a token, and count the attempt for its address.

    Without a free slot nothing is counted. Raises RateLimited, HashingBusy.
    """
    with hashing_slot():
        limit_address(request, MAILED_TOKEN)
        yield


@contextmanager
def uncounted_if_busy(request: HttpRequest) -> Iterator[None]:
    """Take all counts of a request back if no slot for its hash was free. Raises HashingBusy."""
    try:
        yield
    except HashingBusy:
        # After one that is exceeded nothing was counted.
        _take_back(request, list(takewhile(lambda usage: not usage.exceeded, limits_counted(request))))
        raise


def _count_attempt(
    request: HttpRequest, *, username: str, limits: SignInLimits, is_known: Callable[[], bool]
) -> list[Usage]:
    """Count the attempt and return what is taken back if it succeeds."""
    beyond_address = any(usage.exceeded for usage in limits_counted(request))
    account, address = account_named(username), client_address(request)
    counted = [(limits.address, f"{address} {account}")]
    if not beyond_address:
        counted.append((limits.account, account))
    tight, *loose = count_for_request(request, counted)
    tight.ensure_within()
    if any(usage.exceeded for usage in loose) and not is_known():
        loose[0].ensure_within()
    note_usages(request, [usage for usage in limits_counted(request) if not usage.exceeded])
    # Beyond the limit of the address even successes count, or one account could keep the hashing slots busy.
    return [] if beyond_address else [tight, *loose]


def _take_back(request: HttpRequest, usages: list[Usage]) -> None:
    if not usages:
        return
    left = {usage.key: usage for usage in take_back(usages)}
    note_usages(request, [left.get(usage.key, usage) for usage in limits_counted(request)])


def has_room(*, mailbox: str) -> bool:
    """Count an e-mail about a new password to a mailbox, and say whether it may be sent. No header of the answer tells.

    A refusal would let strangers keep the owner from a new password, and without the limit they would fill the mailbox.
    """
    [usage] = count_callers([(MAILBOX, mailbox.lower())])
    return not usage.exceeded


def has_room_for_proof(*, mailbox: str) -> bool:
    """Like `has_room`, for e-mails that prove an address. Nobody can use up those for new passwords with them."""
    [usage] = count_callers([(MAILBOX_PROOF, mailbox.lower())])
    return not usage.exceeded


def limit_refresh(request: HttpRequest, *, refresh: str) -> SignedIn:
    """Count a refresh for the sign-in that the token belongs to; a forged token counts for the address.

    Only a forged token is refused for what its address has sent, so that nobody ends a neighbour's sign-in. The call
    is counted as a refresh of the address already. Returns the sign-in. Raises RateLimited, TokenInvalid.
    """
    try:
        signed_in = read_refresh_token(refresh)
    except TokenInvalid:
        for usage in limits_counted(request):
            usage.ensure_within()
        limit_address(request, ANONYMOUS)
        raise
    note_usages(request, [])
    limit_caller(request, REFRESH, caller=signed_in.family)
    return signed_in
