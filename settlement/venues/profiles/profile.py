"""The differences between venues: deadlines, lists, and the meaning of refusals.

All venues share one adapter; every difference between them is a field of the profile. A refusal that the profile does
not list is Unknown: an exception's class alone never proves that nothing was executed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from settlement.venues.protocol import NotPlaced, Refused, Trouble, Unknown, VenueAnswer

_BANNED: Final = 418
_RATE_LIMIT_STATUSES: Final = frozenset({_BANNED, 429})
_RETRY_AFTER_UNSAID: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """The meaning of a venue's refusals, by code, filter and message of the raw answer.

    `refused_*`: the purchase can never succeed, and its orders are refunded. `not_placed_*`: the purchase was not
    accepted, for a reason that passes or that we can correct. If the entry has a trouble, buying of the coin or at the
    venue is paused. An entry without a trouble pauses nothing, and neither does a filter without an
    entry: the next attempt gets a new size and signing time.
    """

    refused_codes: frozenset[str]
    refused_filters: frozenset[str]
    not_placed_codes: Mapping[str, Trouble | None]
    not_placed_messages: Mapping[str, Trouble]
    order_limit_codes: frozenset[str] = frozenset()
    """Codes of a rate limit that counts orders alone."""
    filter_failure: str
    """The beginning of a message that names a filter: `Filter failure: LOT_SIZE`."""


@dataclass(frozen=True, kw_only=True)
class VenueProfile:
    """The known facts about a venue."""

    requests_expire: bool
    """Whether the venue refuses a signed request once the window after its timestamp has passed."""

    lists_by_id: bool
    """Whether the venue lists orders by ascending id, from a given id on. By time, it lists at most one day."""

    order_not_found_code: str | None
    """The code that a lookup's "not found" must have to be believed. None: ccxt's OrderNotFound is enough."""

    quote_time: str | None = None
    """The name, in ccxt's ticker, of the time at which its bid and ask held. None: the venue says no such time.

    The time of the last trade is none: a market without trades has good prices, too.
    """

    stale_timestamp_code: str
    """The venue's code for refusing a request because our clock is wrong."""

    refusals: Refusals

    def judge_refusal(self, *, status: int, code: str, message: str, headers: Mapping[str, str]) -> VenueAnswer:
        """Return the VenueAnswer that an error answer to a purchase proves."""
        reason = f"{status} {code} {message}"[:200]
        if (wait := judge_rate_limit(status=status, headers=headers)) is not None:
            # A limit on orders alone must not stop the reading of prices.
            is_of_orders = status != _BANNED and code in self.refusals.order_limit_codes
            trouble = Trouble.VENUE if is_of_orders else Trouble.CALLS
            return NotPlaced(reason=reason, trouble=trouble, retry_after_seconds=wait)
        if not 400 <= status < 500:  # noqa: PLR2004  only client errors prove anything; a 5XX does not
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
        """Say whether a purchase was not placed because of one of the market's filters."""
        return isinstance(answer, NotPlaced) and self.refusals.filter_failure in answer.reason


def judge_rate_limit(*, status: int | None, headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which the venue wants no calls, or None if the answer is not about a rate limit.

    The venue bans clients that keep calling ("IP limits", Binance spot REST API documentation). The number is the
    venue's and has no upper bound: `settlement.waits` bounds it where it is used.
    """
    if status not in _RATE_LIMIT_STATUSES:
        return None
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,9})?", value, re.ASCII):
        return float(value)
    return _seconds_until(value, headers.get("Date", ""))


def _seconds_until(moment: str, now: str) -> float:
    """Return the seconds between two HTTP dates (RFC 9110, 10.2.3), both by the venue's clock."""
    try:
        seconds = (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError, OverflowError):  # no date, or one date with and one without a time zone
        return _RETRY_AFTER_UNSAID
    return seconds if seconds > 0 else _RETRY_AFTER_UNSAID
