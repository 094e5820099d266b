"""Bodies of sign-up, sign-in and sign-out."""

import unicodedata
from typing import Annotated

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


Username = Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_is_username)]
Password = Annotated[str, Field(min_length=1, max_length=128)]


class Registration(Request):
    """A new account. The username may hold letters, digits and the signs @ . + - _ only."""

    model_config = examples({"username": "alice", "password": "password123", "email": "alice@example.com"})

    username: Username
    password: Annotated[Password, Field(min_length=8)]
    email: Annotated[str, Field(max_length=254), AfterValidator(_is_email)] = ""


class Credentials(Request):
    model_config = examples({"username": "alice", "password": "password123"})

    username: Annotated[str, Field(min_length=1, max_length=150)]
    password: Password


_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJl"  # noqa: S105  an example, not a secret


class RefreshRequest(Request):
    model_config = examples({"refresh": _TOKEN})

    refresh: Annotated[str, Field(min_length=1, max_length=4096)]


class Tokens(Response):
    """An access token for API calls, and a refresh token that is exchanged for the next pair."""

    model_config = examples({"access": _TOKEN, "refresh": _TOKEN})

    access: str
    refresh: str
