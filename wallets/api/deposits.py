"""Deposits over HTTP."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from wallets.problems import answers
from wallets.schemas.deposits import DepositAnswer
from wallets.selectors.deposits import DepositFilters, list_deposits
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.lists import ListOf, ListQuery, link_next
from wallets.web.problems import LIST, SIGNED_IN

deposits_router = Router(tags=["accounts"], auth=FreshAccessToken())

_DEPOSITS: Final = ListOf(DepositAnswer)


@deposits_router.get(
    "deposits/",
    operation_id="listDeposits",
    summary="List deposits",
    **answers({200: _DEPOSITS.schema}, *LIST, *SIGNED_IN),
)
def deposits(request: HttpRequest, response: HttpResponse, query: Query[ListQuery]) -> HttpResponse:
    """Returns the dollars that came in for the caller, newest first."""
    filters = DepositFilters(created_after=query.created_after, created_before=query.created_before)
    page = list_deposits(customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor)
    rows = [
        {
            "id": deposit.pk,
            "amount": deposit.amount,
            "source": deposit.source,
            "reference": deposit.reference,
            "state": deposit.state,
            "received_at": deposit.received_at,
            "created_at": deposit.created_at,
        }
        for deposit in page.rows
    ]
    following = link_next(request, response, cursor=page.next_cursor)
    return _DEPOSITS.answer(response, rows, query=query, following=following)
