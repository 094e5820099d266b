"""The first hour of a program: `python story.py BASE_URL`, where BASE_URL is the service's, without `/api/v1`.

It ends with status 0 if every answer was as described, and prints the coins that the customer holds.
"""

import sys
import time
from http import HTTPStatus
from typing import TypeVar
from uuid import uuid4

import httpx
from exchange_client import AuthenticatedClient, Client
from exchange_client.api.accounts import deposit, list_holdings, register
from exchange_client.api.orders import get_order, make_quote, place_order
from exchange_client.models import (
    CashRequest,
    HoldingAnswer,
    HoldingPage,
    OrderAnswer,
    OrderByAmount,
    OrderByQuote,
    OrderState,
    Problem,
    ProblemCode,
    QuoteByAmount,
    Registration,
)

Body = TypeVar("Body")
FINAL = (OrderState.COMPLETED, OrderState.REFUNDED, OrderState.CANCELLED)
WAIT_SECONDS = 20  # the service answers after so long at the latest
PATIENCE = httpx.Timeout(WAIT_SECONDS + 10)  # without it, the client waits for a lost answer without end


class Refused(Exception):
    """A call was refused: the problem says why, by its code."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


def taken(answer: Body | Problem | None) -> Body:
    """Return the body of an answer, or raise its problem."""
    if isinstance(answer, Problem):
        raise Refused(answer)
    if answer is None:
        raise RuntimeError("The answer is not one of those that the document describes.")
    return answer


def expect(is_true: bool, sentence: str) -> None:
    if not is_true:
        raise RuntimeError(sentence)


def sign_up(base_url: str) -> AuthenticatedClient:
    registration = Registration(username=f"story-{uuid4()}", password="correct horse battery")
    tokens = taken(register.sync(client=Client(base_url=base_url, timeout=PATIENCE), body=registration))
    return AuthenticatedClient(base_url=base_url, token=tokens.access, timeout=PATIENCE)


def place_twice(client: AuthenticatedClient, quote: str) -> OrderAnswer:
    """Place an order, and repeat the request under its key: the order is made once."""
    key, body = str(uuid4()), OrderByQuote(quote=quote)
    first = taken(place_order.sync(client=client, body=body, idempotency_key=key))
    again = place_order.sync_detailed(client=client, body=body, idempotency_key=key)
    expect(taken(again.parsed).id == first.id, "The repeated request made another order.")
    expect(again.headers["Idempotent-Replayed"] == "true", "The answer does not say that it is a repetition.")
    return first


def wait_for(client: AuthenticatedClient, order: OrderAnswer) -> OrderAnswer:
    """Return the order when it has ended, or as it is after two minutes. Each answer comes when the state changes."""
    end = time.monotonic() + 120
    while order.state not in FINAL and time.monotonic() < end:
        order = taken(get_order.sync(client=client, order_id=order.id, wait=WAIT_SECONDS))
    return order


def held_coins(client: AuthenticatedClient) -> list[HoldingAnswer]:
    page = taken(list_holdings.sync(client=client, envelope=True))
    if not isinstance(page, HoldingPage):
        raise TypeError("The answer is not a page, although a page was asked for.")
    return page.items


def order_too_much(client: AuthenticatedClient) -> None:
    answer = place_order.sync_detailed(client=client, body=OrderByAmount(crypto="ABAN", amount="1000"))
    expect(answer.status_code == HTTPStatus.BAD_REQUEST, "An order without funds is not refused.")
    expect(
        isinstance(answer.parsed, Problem) and answer.parsed.code is ProblemCode.INSUFFICIENT_FUNDS,
        "The refusal does not say insufficient_funds.",
    )


def main(base_url: str) -> None:
    client = sign_up(base_url)
    wallet = taken(deposit.sync(client=client, body=CashRequest(amount="100.00"), idempotency_key=str(uuid4())))
    expect(wallet.balance == "100.00", "The deposit is not in the wallet.")
    quote = taken(make_quote.sync(client=client, body=QuoteByAmount(crypto="ABAN", amount="3")))
    order = wait_for(client, place_twice(client, quote.quote))
    expect(order.state is OrderState.COMPLETED, f"The order is {order.state}.")
    expect(order.total_price == quote.total_price, "The order cost something else than was quoted.")
    [holding] = held_coins(client)
    expect((holding.crypto, holding.amount) == ("ABAN", "3.00000000"), "The coins are not among the holdings.")
    order_too_much(client)
    print(holding.crypto, holding.amount)


main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
