"""Suspensions of coins whose price has jumped: each is a row with its readings, from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from trading.jumps import AGREEING_READINGS, Band, band_around, limit_after, sources_agree
from trading.metrics import count_suspension_after_commit, count_suspension_end_after_commit
from trading.models import Coin, CoinPrice, Suspension, SuspensionEnd
from trading.readings import Reading, Times
from trading.selectors.prices import read_band, read_hard_band
from wallets.models import User

_KEPT: Final = 20


@dataclass(frozen=True, kw_only=True)
class SecondReading:
    """A price of a second source (US dollars a coin), and its own time by our clock."""

    value: Decimal
    at: datetime
    source: str


def begin_suspension(price: CoinPrice, *, band: Band) -> Suspension:
    """Begin the suspension of a coin, with the band in which its price would have been believed.

    One that the previous release has ended in the price alone ends now.
    """
    assert price.suspended_at is not None
    _end_forgotten(price, now=price.suspended_at)
    count_suspension_after_commit(coin=price.coin.name)
    limit = limit_after(gap=price.suspended_at - price.read_at, soon=settings.PRICES.jump_limit)
    return Suspension.objects.create(
        coin=price.coin,
        begun_at=price.suspended_at,
        price=price.value,
        price_at=price.read_at,
        limit=min(limit, settings.PRICES.deviation_limit),
        lowest=band.lowest,
        highest=band.highest,
    )


def add_reading(price: CoinPrice, *, reading: Reading, now: datetime) -> tuple[list[Decimal], Band]:
    """Add a reading to the coin's suspension. Return the asks of the readings that are kept, and the old price's band.

    A quote with the time of the one before is the same quote, and is not added again.
    """
    suspension = _find_open(price) or _adopt(price)
    entry, readings = _as_record(reading, now=now), suspension.readings
    if not (readings and entry["venue_time"] and readings[-1]["venue_time"] == entry["venue_time"]):
        suspension.readings = [*readings[:_KEPT], *[*readings[_KEPT:], entry][-_KEPT:]]
        suspension.save(update_fields=["readings"])
    return [Decimal(kept["ask"]) for kept in suspension.readings], _band_of(suspension)


def newest_times(price: CoinPrice) -> Times:
    """Return the times of the newest reading: a suspect one, or that of the current price."""
    if price.suspended_at is not None and (suspension := _find_open(price)) and suspension.readings:
        reading, read_at = _from_record(suspension.readings[-1])
        return Times(read_at=read_at, quoted_at=reading.quoted_at, venue_time=reading.venue_time)
    if not price.has_details:
        return Times(read_at=price.read_at)
    return Times(read_at=price.read_at, quoted_at=price.quoted_at, venue_time=price.venue_time)


def newest_suspect(price: CoinPrice) -> tuple[Reading, datetime]:
    """Return the suspect reading, and when it was read."""
    assert price.candidate is not None
    assert price.suspended_at is not None
    suspension = _find_open(price)
    if suspension and suspension.readings and Decimal(suspension.readings[-1]["ask"]) == price.candidate:
        return _from_record(suspension.readings[-1])
    return Reading.of_price(price.candidate), price.suspended_at  # the previous release has read it, some time after


def list_unfollowed() -> list[int]:
    """Return the ids of the coins whose suspension the previous release has begun or ended in the price alone."""
    open_ = Suspension.objects.filter(coin=OuterRef("coin"), ended_at=None)
    differing = CoinPrice.objects.annotate(is_open=Exists(open_)).filter(
        Q(is_open=True, suspended_at=None) | Q(is_open=False, suspended_at__isnull=False)
    )
    return list(differing.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def follow_previous_release(*, coin_id: int, now: datetime) -> None:
    """Begin or end the suspension that the previous release has begun or ended in the coin's price alone."""
    price = CoinPrice.objects.select_for_update().get(pk=coin_id)
    if price.suspended_at is None:
        _end_forgotten(price, now=now)
    elif _find_open(price) is None:
        _adopt(price)


def _adopt(price: CoinPrice) -> Suspension:
    """Begin the suspension that the previous release has begun, with its reading, whose own time is not known."""
    assert price.suspended_at is not None
    suspension = begin_suspension(price, band=read_band(price=price, now=price.suspended_at))
    if price.candidate is not None:
        suspension.readings = [_as_record(Reading.of_price(price.candidate), now=price.suspended_at)]
        suspension.save(update_fields=["readings"])
    return suspension


def _end_forgotten(price: CoinPrice, *, now: datetime) -> None:
    """End the suspension that the previous release has ended in the price alone, if there is one."""
    if suspension := _find_open(price):
        _end(suspension, end=SuspensionEnd.PREVIOUS, ended_price=price.value, now=now)


def _find_open(price: CoinPrice) -> Suspension | None:
    return Suspension.objects.select_related("coin").filter(coin_id=price.coin_id, ended_at=None).first()


def _band_of(suspension: Suspension) -> Band:
    if suspension.lowest is None or suspension.highest is None:  # it began before these were stored
        return band_around([(suspension.price, suspension.limit)])
    return Band(lowest=suspension.lowest, highest=suspension.highest)


def record_second(*, coin: Coin, second: SecondReading) -> None:
    """Keep what the second source says beside the readings."""
    said = {"value": f"{second.value:f}", "at": second.at.isoformat(), "source": second.source}
    Suspension.objects.filter(coin=coin, ended_at=None).update(second=said)


def is_confirmed(price: CoinPrice, *, second: SecondReading, now: datetime) -> bool:
    """Say whether a suspect price is believed without staff."""
    assert price.candidate is not None
    return (
        price.candidate_readings >= AGREEING_READINGS
        and read_hard_band(price=price).holds(price.candidate)
        and sources_agree(suspect=price.candidate, second=second.value, second_at=second.at, now=now)
    )


def end_suspension(
    price: CoinPrice, *, end: SuspensionEnd, ended_price: Decimal, now: datetime, seen_by: User | None = None
) -> None:
    """End the coin's suspension. One that staff have not ended stays on the to-do page until they have seen it."""
    suspension = _find_open(price) or _adopt(price)
    price.suspended_at, price.candidate, price.candidate_readings = None, None, 0
    _end(suspension, end=end, ended_price=ended_price, now=now, seen_by=seen_by)


def _end(
    suspension: Suspension, *, end: SuspensionEnd, ended_price: Decimal, now: datetime, seen_by: User | None = None
) -> None:
    suspension.ended_at, suspension.outcome, suspension.ended_price = now, end, ended_price
    suspension.seen_at, suspension.seen_by = now if seen_by else None, seen_by
    suspension.save(update_fields=["ended_at", "outcome", "ended_price", "seen_at", "seen_by"])
    count_suspension_end_after_commit(coin=suspension.coin.name, outcome=end.value)


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
    last, quoted_at, venue_time = entry["last"], entry["quoted_at"], entry["venue_time"]
    reading = Reading(
        bid=Decimal(entry["bid"]),
        ask=Decimal(entry["ask"]),
        last=None if last is None else Decimal(last),
        quoted_at=datetime.fromisoformat(quoted_at) if quoted_at else None,
        venue_time=datetime.fromisoformat(venue_time) if venue_time else None,
    )
    return reading, datetime.fromisoformat(entry["at"])
