"""The venue's own limits on calls and orders, and the ban of a caller who goes on.

Source: "LIMITS" of the spot REST API documentation, and "Spot Unfilled Order Count Rules": an order that trades at once
does not count. An interval begins at whole minutes, seconds and days of UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from exchange_site.simulator.errors import VenueError

_MINUTE: Final = 60_000
_TOO_MANY: Final = 429
_BANNED: Final = 418
_LONGEST_BAN_SECONDS: Final = 3 * 86_400


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Weight a minute and orders an interval, and how a caller is banned who goes on.

    The limits are far above Binance's 6000, 100 and 200,000 unless they are set: the demo and the tests are in a hurry.
    A caller is banned after so many more refused calls in one minute, for twice as long each time.
    """

    weight_per_minute: int = 1_000_000
    orders_per_10_seconds: int = 100_000
    orders_per_day: int = 100_000_000
    calls_before_ban: int = 10
    ban_seconds: int = 120


@dataclass(kw_only=True)
class _Caller:
    minute: int = 0
    weight: int = 0
    refused: int = 0
    bans: int = 0
    banned_until: int = 0


@dataclass(kw_only=True)
class _Interval:
    letter: str
    name: str
    length: int
    milliseconds: int
    begun: int = 0
    orders: int = 0


@dataclass(kw_only=True)
class Limits:
    """The settings, the weight used by address, and the orders of the account. All moments are in milliseconds."""

    settings: LimitSettings = field(default_factory=LimitSettings)
    _callers: dict[str, _Caller] = field(default_factory=dict)
    _intervals: tuple[_Interval, ...] = field(
        default_factory=lambda: (
            _Interval(letter="S", name="SECOND", length=10, milliseconds=10_000),
            _Interval(letter="D", name="DAY", length=1, milliseconds=86_400_000),
        )
    )

    def count_call(self, address: str, *, weight: int, now: int) -> None:
        """Add a call to the weight used by an address. Raises VenueError above the limit and during a ban."""
        caller = self._caller(address, now=now)
        if now < caller.banned_until:
            raise _banned(caller, now=now)
        caller.weight += weight
        if caller.weight <= self.settings.weight_per_minute:
            return
        caller.refused += 1
        if caller.refused > self.settings.calls_before_ban:
            seconds = min(self.settings.ban_seconds * 2**caller.bans, _LONGEST_BAN_SECONDS)
            caller.bans, caller.banned_until = caller.bans + 1, now + seconds * 1000
            raise _banned(caller, now=now)
        raise self._too_much_weight(now=now)

    def weight_headers(self, address: str, *, now: int) -> dict[str, str]:
        """Return the headers that say how much weight an address has used."""
        used = str(self._caller(address, now=now).weight)
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def ensure_order_allowed(self, *, now: int) -> None:
        """Raise VenueError if the account has as many unfilled orders in an interval as it may place."""
        for interval, most in self._orders(now=now):
            if interval.orders >= most:
                rest = _seconds_left(now, interval.milliseconds)
                text = f"Too many new orders; current limit is {most} orders per {interval.length} {interval.name}."
                raise VenueError(-1015, text, status=_TOO_MANY, headers={"Retry-After": str(rest)})

    def count_order(self, *, is_traded: bool, now: int) -> None:
        """Add an order to the account's count, unless it has traded at once."""
        for interval, _ in self._orders(now=now):
            interval.orders += 0 if is_traded else 1

    def order_headers(self, *, now: int) -> dict[str, str]:
        """Return the headers that say how many unfilled orders the account has placed."""
        return {
            f"X-MBX-ORDER-COUNT-{interval.length}{interval.letter}": str(interval.orders)
            for interval, _ in self._orders(now=now)
        }

    def describe(self) -> list[dict[str, Any]]:
        """Return the limits as exchangeInfo tells them."""
        weight = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self.settings.weight_per_minute,
        }
        return [weight, *(self._describe_orders(interval, most) for interval, most in self._orders(now=None))]

    def describe_orders(self, *, now: int) -> list[Mapping[str, Any]]:
        """Return the order limits with the orders counted so far ("Query Unfilled Order Count")."""
        return [
            {**self._describe_orders(interval, most), "count": interval.orders}
            for interval, most in self._orders(now=now)
        ]

    def _describe_orders(self, interval: _Interval, most: int) -> dict[str, Any]:
        return {
            "rateLimitType": "ORDERS",
            "interval": interval.name,
            "intervalNum": interval.length,
            "limit": most,
        }

    def _orders(self, *, now: int | None) -> list[tuple[_Interval, int]]:
        """Return the intervals with their limits; those that have ended by `now` begin anew."""
        for interval in self._intervals if now is not None else ():
            begun = (now or 0) // interval.milliseconds
            if begun != interval.begun:
                interval.begun, interval.orders = begun, 0
        most = (self.settings.orders_per_10_seconds, self.settings.orders_per_day)
        return list(zip(self._intervals, most, strict=True))

    def _caller(self, address: str, *, now: int) -> _Caller:
        caller = self._callers.setdefault(address, _Caller())
        if caller.minute != now // _MINUTE:
            caller.minute, caller.weight, caller.refused = now // _MINUTE, 0, 0
        return caller

    def _too_much_weight(self, *, now: int) -> VenueError:
        text = (
            f"Too much request weight used; current limit is {self.settings.weight_per_minute} request weight per"
            " 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        headers = {"Retry-After": str(_seconds_left(now, _MINUTE))}
        return VenueError(-1003, text, status=_TOO_MANY, headers=headers)


def _banned(caller: _Caller, *, now: int) -> VenueError:
    text = (
        f"Way too much request weight used; IP banned until {caller.banned_until}. Please use WebSocket Streams for"
        " live updates to avoid bans."
    )
    rest = -(-(caller.banned_until - now) // 1000)
    return VenueError(-1003, text, status=_BANNED, headers={"Retry-After": str(rest)})


def _seconds_left(now: int, milliseconds: int) -> int:
    """Return the seconds until an interval ends, rounded up."""
    return -(-(milliseconds - now % milliseconds) // 1000)
