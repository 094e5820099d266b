"""Sign-up, sign-in and sign-out over HTTP."""

from functools import partial

from django.http import HttpRequest
from ninja import Router, Status

from wallets.exceptions import (
    Busy,
    HashingBusy,
    InvalidCredentials,
    OtpInvalid,
    OtpRequired,
    TokenInvalid,
    UsernameNotAllowed,
    UsernameTaken,
)
from wallets.problems import answers
from wallets.runtime import clock
from wallets.schemas.accounts import Credentials, RefreshRequest, Registration, Tokens
from wallets.services import accounts, tokens
from wallets.web.callers import AnonymousCaller, FreshAccessToken, caller
from wallets.web.limits import REFRESH_ADDRESS
from wallets.web.problems import ANYBODY, BODY, SIGNED_IN
from wallets.web.signing_in import (
    OF_CUSTOMERS,
    UncountedCaller,
    counted_registration,
    counted_sign_in,
    has_room_for_proof,
    limit_refresh,
)

accounts_router = Router(tags=["accounts"])


@accounts_router.post(
    "auth/register/",
    auth=UncountedCaller(),
    operation_id="register",
    summary="Open an account",
    **answers({201: Tokens}, *BODY, *ANYBODY, UsernameTaken, UsernameNotAllowed, HashingBusy),
)
def register(request: HttpRequest, body: Registration) -> Status[tokens.TokenPair]:
    """Opens an account with an empty dollar wallet, and returns its first tokens."""
    with counted_registration(request):
        pair = accounts.register(
            username=body.username,
            password=body.password,
            email=body.email,
            now=clock.now(),
            address=caller(request),
            has_room=partial(has_room_for_proof, mailbox=body.email),
        )
    return Status(201, pair)


@accounts_router.post(
    "auth/login/",
    auth=UncountedCaller(),
    operation_id="login",
    summary="Sign in",
    **answers({200: Tokens}, *BODY, *ANYBODY, InvalidCredentials, OtpRequired, OtpInvalid, HashingBusy, Busy),
)
def login(request: HttpRequest, body: Credentials) -> tokens.TokenPair:
    """Exchanges username and password for tokens, with a one-time code if the second factor is on. Attempts are limited
    by account and by address.
    """
    with counted_sign_in(request, username=body.username, limits=OF_CUSTOMERS):
        return accounts.sign_in(
            username=body.username,
            password=body.password,
            otp=body.otp,
            now=clock.now(),
            address=caller(request),
        )


@accounts_router.post(
    "auth/refresh/",
    auth=AnonymousCaller(REFRESH_ADDRESS, refuses=False),
    operation_id="refreshTokens",
    summary="Get the next pair of tokens",
    **answers({200: Tokens}, *BODY, *ANYBODY, TokenInvalid),
)
def refresh(request: HttpRequest, body: RefreshRequest) -> tokens.TokenPair:
    """Exchanges a refresh token for a new pair. For 30 seconds the old token yields the same pair again, in case the
    answer was lost; after that its reuse ends the sign-in.
    """
    limit_refresh(request, refresh=body.refresh)
    return tokens.rotate_refresh_token(refresh=body.refresh, now=clock.now(), address=caller(request))


@accounts_router.post(
    "auth/logout/",
    auth=FreshAccessToken(),
    operation_id="logout",
    summary="Sign out",
    **answers({204: None}, *BODY, *SIGNED_IN),
)
def logout(request: HttpRequest, body: RefreshRequest) -> Status[None]:
    """Ends the sign-in that the refresh token belongs to, with its access tokens."""
    tokens.sign_out(refresh=body.refresh, user_id=caller(request).user_id, now=clock.now())
    return Status(204, None)
