"""Holdings over HTTP."""

from decimal import Decimal
from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from trading.offer_list import list_offers
from trading.problems import answers
from trading.rounding import value_of
from trading.schemas.holdings import HoldingAnswer
from trading.selectors.orders import sum_costs
from wallets.selectors.ledger import list_coin_balances
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.lists import FormQuery, ListOf
from wallets.web.problems import SIGNED_IN

holdings_router = Router(tags=["accounts"], auth=FreshAccessToken())

_HOLDINGS: Final = ListOf(HoldingAnswer)


@holdings_router.get(
    "holdings/",
    operation_id="listHoldings",
    summary="List coins held",
    **answers({200: _HOLDINGS.schema}, *SIGNED_IN),
)
def holdings(request: HttpRequest, response: HttpResponse, query: Query[FormQuery]) -> HttpResponse:
    """Returns the coins that the caller holds, with their cost and their value."""
    costs = sum_costs(customer_id=caller(request).user_id)
    prices = {offer.name: offer.price for offer in list_offers()}
    rows = [
        {
            "crypto": coin,
            "amount": amount,
            "cost": costs.get(coin, Decimal(0)),
            "price": prices.get(coin),
            "value": _value(amount, prices.get(coin)),
        }
        for coin, amount in sorted(list_coin_balances(owner_id=caller(request).user_id).items())
    ]
    return _HOLDINGS.answer(response, rows, query=query)


def _value(amount: Decimal, price: Decimal | None) -> Decimal | None:
    return None if price is None else value_of(amount=amount, price=price)
