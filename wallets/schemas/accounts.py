"""Bodies of sign-up, sign-in and sign-out, of the account itself, and of new passwords and e-mail addresses."""

import unicodedata
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, Field

from wallets.web.bodies import Request, Response, examples


def _is_username(value: str) -> str:
    try:
        UnicodeUsernameValidator()(unicodedata.normalize("NFKC", value))
    except ValidationError as error:
        raise ValueError("may hold letters, digits and @ . + - _ only") from error
    return value


def _is_email(value: str) -> str:
    try:
        if value:
            validate_email(value)
    except ValidationError as error:
        raise ValueError("must be an email address") from error
    return value


def _is_given_email(value: str) -> str:
    if not value:
        raise ValueError("must be an email address")
    return _is_email(value)


Email = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_is_given_email)]
MailedToken = Annotated[str, Field(min_length=1, max_length=4096)]
Otp = Annotated[str, Field(min_length=6, max_length=32)]
Username = Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_is_username)]
Password = Annotated[str, Field(min_length=1, max_length=128)]
NewPassword = Annotated[Password, Field(min_length=8)]


class Registration(Request):
    """A new account. The username may hold letters, digits and the signs @ . + - _ only."""

    model_config = examples({"username": "alice", "password": "password123", "email": "alice@example.com"})

    username: Username
    password: NewPassword
    email: Annotated[str, Field(max_length=254), AfterValidator(_is_email)] = ""


class Credentials(Request):
    """`otp` is a one-time code, or a recovery code, if the second factor is on."""

    model_config = examples(
        {"username": "alice", "password": "password123"},
        {"username": "alice", "password": "password123", "otp": "492039"},
    )

    username: Annotated[str, Field(min_length=1, max_length=150)]
    password: Password
    otp: Otp | None = None


_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJl"  # noqa: S105  an example, not a secret


class RefreshRequest(Request):
    model_config = examples({"refresh": _TOKEN})

    refresh: Annotated[str, Field(min_length=1, max_length=4096)]


class Tokens(Response):
    """An access token for API calls, and a refresh token that is exchanged for the next pair."""

    model_config = examples({"access": _TOKEN, "refresh": _TOKEN})

    access: str
    refresh: str


class Rates(Response):
    """How many calls the customer may make, such as `60/m`: `s`, `m`, `h` or `d` for a second, minute, hour or day."""

    calls: str
    orders: str
    quotes: str
    wallet: str


class Account(Response):
    """The caller's account. `email_verified`: its owner has shown to read that address. `mfa`: a code is asked for."""

    model_config = examples(
        {
            "id": "5a1f9d5e-8a0c-4c55-9d6b-3f2f6c1f0c11",
            "username": "alice",
            "email": "alice@example.com",
            "email_verified": True,
            "mfa": False,
            "created_at": "2026-01-31T12:00:00Z",
            "limits": {"calls": "1000/h", "orders": "60/m", "quotes": "60/m", "wallet": "30/m"},
        }
    )

    id: UUID
    username: str
    email: str
    email_verified: bool
    mfa: bool
    created_at: datetime
    limits: Rates


class PasswordChange(Request):
    """`otp` is needed if the second factor is on."""

    model_config = examples({"current": "password123", "new": "another long password"})

    current: Password
    new: NewPassword
    otp: Otp | None = None


class ForgottenPassword(Request):
    model_config = examples({"email": "alice@example.com"})

    email: Email


_MAILED = "eyJzdWIiOiI1YTFmOWQ1ZSJ9:c2lnbmF0dXJl"


class PasswordReset(Request):
    """`token` comes from an e-mail. `otp` is needed if the second factor is on."""

    model_config = examples({"token": _MAILED, "new": "another long password"})

    token: MailedToken
    new: NewPassword
    otp: Otp | None = None


class EmailChange(Request):
    """The address becomes the account's when it is verified. `password` is the account's.

    `otp` is needed if the second factor is on.
    """

    model_config = examples({"email": "alice@example.com", "password": "password123"})

    email: Email
    password: Password
    otp: Otp | None = None


class EmailProof(Request):
    """`token` comes from an e-mail."""

    model_config = examples({"token": _MAILED})

    token: MailedToken


class SessionAnswer(Response):
    """A sign-in that has not ended. `device` is what it says of itself; `current` is the one that asks."""

    model_config = examples(
        {
            "id": "0d3f0f9e-37b1-4a5c-9d5c-2f6f0c1c9a55",
            "address": "203.0.113.7",
            "device": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "signed_in_at": "2026-01-31T12:00:00Z",
            "used_at": "2026-01-31T12:15:00Z",
            "current": True,
        }
    )

    id: UUID
    address: str
    device: str
    signed_in_at: datetime
    used_at: datetime
    current: bool


class OtpRequest(Request):
    """`otp` is a one-time code of the customer's device; to turn the second factor off, also a recovery code."""

    model_config = examples({"otp": "492039"})

    otp: Otp


class EnrolmentRequest(Request):
    """`password` is the account's: whoever has only a token must not turn a second factor on."""

    model_config = examples({"password": "password123"})

    password: Password


class EnrolmentAnswer(Response):
    """The secret of a second factor that is not on yet, and the same as a URI for a QR code."""

    model_config = examples(
        {
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "uri": "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        }
    )

    secret: str
    uri: str


class RecoveryCodesAnswer(Response):
    """Codes for whoever has lost the device. Each works once. They are shown this once."""

    model_config = examples({"recovery_codes": ["3f9a1-c07be-55d20-8e14b"]})

    recovery_codes: list[str]
