"""What is said about codes of problems: coins, quotes and orders."""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Repeat, Words

ORDERS: Final[Mapping[str, Words]] = {
    "unknown_crypto": Words(
        meaning="No coin of this name is sold here.",
        advice=("Take the name from GET /api/v1/exchanges/crypto-currencies/, in capital letters.",),
        repeat=Repeat.NEVER,
    ),
    "below_minimum": Words(
        meaning="The order is for fewer coins than the smallest order of this coin.",
        advice=(
            "Order at least minimum of the coin. With total, the dollars have to pay for that many, fee included.",
        ),
        repeat=Repeat.NEVER,
    ),
    "above_maximum": Words(
        meaning="The order is for more coins than the largest order of this coin.",
        advice=("Order at most maximum of the coin, or place several orders.",),
        repeat=Repeat.NEVER,
    ),
    "amount_off_step": Words(
        meaning="Amounts of this coin are multiples of its step. An amount between them is not rounded for you.",
        advice=("Round the amount down to a multiple of step of the coin, or order by total.",),
        repeat=Repeat.NEVER,
    ),
    "price_above_max": Words(
        meaning="One coin costs more now than max_price allows, spread included and fee not.",
        advice=(
            (
                "The member price has the price of now. Show it to the customer, and order again with a max_price that"
                " they accept."
            ),
            "For a price that stands for some seconds, ask for a quote: POST /api/v1/quotes/.",
        ),
        repeat=Repeat.NEVER,
    ),
    "quote_invalid": Words(
        meaning="The quote was altered, was cut off, or belongs to another customer.",
        advice=("Send quote exactly as it was given, with the token of the same customer, or ask for a new one.",),
        repeat=Repeat.NEVER,
    ),
    "quote_expired": Words(
        meaning="The quote was firm until its expires_at, which has passed by the clock of this service.",
        advice=(
            "Ask for a new quote, show its price, and order within its time.",
            (
                "If the order was sent in time and its answer was lost, repeat it with the same Idempotency-Key: the"
                " order that was placed is answered, however old its quote is."
            ),
        ),
        repeat=Repeat.NEVER,
    ),
    "quote_used": Words(
        meaning="An order has used this quote. A quote is good for one order.",
        advice=(
            "Look for the order with GET /api/v1/orders/: it may be the one whose answer was lost.",
            "For another order, ask for a new quote.",
        ),
        repeat=Repeat.NEVER,
    ),
    "quote_withdrawn": Words(
        meaning=(
            "The quote has not expired, but its promise ended early: the coin is not sold now, or its market price has"
            " risen by more than the spread and half a percent."
        ),
        advice=("Ask for a new quote, and show its price.",),
        repeat=Repeat.NEVER,
    ),
    "too_many_held": Words(
        meaning="Several orders of this customer wait for a review by staff, so no further one is taken.",
        advice=("Wait until they are decided: an order leaves the state held, and is bought or refunded.",),
        repeat=Repeat.AFTER_CAUSE,
    ),
    "order_not_cancellable": Words(
        meaning="The order is being settled, is held for a review, or has ended. Cancel works while an order waits.",
        advice=("Read its state with GET /api/v1/orders/{id}/ and go by that.",),
        repeat=Repeat.NEVER,
    ),
}
