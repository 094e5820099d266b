"""The movements of the dollar wallet over HTTP."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from wallets.exceptions import NotFound
from wallets.models import Transaction
from wallets.problems import answers
from wallets.schemas.transactions import TransactionAnswer, TransactionQuery
from wallets.selectors.ledger import TransactionFilters, direction_of, get_transaction, list_transactions
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.lists import link_next, refuse_unknown_parameters
from wallets.web.problems import LIST, SIGNED_IN

transactions_router = Router(tags=["transactions"], auth=FreshAccessToken())


@transactions_router.get(
    "",
    operation_id="listTransactions",
    summary="List movements",
    **answers({200: list[TransactionAnswer]}, *LIST, *SIGNED_IN),
)
def transactions(request: HttpRequest, response: HttpResponse, query: Query[TransactionQuery]) -> list[Body]:
    """Returns the movements of the caller's dollar wallet, newest first."""
    refuse_unknown_parameters(request, known=TransactionQuery)
    filters = TransactionFilters(
        direction=query.type,
        order_id=query.order_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = list_transactions(
        customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor
    )
    link_next(request, response, cursor=page.next_cursor)
    return [_transaction_answer(row) for row in page.rows]


@transactions_router.get(
    "{int:transaction_id}/",
    operation_id="getTransaction",
    summary="Look at a movement",
    **answers({200: TransactionAnswer}, *SIGNED_IN, NotFound),
)
def one_transaction(request: HttpRequest, transaction_id: int) -> Body:
    """Returns one movement of the caller's dollar wallet."""
    return _transaction_answer(get_transaction(customer_id=caller(request).user_id, transaction_id=transaction_id))


def _transaction_answer(row: Transaction) -> Body:
    return {
        "id": row.pk,
        "type": direction_of(movement=row),
        "kind": row.kind,
        "amount": row.amount,
        "balance_after": row.balance_after,
        "order_id": row.order_id,
        "created_at": row.created_at,
    }
