"""The movements of the dollar wallet over HTTP."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from wallets.exceptions import NotAcceptable, NotFound
from wallets.problems import answers
from wallets.schemas.transactions import TransactionAnswer, TransactionQuery
from wallets.selectors.accounts import Principal
from wallets.selectors.ledger import TransactionFilters, get_transaction, list_transactions
from wallets.selectors.statement_lines import COLUMNS, follow_lines, read_lines
from wallets.web.callers import FreshAccessToken, caller, limit_caller
from wallets.web.cells import csv_line
from wallets.web.limits import STATEMENTS
from wallets.web.lists import ListOf, link_next, refuse_parameters
from wallets.web.long_answers import LongAnswer, name_file
from wallets.web.media_types import CSV, CSV_UTF8, JSON, offer_csv, preferred_type, vary_by_type
from wallets.web.problems import LIST, SIGNED_IN

transactions_router = Router(tags=["transactions"], auth=FreshAccessToken())

_TRANSACTIONS: Final = ListOf(TransactionAnswer, texts=True)
_EXAMPLE: Final = csv_line(COLUMNS) + "2,2026-01-31T12:00:00.000Z,withdrawal,purchase,12.00,88.00,1\r\n"


@transactions_router.get(
    "",
    operation_id="listTransactions",
    summary="List movements",
    **offer_csv(answers({200: _TRANSACTIONS.schema}, *LIST, *SIGNED_IN, NotAcceptable), example=_EXAMPLE),
)
def transactions(request: HttpRequest, response: HttpResponse, query: Query[TransactionQuery]) -> Any:
    """Returns the movements of the caller's dollar wallet, newest first. With `Accept: text/csv` all of them, in one
    answer without pages: `limit`, `cursor` and `envelope` are of the pages in JSON.
    """
    vary_by_type(response)
    filters = TransactionFilters(
        direction=query.type,
        order_id=query.order_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    if preferred_type(request, offered=(JSON, CSV)) == CSV:
        refuse_parameters(request, names=("limit", "cursor", "envelope"))
        return _statement(request, principal=caller(request), filters=filters)
    page = list_transactions(
        customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor
    )
    following = link_next(request, response, cursor=page.next_cursor)
    return _TRANSACTIONS.answer(response, page.rows, query=query, following=following)


@transactions_router.get(
    "{int:transaction_id}/",
    operation_id="getTransaction",
    summary="Look at a movement",
    **answers({200: TransactionAnswer}, *SIGNED_IN, NotFound),
)
def one_transaction(request: HttpRequest, response: HttpResponse, transaction_id: int) -> HttpResponse:
    """Returns one movement of the caller's dollar wallet."""
    row = get_transaction(customer_id=caller(request).user_id, transaction_id=transaction_id)
    return _TRANSACTIONS.answer_one(response, row)


def _statement(request: HttpRequest, *, principal: Principal, filters: TransactionFilters) -> LongAnswer:
    """Return all movements in CSV. The first ones are read at once, so that a failure is a problem, not half a file."""
    assert principal.user_id is not None, "the account was read"
    limit_caller(request, STATEMENTS, caller=str(principal.subject))
    first = read_lines(customer_id=principal.user_id, filters=filters)
    following = follow_lines(customer_id=principal.user_id, filters=filters, first=first)
    answer = LongAnswer(
        (piece.encode() for part in ([csv_line(COLUMNS)], following) for piece in part if piece), content_type=CSV_UTF8
    )
    name_file(answer, name="transactions.csv")
    vary_by_type(answer)
    return answer
