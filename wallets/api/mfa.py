"""The second factor over HTTP."""

from django.http import HttpRequest
from ninja import Router, Status

from wallets.exceptions import Busy, HashingBusy, InvalidCredentials, NotFound, OtpInvalid, SecondFactorOn
from wallets.problems import answers
from wallets.runtime import clock
from wallets.schemas.accounts import EnrolmentAnswer, EnrolmentRequest, OtpRequest, RecoveryCodesAnswer
from wallets.selectors.accounts import get_account
from wallets.services import second_factors
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.limits import OTP
from wallets.web.problems import BODY, SIGNED_IN
from wallets.web.signing_in import OF_CUSTOMERS, counted_sign_in

mfa_router = Router(tags=["accounts"])


@mfa_router.post(
    "mfa/",
    auth=FreshAccessToken(limit=OTP),
    operation_id="beginSecondFactor",
    summary="Begin a second factor",
    **answers({201: EnrolmentAnswer}, *BODY, *SIGNED_IN, InvalidCredentials, SecondFactorOn, Busy, HashingBusy),
)
def begin(request: HttpRequest, body: EnrolmentRequest) -> Status[second_factors.Enrolment]:
    """Returns a secret for an authenticator app. Codes are asked for once one of them was confirmed. Attempts count as
    sign-ins.
    """
    user = get_account(principal=caller(request))
    with counted_sign_in(request, username=user.get_username(), limits=OF_CUSTOMERS):
        enrolment = second_factors.enrol(user=user, password=body.password, now=clock.now())
    return Status(201, enrolment)


@mfa_router.post(
    "mfa/confirm/",
    auth=FreshAccessToken(limit=OTP),
    operation_id="confirmSecondFactor",
    summary="Turn the second factor on",
    **answers({200: RecoveryCodesAnswer}, *BODY, *SIGNED_IN, SecondFactorOn, NotFound, OtpInvalid, Busy),
)
def confirm(request: HttpRequest, body: OtpRequest) -> Body:
    """Turns the second factor on with one of its codes, and returns the recovery codes, which are shown this once."""
    user = get_account(principal=caller(request))
    return {"recovery_codes": second_factors.confirm_second_factor(user=user, code=body.otp, now=clock.now())}


@mfa_router.delete(
    "mfa/",
    auth=FreshAccessToken(limit=OTP),
    operation_id="endSecondFactor",
    summary="Turn the second factor off",
    **answers({204: None}, *BODY, *SIGNED_IN, NotFound, OtpInvalid, Busy),
)
def end(request: HttpRequest, body: OtpRequest) -> Status[None]:
    """Turns the second factor off with one of its codes, or with a recovery code."""
    user = get_account(principal=caller(request))
    second_factors.end_second_factor(user=user, code=body.otp, now=clock.now())
    return Status(204, None)
