"""Counts the house's loss of each UTC day, and stops sales when it reaches its ceiling.

A loss is the cost of the coins delivered, at the average cost of inventory, less what their orders paid for
them. Fees do not make a loss smaller. Orders that are taken already go on.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import transaction

from trading.exceptions import AllowanceTooLarge, SalesNotStopped
from trading.loss_rules import day_of, end_of_day, is_reached
from trading.models import SalesStop
from trading.offers import publish_offers_after_commit
from trading.selectors.losses import list_losses, sum_losses
from wallets.models import User
from wallets.runtime import sql

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """Coins that were delivered, their cost, and what their orders paid for them, without fees (US dollars)."""

    asset: str
    coins: Decimal
    cost: Decimal
    charge: Decimal


def count_loss(*, delivered: Delivered, now: datetime) -> None:
    """Add to the loss of the UTC day of `now`, and stop sales if it has reached a ceiling. One statement otherwise.

    Runs in the booking's database transaction, so that the stop is there when the loss is. Two coins that book at the
    same time do not see each other's loss: so after the commit the day is looked at once more, and by each sweep.
    """
    day = day_of(now)
    row = sql.fetch_one("trading.count_loss", day=day, now=now, **vars(delivered))
    assert row is not None, "delivered coins are of a coin"
    coin_id, of_coin, of_all = row
    if is_reached(loss=of_coin, ceiling=settings.LOSSES.per_day_and_coin):
        _stop(day=day, coin_id=coin_id, loss=of_coin, ceiling=settings.LOSSES.per_day_and_coin, now=now)
    if is_reached(loss=of_all, ceiling=settings.LOSSES.per_day):
        _stop(day=day, coin_id=None, loss=of_all, ceiling=settings.LOSSES.per_day, now=now)
    elif settings.LOSSES.per_day is not None:
        transaction.on_commit(partial(_look_once_more, day=day, now=now), robust=True)


def _look_once_more(*, day: date, now: datetime) -> None:
    if is_reached(loss=sum_losses(day=day), ceiling=settings.LOSSES.per_day):
        stop_where_reached(day=day, now=now)


def stop_where_reached(*, day: date, now: datetime) -> None:
    """Stop sales wherever the loss of a day has reached its ceiling. Safe to run at any time."""
    for loss in list_losses(day=day):
        if not loss.is_stopped and is_reached(loss=loss.amount, ceiling=loss.ceiling):
            coin_id = loss.coin.pk if loss.coin else None
            _stop(day=day, coin_id=coin_id, loss=loss.amount, ceiling=loss.ceiling, now=now)


@transaction.atomic
def _stop(*, day: date, coin_id: int | None, loss: Decimal, ceiling: Decimal | None, now: datetime) -> None:
    row = sql.fetch_one("trading.stop_sales", day=day, coin_id=coin_id, loss=loss, ceiling=ceiling, now=now)
    if row is None:
        return
    what = "all coins" if coin_id is None else f"coin {coin_id}"
    logger.critical("sales of %s stop until 00:00 UTC: the loss of %s is %s USD, of %s", what, day, loss, ceiling)
    publish_offers_after_commit()


@transaction.atomic
def let_sales_go_on(*, stop: SalesStop, further: Decimal, reason: str, decided_by: User, now: datetime) -> Decimal:
    """End a stop of today. Return the loss (US dollars) at which sales stop again, `further` above the present one.

    Raises SalesNotStopped and AllowanceTooLarge like `ensure_sales_may_go_on`.
    """
    locked = SalesStop.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=stop.pk)
    ensure_sales_may_go_on(stop=locked, further=further, now=now)
    present = next(loss.amount for loss in list_losses(day=locked.day) if loss.coin == locked.coin)
    locked.ceiling = max(present, locked.ceiling) + further
    locked.stopped_at, locked.resumed_at, locked.resumed_by, locked.reason = None, now, decided_by, reason
    locked.save(update_fields=["ceiling", "stopped_at", "resumed_at", "resumed_by", "reason"])
    logger.warning("%s is ended by %s, until a loss of %s USD: %s", locked, decided_by.pk, locked.ceiling, reason)
    publish_offers_after_commit()
    return locked.ceiling


def ensure_sales_may_go_on(*, stop: SalesStop, further: Decimal, now: datetime) -> None:
    """Raise SalesNotStopped without a stop in force, and AllowanceTooLarge if `further` is above the usual ceiling."""
    if stop.stopped_at is None or now >= end_of_day(stop.day):
        raise SalesNotStopped
    usual = settings.LOSSES.per_day_and_coin if stop.coin_id else settings.LOSSES.per_day
    if usual is None or not 0 < further <= usual:
        raise AllowanceTooLarge(most=usual or Decimal(0))
