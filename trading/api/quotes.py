"""Quotes over HTTP."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from trading.exceptions import AboveMaximum, AmountOffStep, BelowMinimum, PriceUnavailable, SalesStopped, UnknownCoin
from trading.problems import answers
from trading.quotes import sign_quote
from trading.schemas.orders import QuoteAnswer, QuoteBody
from trading.services.quoting import make_quote
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.limits import Limit, count_dollars
from wallets.web.problems import BODY, SIGNED_IN

quotes_router = Router(tags=["orders"])

QUOTES: Final = Limit("quotes")
"""Limits how often a customer may ask for a quote."""


@quotes_router.post(
    "",
    auth=FreshAccessToken(limit=QUOTES),
    operation_id="makeQuote",
    summary="Ask for a firm price",
    **answers(
        {201: QuoteAnswer},
        *BODY,
        *SIGNED_IN,
        UnknownCoin,
        BelowMinimum,
        AboveMaximum,
        AmountOffStep,
        PriceUnavailable,
        SalesStopped,
    ),
)
def quote(request: HttpRequest, body: QuoteBody) -> Status[Body]:
    """Promises a price for some seconds. Nothing is reserved or charged, and nothing of the quote is kept here."""
    customer_id = caller(request).user_id
    made = make_quote(customer_id=customer_id, coin_name=body.crypto, amount=body.amount, total=body.total)
    count_dollars(
        limit="quoted-dollars",
        caller=str(customer_id),
        amount=made.priced.charge,
        most=settings.QUOTES.max_per_minute,
    )
    return Status(
        201,
        {
            "quote": sign_quote(made),
            "crypto": made.coin_name,
            "amount": made.priced.amount,
            "market_price": made.priced.market_price,
            "price": made.priced.price,
            "subtotal": made.priced.subtotal,
            "fee": made.priced.fee,
            "total_price": made.priced.charge,
            "expires_at": made.expires_at,
        },
    )
