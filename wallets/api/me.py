"""The caller's own account over HTTP: who they are, their password and their e-mail address."""

from functools import partial

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from wallets.exceptions import Busy, HashingBusy, InvalidCredentials, OtpInvalid, OtpRequired, TokenInvalid
from wallets.problems import answers
from wallets.runtime import clock
from wallets.schemas.accounts import Account, EmailChange, EmailProof, ForgottenPassword, PasswordChange, PasswordReset
from wallets.selectors.accounts import get_account, has_second_factor
from wallets.services import credentials, emails
from wallets.web.bodies import Body
from wallets.web.callers import AnonymousCaller, FreshAccessToken, caller
from wallets.web.limits import MAIL, MAILED_TOKEN
from wallets.web.problems import ANYBODY, BODY, SIGNED_IN
from wallets.web.signing_in import (
    OF_CUSTOMERS,
    UncountedCaller,
    counted_reset,
    counted_sign_in,
    has_room,
    has_room_for_proof,
)

me_router = Router(tags=["accounts"])

CODE = (OtpRequired, OtpInvalid, Busy)
"""Refusals of operations that ask for a one-time code."""


@me_router.get(
    "me/",
    auth=FreshAccessToken(),
    operation_id="getAccount",
    summary="Look at the account",
    **answers({200: Account}, *SIGNED_IN),
)
def me(request: HttpRequest) -> Body:
    """Returns who is signed in, their e-mail address, and how many calls they may make."""
    user, limits = get_account(principal=caller(request)), settings.LIMITS
    return {
        "id": user.subject,
        "username": user.get_username(),
        "email": user.email,
        "email_verified": bool(user.email) and user.email == user.verified_email,
        "mfa": has_second_factor(user_id=user.pk),
        "created_at": user.date_joined,
        "limits": {"calls": limits.user, "orders": limits.orders, "quotes": limits.quotes, "wallet": limits.wallet},
    }


@me_router.post(
    "auth/password/",
    auth=FreshAccessToken(),
    operation_id="changePassword",
    summary="Change the password",
    **answers({204: None}, *BODY, *SIGNED_IN, InvalidCredentials, *CODE, HashingBusy),
)
def change_password(request: HttpRequest, body: PasswordChange) -> Status[None]:
    """Sets a new password, and ends every sign-in of the account, this one too. Attempts count as sign-ins."""
    user = get_account(principal=caller(request))
    with counted_sign_in(request, username=user.get_username(), limits=OF_CUSTOMERS):
        credentials.change_known_password(user=user, current=body.current, new=body.new, otp=body.otp, now=clock.now())
    return Status(204, None)


@me_router.post(
    "auth/password/forgot/",
    auth=AnonymousCaller(MAIL),
    operation_id="forgotPassword",
    summary="Ask for a new password",
    **answers({202: None}, *BODY, *ANYBODY),
)
def forgot_password(request: HttpRequest, body: ForgottenPassword) -> Status[None]:
    """Sends an e-mail with a token to each account that has the address. The answer does not tell whether there is one,
    nor whether the mailbox has got too many of these e-mails lately.
    """
    if has_room(mailbox=body.email):
        credentials.ask_for_reset(email=body.email)
    return Status(202, None)


@me_router.post(
    "auth/password/reset/",
    auth=UncountedCaller(),
    operation_id="resetPassword",
    summary="Set a new password with a token",
    **answers({204: None}, *BODY, *ANYBODY, TokenInvalid, *CODE, HashingBusy),
)
def reset_password(request: HttpRequest, body: PasswordReset) -> Status[None]:
    """Sets a new password with a token from an e-mail, which works once. Ends every sign-in of the account."""
    with counted_reset(request):
        credentials.reset_password(token=body.token, new=body.new, otp=body.otp, now=clock.now())
    return Status(204, None)


@me_router.post(
    "email/",
    auth=FreshAccessToken(),
    operation_id="changeEmail",
    summary="Change or verify the e-mail address",
    **answers({202: None}, *BODY, *SIGNED_IN, InvalidCredentials, *CODE, HashingBusy),
)
def change_email(request: HttpRequest, body: EmailChange) -> Status[None]:
    """Sends a token to the address, which becomes the account's when the token is used. Attempts count as sign-ins."""
    user = get_account(principal=caller(request))
    with counted_sign_in(request, username=user.get_username(), limits=OF_CUSTOMERS):
        emails.change_email(
            user=user,
            password=body.password,
            email=body.email,
            otp=body.otp,
            now=clock.now(),
            has_room=partial(has_room_for_proof, mailbox=body.email),
        )
    return Status(202, None)


@me_router.post(
    "email/verify/",
    auth=AnonymousCaller(MAILED_TOKEN),
    operation_id="verifyEmail",
    summary="Verify an e-mail address with a token",
    **answers({204: None}, *BODY, *ANYBODY, TokenInvalid),
)
def verify_email(request: HttpRequest, body: EmailProof) -> Status[None]:
    """Makes the address to which the token was sent the account's verified one. The token works once."""
    emails.verify_email(token=body.token, now=clock.now())
    return Status(204, None)
