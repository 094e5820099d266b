"""Payees over HTTP."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from wallets.exceptions import AddressNotProven, OtpInvalid, OtpRequired, TooManyPayees
from wallets.models import Payee
from wallets.problems import answers
from wallets.runtime import clock
from wallets.schemas.payouts import OtpBody, PayeeAnswer, PayeeRequest
from wallets.selectors.payees import list_payees
from wallets.services import payees
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.limits import WALLET
from wallets.web.lists import FormQuery, ListOf
from wallets.web.problems import BODY, MONEY, SIGNED_IN

payees_router = Router(tags=["accounts"])

_PAYEES: Final = ListOf(PayeeAnswer)


@payees_router.get(
    "payees/",
    auth=FreshAccessToken(),
    operation_id="listPayees",
    summary="List payees",
    **answers({200: _PAYEES.schema}, *SIGNED_IN),
)
def list_(request: HttpRequest, response: HttpResponse, query: Query[FormQuery]) -> HttpResponse:
    """Returns the bank accounts to which the caller's money can be paid out, the oldest first."""
    return _PAYEES.answer(response, _answers(caller(request).user_id), query=query)


@payees_router.post(
    "payees/",
    auth=FreshAccessToken(limit=WALLET),
    operation_id="addPayee",
    summary="Add a payee",
    **answers({201: PayeeAnswer}, *BODY, *SIGNED_IN, *MONEY, OtpRequired, OtpInvalid, AddressNotProven, TooManyPayees),
)
def add(request: HttpRequest, body: PayeeRequest) -> Status[Body]:
    """Adds a bank account, which can be used after a while. The account's e-mail address is told. A bank account that
    is there already stays as it is.
    """
    principal = caller(request)
    new = payees.NewPayee(name=body.name, account=body.bank_account)
    added = payees.add_payee(principal=principal, new=new, otp=body.otp, now=clock.now())
    shown = _answers(principal.user_id)
    return Status(201, next((each for each in shown if each["id"] == added.payee.pk), _answer(added.payee)))


@payees_router.delete(
    "payees/{int:payee_id}/",
    auth=FreshAccessToken(limit=WALLET),
    operation_id="removePayee",
    summary="Remove a payee",
    **answers({204: None}, *BODY, *SIGNED_IN, *MONEY, OtpRequired, OtpInvalid),
)
def remove(request: HttpRequest, payee_id: int, body: OtpBody | None = None) -> Status[None]:
    """Removes a bank account, and cancels the payouts to it that are not sent yet."""
    otp = body.otp if body else None
    payees.remove_payee(principal=caller(request), payee_id=payee_id, otp=otp, now=clock.now())
    return Status(204, None)


def _answers(customer_id: int) -> list[Body]:
    found = list_payees(customer_id=customer_id)
    default = payees.first_usable(payees=found)
    return [_answer(payee, is_default=payee == default) for payee in found]


def _answer(payee: Payee, *, is_default: bool = False) -> Body:
    account = payee.bank_account
    return {
        "id": payee.pk,
        "name": payee.name,
        "iban": account.masked if account.is_iban else None,
        "account": None if account.is_iban else account.masked,
        "routing": account.routing or None,
        "is_default": is_default,
        "created_at": payee.created_at,
        "usable_at": payee.usable_at,
    }
