"""What the accounts' endpoints take and give, and the amount types that every endpoint shares."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from wallets.money import COIN_PLACES, USD, USD_PLACES, exact, parse_decimal, plain
from wallets.paging import DEFAULT_LIMIT, MAX_LIMIT


def _incoming(places: int) -> Any:
    def positive_exact(value: object) -> Decimal:
        number = parse_decimal(value)
        if number <= 0:
            raise ValueError("must be greater than zero")
        return exact(number, places=places)

    example = "12.00" if places == USD_PLACES else "3.00000000"
    return (
        BeforeValidator(positive_exact),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": rf"^[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?$"},
                    {"type": "number", "exclusiveMinimum": 0},
                ],
                "description": f"Exact, at most {places} decimal places; a string or a number.",
                "examples": [example],
            }
        ),
    )


def _outgoing(places: int) -> Any:
    return (
        PlainSerializer(lambda value: plain(value, places=places), return_type=str),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": rf"^[0-9]+\.[0-9]{{{places}}}$",
                "examples": [plain(Decimal(12), places=places)],
            },
            mode="serialization",
        ),
    )


UsdIn = Annotated[Decimal, *_incoming(USD_PLACES)]
CoinIn = Annotated[Decimal, *_incoming(COIN_PLACES)]
UsdOut = Annotated[Decimal, *_outgoing(USD_PLACES)]
CoinOut = Annotated[Decimal, *_outgoing(COIN_PLACES)]


def examples(*values: dict[str, Any]) -> ConfigDict:
    """What a schema's instances look like, for the documents."""
    return ConfigDict(json_schema_extra={"examples": list(values)})


class Response(BaseModel):
    """An answer's body. Not Ninja's Schema, whose access to querysets and files took a quarter of a list's time."""

    model_config = ConfigDict(from_attributes=True)


class Request(BaseModel):
    """A request body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _is_username(value: str) -> str:
    try:
        UnicodeUsernameValidator()(value)
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


_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJl"  # noqa: S105  an example, of nobody


class RefreshRequest(Request):
    model_config = examples({"refresh": _TOKEN})

    refresh: Annotated[str, Field(min_length=1, max_length=4096)]


class Tokens(Response):
    """An access token for calls, and a refresh token for the next pair."""

    model_config = examples({"access": _TOKEN, "refresh": _TOKEN})

    access: str
    refresh: str


class CashRequest(Request):
    """US dollars."""

    model_config = examples({"amount": "100.00"})

    amount: UsdIn


class WalletAnswer(Response):
    model_config = examples({"balance": "100.00", "currency": "USD"})

    balance: UsdOut
    currency: str = USD


_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _is_rfc_3339(value: object) -> object:
    """Pydantic would also take the seconds since 1970."""
    if isinstance(value, str) and not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time with its offset, such as 2026-01-31T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    """Postgres knows no offsets of sixteen hours or more; Python's calendar has two ends."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_is_rfc_3339), AfterValidator(_in_utc)]


class ListQuery(BaseModel):
    """What every list takes. Times need an offset, such as `2026-01-31T12:00:00Z`."""

    model_config = ConfigDict(extra="forbid")

    created_after: Annotated[Moment | None, Field(description="Made later than this; with an offset.")] = None
    created_before: Annotated[Moment | None, Field(description="Made earlier than this; with an offset.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many at most.")] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=512, description="From the Link of the page before.")] = None


class TransactionQuery(ListQuery):
    type: Annotated[Literal["deposit", "withdrawal"] | None, Field(description="Into the wallet, or out of it.")] = None
    order_id: Annotated[int | None, Field(ge=1, lt=2**63, description="Of one order.")] = None


class TransactionAnswer(Response):
    """A movement of the customer's dollar wallet; `type` is its direction seen from there."""

    model_config = examples(
        {
            "id": 2,
            "type": "withdrawal",
            "kind": "purchase",
            "amount": "12.00",
            "balance_after": "88.00",
            "order_id": 1,
            "created_at": "2026-01-31T12:00:00Z",
        }
    )

    id: int
    type: Literal["deposit", "withdrawal"]
    kind: Literal["deposit", "withdrawal", "purchase", "refund"]
    amount: UsdOut
    balance_after: UsdOut
    order_id: int | None
    created_at: datetime
