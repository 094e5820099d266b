"""Deposits over HTTP."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from wallets.problems import answers
from wallets.schemas.deposits import DepositAnswer
from wallets.selectors.deposits import DepositFilters, list_deposits
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.lists import ListQuery, link_next, list_answer, list_or_page
from wallets.web.problems import LIST, SIGNED_IN

deposits_router = Router(tags=["accounts"], auth=FreshAccessToken())


@deposits_router.get(
    "deposits/",
    operation_id="listDeposits",
    summary="List deposits",
    **answers({200: list_or_page(DepositAnswer)}, *LIST, *SIGNED_IN),
)
def deposits(request: HttpRequest, response: HttpResponse, query: Query[ListQuery]) -> Body | list[Body]:
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
    return list_answer(rows, query=query, following=link_next(request, response, cursor=page.next_cursor))
