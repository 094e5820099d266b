"""Reads the house's losses of a UTC day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Sum

from trading.loss_rules import day_of, is_near
from trading.models import Coin, DayLoss, SalesStop


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss of a day (US dollars; negative for a gain) of one coin, or of all (`coin` is None).

    `ceiling` is None if there is none. `counted_at` is the time of the latest booking in it.
    """

    coin: Coin | None
    amount: Decimal
    ceiling: Decimal | None
    counted_at: datetime
    stop: SalesStop | None

    @property
    def is_stopped(self) -> bool:
        return self.stop is not None and self.stop.stopped_at is not None


def list_losses(*, day: date) -> list[Loss]:
    """Return the loss of all coins together, then that of each coin with deliveries on `day`. One query, or two."""
    rows = list(DayLoss.objects.filter(day=day).select_related("coin").order_by("coin__name"))
    if not rows:
        return []
    stops = {stop.coin_id: stop for stop in SalesStop.objects.filter(day=day)}
    total = Loss(
        coin=None,
        amount=sum((row.loss for row in rows), Decimal(0)),
        ceiling=_ceiling(stops.get(None), settings.LOSSES.per_day),
        counted_at=max(row.counted_at for row in rows),
        stop=stops.get(None),
    )
    return [total, *_of_coins(rows, stops)]


def sum_losses(*, day: date) -> Decimal:
    """Return the loss of all coins together on `day`, in US dollars. One query."""
    total = DayLoss.objects.filter(day=day).aggregate(total=Sum(F("cost") - F("charge")))["total"]
    return total or Decimal(0)


def list_losses_of_today(*, now: datetime) -> list[Loss]:
    """Return the losses of the UTC day of `now`."""
    return list_losses(day=day_of(now))


def list_threatening_losses(*, now: datetime) -> list[Loss]:
    """Return the losses of today that are near their ceiling or have reached it."""
    return [
        loss
        for loss in list_losses_of_today(now=now)
        if loss.is_stopped or (loss.ceiling is not None and is_near(loss=loss.amount, ceiling=loss.ceiling))
    ]


def _of_coins(rows: list[DayLoss], stops: dict[int | None, SalesStop]) -> Iterator[Loss]:
    for row in rows:
        stop = stops.get(row.coin_id)
        yield Loss(
            coin=row.coin,
            amount=row.loss,
            ceiling=_ceiling(stop, settings.LOSSES.per_day_and_coin),
            counted_at=row.counted_at,
            stop=stop,
        )


def _ceiling(stop: SalesStop | None, usual: Decimal | None) -> Decimal | None:
    """Return the ceiling that holds: the usual one, or a higher one that staff have set for the day."""
    if stop is None:
        return usual
    return stop.ceiling if usual is None else max(stop.ceiling, usual)
