"""What the accounts' endpoints take and give, and the amount types that every endpoint shares."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from ninja import Schema
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
                    {"type": "string", "pattern": rf"^\d{{1,12}}(\.\d{{1,{places}}})?$"},
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
                "pattern": rf"^\d+\.\d{{{places}}}$",
                "examples": [plain(Decimal(12), places=places)],
            },
            mode="serialization",
        ),
    )


UsdIn = Annotated[Decimal, *_incoming(USD_PLACES)]
CoinIn = Annotated[Decimal, *_incoming(COIN_PLACES)]
UsdOut = Annotated[Decimal, *_outgoing(USD_PLACES)]
CoinOut = Annotated[Decimal, *_outgoing(COIN_PLACES)]


class Request(BaseModel):
    """A request body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FieldProblem(Schema):
    field: str
    message: str


class Problem(Schema):
    """An error, after RFC 9457. `code` is stable: programs decide by it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = None


def problems(*statuses: int) -> dict[int, Any]:
    """The error answers of an operation, for its OpenAPI description."""
    return dict.fromkeys(statuses, Problem)


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
    username: Annotated[Username, Field(examples=["alice"])]
    password: Annotated[Password, Field(min_length=8, examples=["password123"])]
    email: Annotated[str, Field(max_length=254, examples=["alice@example.com"]), AfterValidator(_is_email)] = ""


class Credentials(Request):
    username: Annotated[str, Field(min_length=1, max_length=150, examples=["alice"])]
    password: Annotated[Password, Field(examples=["password123"])]


class RefreshRequest(Request):
    refresh: Annotated[str, Field(min_length=1, max_length=4096)]


class Tokens(Schema):
    access: str
    refresh: str


class CashRequest(Request):
    amount: UsdIn


class WalletAnswer(Schema):
    balance: UsdOut
    currency: str = USD


class ListQuery(BaseModel):
    """What every list takes. Times need an offset, such as `2026-01-31T12:00:00Z`."""

    model_config = ConfigDict(extra="forbid")

    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=512)] = None


class TransactionQuery(ListQuery):
    type: Literal["deposit", "withdrawal"] | None = None
    order_id: Annotated[int | None, Field(ge=1, lt=2**63)] = None


class TransactionAnswer(Schema):
    """A movement of the customer's dollar wallet; `type` is its direction seen from there."""

    id: int
    type: Literal["deposit", "withdrawal"]
    kind: Literal["deposit", "withdrawal", "purchase", "refund"]
    amount: UsdOut
    balance_after: UsdOut
    order_id: int | None
    created_at: datetime
