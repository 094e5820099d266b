"""The meaning of a venue's refusals, by code and message of the raw answer. Anything that is not listed is Unknown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

from settlement.venues.profiles.words import Failure
from settlement.venues.protocol import NotPlaced, Refused, Trouble, Unknown, VenueAnswer

_BANNED: Final = 418
_RATE_LIMIT_STATUSES: Final = frozenset({_BANNED, 429})
_RETRY_AFTER_UNSAID: Final = 10.0


class Meaning(Enum):
    """What a refusal of a purchase proves. All but REFUSED mean: not placed, for a reason that passes or is ours."""

    REFUSED = auto()  # this purchase can never succeed: its orders are refunded
    AGAIN = auto()  # pauses nothing: the next attempt gets a new size, nonce and signing time
    COIN = auto()  # buying of the coin is paused
    VENUE = auto()  # buying at the venue is paused
    ORDER_LIMIT = auto()  # too many orders: buying at the venue is paused, and reading goes on
    CALL_LIMIT = auto()  # too many calls: all calls stop


_TROUBLES: Final = {
    Meaning.AGAIN: None,
    Meaning.COIN: Trouble.COIN,
    Meaning.VENUE: Trouble.VENUE,
    Meaning.ORDER_LIMIT: Trouble.VENUE,
    Meaning.CALL_LIMIT: Trouble.CALLS,
}


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """A venue's tables. A message is looked for first, then the filter that it names, then the code.

    A code that ends with `*` stands for all codes that begin so. A 5XX proves nothing at any venue.
    """

    codes: Mapping[str, Meaning]
    messages: Mapping[str, Meaning] = field(default_factory=dict)
    """By a part of the message, in any letter case."""
    filter_failure: str = ""
    """The beginning of a message that names a filter of the market, such as `Filter failure: LOT_SIZE`."""
    filters: Mapping[str, Meaning] = field(default_factory=dict)
    """Filters that mean something else than AGAIN."""
    stale_rules: frozenset[str] = frozenset()
    """Codes that say that the market's filters are not those that we know."""
    waits_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long to wait after a limit for which the venue names no time."""

    def find_meaning(self, failure: Failure) -> Meaning | None:
        """Return what a refusal means, or None if it is not listed."""
        text = failure.message.casefold()
        for part, meaning in self.messages.items():
            if part.casefold() in text:
                return meaning
        if name := self.find_filter(failure):
            return self.filters.get(name, Meaning.AGAIN)
        if (exact := self.codes.get(failure.code)) is not None:
            return exact
        begins = (code for code in self.codes if code.endswith("*") and failure.code.startswith(code[:-1]))
        longest = max(begins, key=len, default=None)
        return None if longest is None else self.codes[longest]

    def find_filter(self, failure: Failure) -> str:
        """Return the name of the filter that a refusal names, or nothing."""
        if not self.filter_failure:
            return ""
        found = re.search(f"{re.escape(self.filter_failure)}: ([A-Z_]+)", failure.message)
        return found[1] if found else ""


def judge_refusal(
    *, refusals: Refusals, status: int, failure: Failure, headers: Mapping[str, str], wait: float | None
) -> VenueAnswer:
    """Return the VenueAnswer that an error answer to a purchase proves. `wait` is the venue's own, in seconds."""
    reason = f"{status} {failure.code} {failure.message}".strip()[:200]
    meaning = refusals.find_meaning(failure)
    asked = judge_rate_limit(status=status, headers=headers, wait=wait)
    if failure.names_order:
        return Unknown(reason=f"{reason}, and an order"[:200], retry_after_seconds=asked)
    if asked is not None:
        # A limit on orders alone must not stop the reading of prices.
        is_of_orders = status != _BANNED and meaning is Meaning.ORDER_LIMIT
        trouble = Trouble.VENUE if is_of_orders else Trouble.CALLS
        return NotPlaced(reason=reason, trouble=trouble, retry_after_seconds=asked)
    if not 200 <= status < 500 or meaning is None:  # noqa: PLR2004  a 5XX proves nothing
        return Unknown(reason=reason)
    if meaning is Meaning.REFUSED:
        return Refused(reason=reason)
    is_limit = meaning in {Meaning.ORDER_LIMIT, Meaning.CALL_LIMIT}
    pause = (wait or refusals.waits_seconds.get(failure.code, _RETRY_AFTER_UNSAID)) if is_limit else None
    return NotPlaced(reason=reason, trouble=_TROUBLES[meaning], retry_after_seconds=pause)


def judge_wait(
    *, refusals: Refusals, status: int, failure: Failure | None, headers: Mapping[str, str], wait: float | None
) -> float | None:
    """Return the seconds for which the venue wants no calls, or None if the answer is not about a limit on calls."""
    if (asked := judge_rate_limit(status=status, headers=headers, wait=wait)) is not None:
        return asked
    if failure is None or refusals.find_meaning(failure) is not Meaning.CALL_LIMIT:
        return None
    return wait or refusals.waits_seconds.get(failure.code, _RETRY_AFTER_UNSAID)


def judge_rate_limit(*, status: int | None, headers: Mapping[str, str], wait: float | None = None) -> float | None:
    """Return the seconds for which the venue wants no calls, or None if the status is not about a rate limit.

    `wait` is what the answer says in the venue's own way, beside Retry-After. The venue bans clients that keep calling
    ("IP limits", Binance spot REST API documentation). The number is the venue's and has no upper bound:
    `settlement.waits` bounds it where it is used.
    """
    if status not in _RATE_LIMIT_STATUSES:
        return None
    value = headers.get("Retry-After", "").strip()
    if wait is not None and not value:
        return wait
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
