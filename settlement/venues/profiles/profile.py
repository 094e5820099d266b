"""How one venue differs from the next: deadlines, lists, and the meaning of its refusals.

The adapter is the same for all; everything that depends on the venue's name is a field here. Whatever a profile does
not list is Unknown: an exception's class alone never proves that nothing was executed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from settlement.venues.protocol import NotPlaced, Refused, Trouble, Unknown, VenueAnswer

_RATE_LIMIT_STATUSES: Final = frozenset({418, 429})
_RETRY_AFTER_UNSAID: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """The meaning of a venue's refusals, by code, filter and message of the raw answer.

    `refused_*`: the purchase can never succeed, its orders are refunded. `not_placed_*`: not accepted, for a reason
    that passes or that we can mend. With a trouble, the coin or the venue is paused; without one, the request itself
    was wrong for this moment, and the next attempt is sized and dated anew, as after any other filter.
    """

    refused_codes: frozenset[str]
    refused_filters: frozenset[str]
    not_placed_codes: Mapping[str, Trouble | None]
    not_placed_messages: Mapping[str, Trouble]
    filter_failure: str
    """The beginning of a message that names a filter: `Filter failure: LOT_SIZE`."""


@dataclass(frozen=True, kw_only=True)
class VenueProfile:
    """The facts that have been found out about a venue."""

    requests_expire: bool
    """Whether a signed request is refused after its timestamp and window have passed."""

    lists_by_id: bool
    """Whether orders are listed by their ids, which grow, and by time for a day at most."""

    order_not_found_code: str | None
    """The code that a lookup's "not found" must carry to be believed; None where ccxt's word is enough."""

    stale_timestamp_code: str
    """The code of a refusal because of our clock."""

    refusals: Refusals

    def judge_refusal(self, *, status: int, code: str, message: str, headers: Mapping[str, str]) -> VenueAnswer:
        """Say what an error answer to a new order proves."""
        reason = f"{status} {code} {message}"[:200]
        if (wait := judge_rate_limit(status=status, headers=headers)) is not None:
            return NotPlaced(reason=reason, trouble=Trouble.CALLS, retry_after_seconds=wait)
        if not 400 <= status < 500:  # noqa: PLR2004  a client error; a 5XX says nothing of the order
            return Unknown(reason=reason)
        refusals = self.refusals
        failed = re.search(f"{re.escape(refusals.filter_failure)}: ([A-Z_]+)", message)
        if code in refusals.refused_codes or (failed and failed[1] in refusals.refused_filters):
            return Refused(reason=reason)
        if failed or code in refusals.not_placed_codes:
            return NotPlaced(reason=reason, trouble=refusals.not_placed_codes.get(code))
        for text, trouble in refusals.not_placed_messages.items():
            if text in message:
                return NotPlaced(reason=reason, trouble=trouble)
        return Unknown(reason=reason)

    def is_filter_failure(self, answer: VenueAnswer) -> bool:
        """Whether an order was not placed because of one of the market's filters."""
        return isinstance(answer, NotPlaced) and self.refusals.filter_failure in answer.reason


def judge_rate_limit(*, status: int | None, headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which the venue wants no call; None when it said no such thing.

    It answers calls that go on all the same with a ban ("IP limits", Binance spot REST API documentation).
    """
    if status not in _RATE_LIMIT_STATUSES:
        return None
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else _RETRY_AFTER_UNSAID
