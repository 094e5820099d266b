"""Suspensions of coins whose price has jumped: each is a row with its readings, from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings

from trading.jumps import AGREEING_READINGS, is_within, sources_agree
from trading.metrics import count_suspension_after_commit
from trading.models import Coin, CoinPrice, Suspension, SuspensionEnd
from trading.readings import Reading
from wallets.models import User

_KEPT: Final = 20


@dataclass(frozen=True, kw_only=True)
class SecondReading:
    """A price of a second source (US dollars a coin), and its own time by our clock."""

    value: Decimal
    at: datetime
    source: str


def limit_of(*, coin: Coin) -> Decimal | None:
    """Return the limit with which the coin's suspension began; None if it began under the previous release."""
    return Suspension.objects.filter(coin=coin, ended_at=None).values_list("limit", flat=True).first()


def add_suspect_reading(price: CoinPrice, *, reading: Reading, limit: Decimal, now: datetime) -> list[Decimal]:
    """Add a reading to the coin's suspension, which begins with the first. Return the asks of those that are kept.

    A quote with the time of the one before is the same quote, and is not added again.
    """
    suspension, is_new = Suspension.objects.select_for_update().get_or_create(
        coin=price.coin,
        ended_at=None,
        defaults={"begun_at": now, "price": price.value, "price_at": price.read_at, "limit": limit},
    )
    if is_new:
        count_suspension_after_commit(coin=price.coin.name)
    entry, readings = _as_record(reading, now=now), suspension.readings
    if not (readings and entry["venue_time"] and readings[-1]["venue_time"] == entry["venue_time"]):
        suspension.readings = [*readings[:_KEPT], *[*readings[_KEPT:], entry][-_KEPT:]]
        suspension.save(update_fields=["readings"])
    return [Decimal(kept["ask"]) for kept in suspension.readings]


def newest_reading(price: CoinPrice, *, now: datetime) -> tuple[Reading, datetime]:
    """Return the suspect reading, and when it was read."""
    assert price.candidate is not None
    suspension = Suspension.objects.filter(coin_id=price.coin_id, ended_at=None).first()
    if suspension and suspension.readings and Decimal(suspension.readings[-1]["ask"]) == price.candidate:
        return _from_record(suspension.readings[-1])
    return Reading.of_price(price.candidate), now  # the previous release has read it


def record_second(*, coin: Coin, second: SecondReading) -> None:
    """Keep what the second source says beside the readings."""
    said = {"value": f"{second.value:f}", "at": second.at.isoformat(), "source": second.source}
    Suspension.objects.filter(coin=coin, ended_at=None).update(second=said)


def is_confirmed(price: CoinPrice, *, second: SecondReading, now: datetime) -> bool:
    """Say whether a suspect price is believed without staff."""
    assert price.candidate is not None
    return (
        price.candidate_readings >= AGREEING_READINGS
        and is_within(value=price.candidate, of=price.value, limit=settings.PRICES.deviation_limit)
        and sources_agree(suspect=price.candidate, second=second.value, second_at=second.at, now=now)
    )


def end_suspension(
    price: CoinPrice, *, end: SuspensionEnd, ended_price: Decimal, now: datetime, seen_by: User | None = None
) -> None:
    """End the coin's suspension. One that staff have not ended stays on the to-do page until they have seen it."""
    price.suspended_at, price.candidate, price.candidate_readings = None, None, 0
    Suspension.objects.filter(coin_id=price.coin_id, ended_at=None).update(
        ended_at=now, outcome=end, ended_price=ended_price, seen_at=now if seen_by else None, seen_by=seen_by
    )


def mark_seen(*, suspension: Suspension, seen_by: User, now: datetime) -> bool:
    """Take an ended suspension off the to-do page. Return False if it has not ended, or somebody has seen it."""
    unseen = Suspension.objects.filter(pk=suspension.pk, ended_at__isnull=False, seen_at=None)
    return bool(unseen.update(seen_at=now, seen_by=seen_by))


def _as_record(reading: Reading, *, now: datetime) -> dict[str, str | None]:
    return {
        "at": now.isoformat(),
        "quoted_at": reading.quoted_at.isoformat() if reading.quoted_at else None,
        "venue_time": reading.venue_time.isoformat() if reading.venue_time else None,
        "bid": f"{reading.bid:f}",
        "ask": f"{reading.ask:f}",
        "last": None if reading.last is None else f"{reading.last:f}",
    }


def _from_record(entry: Mapping[str, Any]) -> tuple[Reading, datetime]:
    last, quoted_at = entry["last"], entry["quoted_at"]
    reading = Reading(
        bid=Decimal(entry["bid"]),
        ask=Decimal(entry["ask"]),
        last=None if last is None else Decimal(last),
        quoted_at=datetime.fromisoformat(quoted_at) if quoted_at else None,
    )
    return reading, datetime.fromisoformat(entry["at"])
