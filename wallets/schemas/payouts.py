"""Bodies of payees and payouts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from wallets.bank_accounts import BankAccount, read_account_number, read_iban, read_routing
from wallets.schemas.accounts import Otp
from wallets.web.amounts import UsdIn, UsdOut
from wallets.web.bodies import Request, Response, examples
from wallets.web.described import Schema, Words, one_of

PayoutState = Annotated[
    Literal["requested", "approved", "rejected", "cancelled", "sent", "paid", "failed", "returned"],
    Words(
        name="PayoutState",
        about="How far a payout is.",
        values={
            "requested": "It waits for approval.",
            "approved": "It waits for the next file to our bank.",
            "rejected": "Staff have refused it. The wallet has the dollars again.",
            "cancelled": "The customer has cancelled it, or removed its payee. The wallet has the dollars again.",
            "sent": "Our bank has been told to pay it.",
            "paid": "Our bank has paid it.",
            "failed": "Our bank could not pay it. The wallet has the dollars again.",
            "returned": "The payee's bank has sent it back. The wallet has the dollars again.",
        },
    ),
]


def _is_printable(value: str) -> str:
    text = " ".join(value.split())
    if not text or not text.isprintable():
        raise ValueError("must be a name in one line")
    return text


class OtpBody(Request):
    """A one-time code, or a recovery code, if the second factor is on."""

    model_config = examples({}, {"otp": "123456"})

    otp: Otp | None = None


OwnerName = Annotated[str, Field(min_length=1, max_length=70), AfterValidator(_is_printable)]
Iban = Annotated[str, Field(max_length=50), AfterValidator(read_iban)]
AccountNumber = Annotated[str, Field(max_length=30), AfterValidator(read_account_number)]
RoutingNumber = Annotated[str, Field(max_length=20), AfterValidator(read_routing)]


class PayeeByIban(OtpBody):
    """A bank account with an `iban`. `name` is its owner. `otp` is needed if the second factor is on."""

    model_config = examples({"name": "Alice Example", "iban": "GB82 WEST 1234 5698 7654 32"})

    name: OwnerName
    iban: Iban
    account: None = None
    routing: None = None


class PayeeByAccount(OtpBody):
    """An `account` number in the United States with its bank's `routing` number.

    `name` is the account's owner. `otp` is needed if the second factor is on.
    """

    model_config = examples({"name": "Alice Example", "account": "123456789", "routing": "021000021", "otp": "123456"})

    name: OwnerName
    account: AccountNumber
    routing: RoutingNumber
    iban: None = None


class PayeeRequest(OtpBody):
    """A bank account: an `iban`, or an `account` number in the United States with its bank's `routing` number."""

    name: OwnerName
    iban: Iban | None = None
    account: AccountNumber | None = None
    routing: RoutingNumber | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return one_of(cls, handler, PayeeByIban, PayeeByAccount)

    @model_validator(mode="after")
    def _names_one_account(self) -> "PayeeRequest":
        if (self.iban is None) == (self.account is None) or (self.account is None) != (self.routing is None):
            raise ValueError("give iban, or account and routing")
        return self

    @property
    def bank_account(self) -> BankAccount:
        """The account, whichever kind it is."""
        return BankAccount(number=self.iban or self.account or "", routing=self.routing or "")


class PayeeAnswer(Response):
    """A payee. Its account is masked: `iban`, or `account` and `routing`, and the others are null.

    Payouts can go to it from `usable_at` on. `is_default` says that a withdrawal goes to it.
    """

    model_config = examples(
        {
            "id": 1,
            "name": "Alice Example",
            "iban": "GB****************5432",
            "account": None,
            "routing": None,
            "is_default": True,
            "created_at": "2026-01-31T12:00:00Z",
            "usable_at": "2026-02-01T12:00:00Z",
        }
    )

    id: int
    name: str
    iban: str | None
    account: str | None
    routing: str | None
    is_default: bool
    created_at: datetime
    usable_at: datetime


class PayoutRequest(OtpBody):
    """US dollars to pay out, without `payee` to the first one. `otp` is needed if the second factor is on."""

    model_config = examples({"amount": "100.00", "payee": 1}, {"amount": "100.00", "payee": 1, "otp": "123456"})

    amount: UsdIn
    payee: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class PayoutAnswer(Response):
    """A payout. `payee` is null for a withdrawal in a sandbox. Each state has its time; those to come are null.

    `bank_reference` is our bank's name of the payment, once it has told one, and `reason` says why it was rejected,
    failed or came back.
    """

    model_config = examples(
        {
            "id": 1,
            "amount": "100.00",
            "payee": 1,
            "state": "requested",
            "bank_reference": None,
            "reason": None,
            "created_at": "2026-01-31T12:00:00Z",
            "approved_at": None,
            "rejected_at": None,
            "cancelled_at": None,
            "sent_at": None,
            "paid_at": None,
            "failed_at": None,
            "returned_at": None,
        }
    )

    id: int
    amount: UsdOut
    payee: int | None
    state: PayoutState
    bank_reference: str | None
    reason: str | None
    created_at: datetime
    approved_at: datetime | None
    rejected_at: datetime | None
    cancelled_at: datetime | None
    sent_at: datetime | None
    paid_at: datetime | None
    failed_at: datetime | None
    returned_at: datetime | None
