"""Prices amounts of coins, and makes and takes quotes. Nothing of a quote is stored until an order uses it."""

import uuid
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from trading.exceptions import (
    AboveMaximum,
    AmountOffStep,
    BelowMinimum,
    PriceAboveMax,
    PriceUnavailable,
    QuoteExpired,
    QuoteInvalid,
    QuoteUsed,
    QuoteWithdrawn,
    SalesStopped,
)
from trading.headroom_rules import sales_stopped
from trading.offers import Offer, load_offer
from trading.quotes import PricedAmount, Quote
from trading.rounding import amount_for, subtotal_for
from trading.selectors.order_contexts import OrderContext
from wallets.runtime import clock
from wallets.selectors.ledger import read_dollar_balance


def make_quote(
    *, customer_id: int, coin_name: str, amount: Decimal | None, total: Decimal | None, now: datetime | None = None
) -> Quote:
    """Promise a price for `amount` coins, or for as many as `total` US dollars buy. Writes nothing.

    The quote is firm for QUOTE_TTL_SECONDS; its dollars are not taken from what may still be sold. Tests give a moment
    as `now`.

    Raises UnknownCoin, PriceUnavailable (also if the ask is older than PRICE_VALID_SECONDS), SalesStopped,
    BelowMinimum, AboveMaximum, AmountOffStep.
    """
    now = now or clock.now()
    offer = load_offer(coin_name=coin_name)
    priced = price_amount(offer=offer, amount=amount, total=total, now=now)
    offer.ensure_current_ask(now=now)  # without one the quote could not be used
    _ensure_can_be_quoted(priced, offer=offer)
    if offer.largest_order is not None and priced.subtotal > offer.largest_order:
        _refuse_who_can_pay(priced, customer_id=customer_id)
    return Quote(
        id=uuid.uuid4(),
        customer_id=customer_id,
        coin_name=offer.name,
        expires_at=now + settings.QUOTES.ttl,
        priced=priced,
    )


def _refuse_who_can_pay(priced: PricedAmount, *, customer_id: int) -> None:
    """Raise SalesStopped if the customer can pay. Who cannot learns nothing of what is left: an order needs funds."""
    if read_dollar_balance(customer_id=customer_id) >= priced.charge:
        raise sales_stopped()


def _ensure_can_be_quoted(priced: PricedAmount, *, offer: Offer) -> None:
    """Raise AboveMaximum if the amount costs more than QUOTE_MAX_PER_MINUTE: to wait would not help."""
    most = settings.QUOTES.max_per_minute
    if priced.charge > most:
        subtotal = offer.terms.subtotal_within(total=most)
        raise AboveMaximum(maximum=amount_for(total=subtotal, price=priced.price, step=offer.step))


def price_amount(*, offer: Offer, amount: Decimal | None, total: Decimal | None, now: datetime) -> PricedAmount:
    """Price `amount` coins, or as many as `total` US dollars buy, fee included, at the price of this moment.

    Raises PriceUnavailable, SalesStopped, BelowMinimum, AboveMaximum, AmountOffStep.
    """
    price = offer.ensure_sellable(now=now)
    market_price = offer.market_price
    assert market_price is not None, "a coin with a price has a market price"
    amount = _amount_of(amount, total, offer=offer, price=price)
    subtotal = subtotal_for(amount=amount, price=price)
    return PricedAmount(
        amount=amount,
        market_price=market_price,
        price=price,
        price_source=offer.price_source,
        price_at=offer.price_at or now,
        spread_rate=offer.terms.spread_rate,
        rule_id=offer.terms.rule_id,
        subtotal=subtotal,
        fee=offer.terms.fee(subtotal=subtotal),
    )


def ensure_price_within(*, priced: PricedAmount, max_price: Decimal | None) -> None:
    """Raise PriceAboveMax if one coin costs more than the customer wants to pay: spread included, fee not."""
    if max_price is not None and priced.price > max_price:
        raise PriceAboveMax(price=priced.price)


def take_quote(*, quote: Quote | None, customer_id: int, context: OrderContext, now: datetime) -> PricedAmount:
    """Return what a quote promised its customer. The caller holds the lock on the customer's wallet.

    Raises QuoteInvalid (also for another customer's), QuoteUsed, QuoteExpired, QuoteWithdrawn.
    """
    if quote is None or quote.customer_id != customer_id:
        raise QuoteInvalid
    if context.quote_is_used:
        raise QuoteUsed
    if now >= quote.expires_at:
        raise QuoteExpired
    _ensure_stands(quote, offer=context.offer, now=now)
    return quote.priced


def _ensure_stands(quote: Quote, *, offer: Offer | None, now: datetime) -> None:
    """Raise QuoteWithdrawn if the coin is not sold now, or if its ask is not known now or has risen too far.

    Whether there is room for the order is not looked at: that is no word about the quote, which may be used again.
    """
    if offer is None:
        raise QuoteWithdrawn
    try:
        offer.ensure_not_stopped(now=now)
        ask = offer.ensure_current_ask(now=now)
    except (PriceUnavailable, SalesStopped) as error:
        raise QuoteWithdrawn from error
    if quote.has_moved_too_far(ask=ask):
        raise QuoteWithdrawn


def _amount_of(amount: Decimal | None, total: Decimal | None, *, offer: Offer, price: Decimal) -> Decimal:
    if total is not None:
        amount = amount_for(total=offer.terms.subtotal_within(total=total), price=price, step=offer.step)
    assert amount is not None, "the schema asks for exactly one of amount and total"
    if amount < offer.minimum:
        raise BelowMinimum(minimum=offer.minimum)
    if offer.maximum is not None and amount > offer.maximum:
        raise AboveMaximum(maximum=offer.maximum)
    if amount % offer.step:
        raise AmountOffStep(step=offer.step)
    return amount
