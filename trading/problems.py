"""Maps the errors of the shop to problems over HTTP."""

from functools import partial
from typing import Final

import wallets.problems
from trading import exceptions
from wallets.web.problems import ProblemKind, Problems, declare_answers

PROBLEMS: Final[Problems] = {
    exceptions.UnknownCoin: ProblemKind(
        404, "unknown_crypto", "Unknown cryptocurrency", "This cryptocurrency is not sold here."
    ),
    exceptions.TooManyHeld: ProblemKind(
        403,
        "too_many_held",
        "Too many held orders",
        "Several of your orders wait for a review already. Try again when they are decided.",
    ),
    exceptions.OrderNotCancellable: ProblemKind(
        409, "order_not_cancellable", "Order not cancellable", "The order can no longer be cancelled."
    ),
    exceptions.BelowMinimum: ProblemKind(422, "below_minimum", "Below the minimum", "The smallest order is 0.5 coins."),
    exceptions.AboveMaximum: ProblemKind(422, "above_maximum", "Above the maximum", "The largest order is 1000 coins."),
    exceptions.AmountOffStep: ProblemKind(
        422, "amount_off_step", "Amount off the step", "Amounts of this coin are multiples of 0.5."
    ),
    exceptions.PriceAboveMax: ProblemKind(
        422,
        "price_above_max",
        "Price above the maximum",
        "One coin costs 4.02 US dollars now, more than the given maximum.",
    ),
    exceptions.QuoteInvalid: ProblemKind(
        422, "quote_invalid", "Invalid quote", "This quote is not one of yours. Ask for a new one."
    ),
    exceptions.QuoteExpired: ProblemKind(
        422, "quote_expired", "Quote expired", "This quote has expired. Ask for a new one."
    ),
    exceptions.QuoteUsed: ProblemKind(
        409, "quote_used", "Quote used", "An order has used this quote already. Ask for a new one."
    ),
    exceptions.QuoteWithdrawn: ProblemKind(
        409,
        "quote_withdrawn",
        "Quote withdrawn",
        "This quote is withdrawn, because the coin is not sold now or its price has moved too far.",
    ),
    exceptions.PriceUnavailable: ProblemKind(
        503,
        "price_unavailable",
        "Price unavailable",
        "There is no current price for this cryptocurrency. Try again soon.",
        retry_after_seconds=10,
    ),
    exceptions.SalesStopped: ProblemKind(
        503,
        "sales_stopped",
        "Sales stopped",
        "Sales of this cryptocurrency have stopped, or not so much of it is sold now. Try again later.",
    ),
}

answers = partial(declare_answers, {**wallets.problems.PROBLEMS, **PROBLEMS})
"""Declares the answers of an operation: first its successes by status, then its refusals."""
