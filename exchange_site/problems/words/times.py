"""What is said about codes of problems: what passes with time."""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Effect, Repeat, Words

TIMES: Final[Mapping[str, Words]] = {
    "price_unavailable": Words(
        meaning=(
            "The coin is on sale, but nobody knows what it costs at this moment: its price is too old, or looks wrong."
            " Usually that passes within seconds."
        ),
        advice=("Wait as Retry-After says. unavailable_reason in the list of coins says when the coin can be bought.",),
        repeat=Repeat.LATER,
    ),
    "sales_stopped": Words(
        meaning=(
            "The coin is not sold now, or not so much of it: a lot of it is sold and not bought yet, which passes"
            " within seconds or minutes, or its sales have stopped for the day."
        ),
        advice=(
            "Wait as Retry-After says, or try a smaller order.",
            "Orders that were placed before are settled as usual. A quote stands until it expires.",
        ),
        repeat=Repeat.LATER,
    ),
    "rate_limited": Words(
        meaning=(
            "Too many calls in too short a time: of this customer, from this address, or at this account. detail names"
            " the limit. It may also be that too many requests of this address or customer are under way at once."
        ),
        advice=(
            "Wait as Retry-After says, then go on more slowly.",
            "Read RateLimit in each answer: it says how many calls are left, and when the count starts again.",
            "Wait for an order with ?wait=20 instead of asking for it again and again.",
        ),
        repeat=Repeat.LATER,
    ),
    "busy": Words(
        meaning=(
            "409: another request of the same customer holds the wallet or the account. 503: this service has more"
            " requests, or more passwords to check, than it can work on at this moment."
        ),
        advice=(
            "Send the same request again after Retry-After, with the same Idempotency-Key if it has one.",
            "If it is often a 409, send the requests that move one customer's money one after the other.",
        ),
        repeat=Repeat.LATER,
    ),
    "request_timeout": Words(
        meaning="The body did not arrive in time, however often a piece of it came.",
        advice=("Check the connection, and whether Content-Length says more bytes than are sent.",),
        repeat=Repeat.LATER,
    ),
    "unavailable": Words(
        meaning="Something that this service needs does not answer, such as its database.",
        advice=(
            "Send the same request again after Retry-After, with the same Idempotency-Key if it has one.",
            "If it lasts for minutes, /health/ready/ says what does not answer. Keep request_id for the operators.",
        ),
        repeat=Repeat.LATER,
        effect=Effect.UNKNOWN,
    ),
    "internal_error": Words(
        meaning="This service has a fault. It is logged under request_id.",
        advice=(
            "Send the same request again once, with the same Idempotency-Key if it has one.",
            "If it fails again, tell the operators request_id and the time. Nothing else is needed to find the fault.",
        ),
        repeat=Repeat.LATER,
        effect=Effect.UNKNOWN,
    ),
}
