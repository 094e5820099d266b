"""Payouts over HTTP."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from wallets.exceptions import (
    AddressNotProven,
    CredentialHold,
    FundsOnHold,
    IdempotencyKeyReused,
    InsufficientFunds,
    NoPayee,
    NotFound,
    OtpInvalid,
    OtpRequired,
    PayeeOnHold,
    PayoutInDoubt,
    PayoutNotCancellable,
)
from wallets.models import Payout
from wallets.problems import answers
from wallets.runtime import clock
from wallets.runtime.idempotency import idempotency_key
from wallets.schemas.payouts import PayoutAnswer, PayoutRequest
from wallets.selectors.payouts import PayoutFilters, get_payout, list_payouts
from wallets.services.payouts import ending, requesting
from wallets.web.bodies import Body
from wallets.web.callers import AccessToken, FreshAccessToken, caller
from wallets.web.limits import WALLET
from wallets.web.lists import ListOf, ListQuery, link_next
from wallets.web.problems import BODY, LIST, MONEY, SIGNED_IN
from wallets.web.requests import IdempotencyHeader, mark_replayed

payouts_router = Router(tags=["accounts"])

HOLDS = (OtpRequired, OtpInvalid, NoPayee, PayeeOnHold, CredentialHold, AddressNotProven, FundsOnHold)
"""Refusals of operations that pay money out, besides those of every operation that moves money."""
_PAYOUTS: Final = ListOf(PayoutAnswer)
_TIMES = ("created", "approved", "rejected", "cancelled", "sent", "paid", "failed", "returned")


@payouts_router.post(
    "payouts/",
    auth=FreshAccessToken(limit=WALLET),
    operation_id="requestPayout",
    summary="Ask for a payout",
    **answers({201: PayoutAnswer}, *BODY, *SIGNED_IN, *MONEY, *HOLDS, InsufficientFunds, IdempotencyKeyReused),
)
def request_(
    request: HttpRequest, response: HttpResponse, body: PayoutRequest, idempotency: IdempotencyHeader
) -> Status[Body]:
    """Takes dollars out of the wallet, to be paid to a payee. Staff approve it, unless it is small."""
    payee = None if body.payee is None else str(body.payee)
    payout_request = requesting.PayoutRequest(
        amount=body.amount,
        payee_id=body.payee,
        key=idempotency_key(key=idempotency, request={"amount": body.amount, "payee": payee}),
    )
    asked = requesting.request_payout(
        principal=caller(request), payout_request=payout_request, otp=body.otp, now=clock.now()
    )
    mark_replayed(response, replayed=asked.replayed)
    return Status(201, _answer(asked.payout))


@payouts_router.get(
    "payouts/",
    auth=FreshAccessToken(),
    operation_id="listPayouts",
    summary="List payouts",
    **answers({200: _PAYOUTS.schema}, *LIST, *SIGNED_IN),
)
def payouts(request: HttpRequest, response: HttpResponse, query: Query[ListQuery]) -> HttpResponse:
    """Returns the caller's payouts, newest first."""
    filters = PayoutFilters(created_after=query.created_after, created_before=query.created_before)
    page = list_payouts(customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor)
    following = link_next(request, response, cursor=page.next_cursor)
    return _PAYOUTS.answer(response, map(_answer, page.rows), query=query, following=following)


@payouts_router.get(
    "payouts/{int:payout_id}/",
    auth=FreshAccessToken(),
    operation_id="getPayout",
    summary="Look at a payout",
    **answers({200: PayoutAnswer}, *SIGNED_IN, NotFound),
)
def one_payout(request: HttpRequest, payout_id: int) -> Body:
    """Returns one of the caller's payouts."""
    return _answer(get_payout(customer_id=caller(request).user_id, payout_id=payout_id))


@payouts_router.post(
    "payouts/{int:payout_id}/cancel/",
    auth=AccessToken(limit=WALLET),
    operation_id="cancelPayout",
    summary="Cancel a payout",
    **answers({200: PayoutAnswer}, *SIGNED_IN, *MONEY, PayoutNotCancellable, PayoutInDoubt),
)
def cancel(request: HttpRequest, payout_id: int) -> Body:
    """Cancels a payout that is not sent yet, and puts its dollars back into the wallet.

    While nobody knows whether it was sent, the answer is `payout_in_doubt`.
    """
    return _answer(ending.cancel_payout(principal=caller(request), payout_id=payout_id))


def _answer(payout: Payout) -> Body:
    return {
        "id": payout.pk,
        "amount": payout.amount,
        "payee": payout.payee_id,
        "state": payout.state,
        "bank_reference": payout.bank_reference or None,
        "reason": payout.reason or None,
        **{f"{time}_at": getattr(payout, f"{time}_at") for time in _TIMES},
    }
