"""Counts what may still be sold, and sets the limits of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading import headroom
from trading.headroom_rules import NEAR, LastCount, Shortage, find_shortage, sales_stopped
from trading.loss_rules import begin_of_day, day_of
from trading.metrics import count_without_room
from trading.models import SalesLimit
from trading.offers import offer_of, publish_offers_after_commit
from trading.priced_coins import coins_with_rules
from trading.selectors.headroom import recount_room
from wallets.models import User
from wallets.runtime import sql
from wallets.runtime.allowances import Outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The count of a coin, or of all coins (`coin_id` is None), in US dollars of subtotals; see `Headroom`."""

    coin_id: int | None
    most: Decimal | None
    used: Decimal
    room: Decimal | None
    whole: Decimal | None
    near_since: datetime | None
    stopped_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class BegunCount:
    """A count that has begun at the counter in Redis: its name, and the coins on sale with the customers' prices."""

    name: str
    coin_names: Mapping[int, str]
    prices: Mapping[str, Decimal | None]


def count_headroom(*, payable: Decimal | None, now: datetime) -> list[Counted]:
    """Count what may still be sold, write it to Postgres, and return it. One statement.

    `payable` are the subtotals that the account at the venue can pay; None if that is not known. Runs inside a database
    transaction that has read `payable`. Rows that a later count has written already are left out.
    """
    rows = sql.fetch_all("trading.count_headroom", payable=payable, near=NEAR, day=begin_of_day(day_of(now)), now=now)
    names = ("coin_id", "most", "used", "room", "whole", "near_since", "stopped_since")
    counted = [Counted(**dict(zip(names, row, strict=True))) for row in rows]
    for each in counted:
        _report(each, now=now)
    return counted


def begin_count() -> BegunCount | None:
    """Begin a count at the counter in Redis. Return None without Redis. One query."""
    offers = [offer_of(coin=coin) for coin in coins_with_rules().filter(is_sold=True)]
    prices = {offer.name: offer.price for offer in offers}
    name = headroom.begin_count(prices=prices)
    if name is None:
        return None
    return BegunCount(name=name, coin_names={offer.coin_id: offer.name for offer in offers}, prices=prices)


def publish_count(*, count: BegunCount | None, counted: Sequence[Counted]) -> None:
    """Write what was counted to the counter in Redis, if `count` has begun there. Runs after the commit.

    The prices are those of the count's beginning. A coin that was put on sale since is part of the next count.
    """
    if count is None or not counted:
        return
    rooms: dict[str, Decimal | None] = {}
    for each in counted:
        if each.coin_id is None:
            rooms[headroom.ALL] = each.room
        elif each.coin_id in count.coin_names:
            rooms[count.coin_names[each.coin_id]] = each.room if each.most is not None else None
    headroom.rewrite(count=count.name, rooms=rooms, prices=count.prices)


def ensure_room(
    *, coin_id: int, last: LastCount | None, unsettled: Decimal, taking: Outcome, subtotal: Decimal, now: datetime
) -> None:
    """Raise SalesStopped, and count it, if an order of `subtotal` US dollars is more than may still be sold.

    `unsettled` is what the customer has bought of the coin and was not settled yet, if it has a limit. While nobody
    counts, the order counts itself: sales need no worker, but never go beyond what purchases can pay. Only this costs
    statements.
    """
    shortage = find_shortage(last=last, unsettled=unsettled, taking=taking, subtotal=subtotal, now=now)
    if shortage is Shortage.AGE and last is not None:
        room = recount_room(coin_id=coin_id, counted_at=last.counted_at)
        shortage = shortage if room is not None and subtotal > room else None
    if shortage is not None:
        count_without_room(by=shortage)
        raise sales_stopped()


def needs_count(*, last: LastCount | None, taking: Outcome, now: datetime) -> bool:
    """Say whether `ensure_room` may cost statements, because the last count may be too old."""
    return last is not None and last.room is not None and last.is_old(taking=taking, now=now)


def set_limit(*, limit: SalesLimit, set_by: User) -> None:
    """Save a new limit. It holds from the next count on, which is a matter of seconds while a worker runs."""
    limit.created_by = set_by
    limit.save(force_insert=True)
    logger.warning("%s is set to %s by %s: %s", limit, limit.most, set_by.pk, limit.reason)


def _report(counted: Counted, *, now: datetime) -> None:
    """Log the beginning of a stop, or of the time just before it, and let the list of coins show a stop at once."""
    what = "all coins" if counted.coin_id is None else f"coin {counted.coin_id}"
    figures = f"{counted.used} USD are sold and not settled"
    if counted.stopped_since == now:
        logger.error("sales of %s stop until purchases catch up, or the venue's account is filled: %s", what, figures)
        publish_offers_after_commit()
    elif counted.near_since == now:
        logger.warning("sales of %s are about to stop: %s, and %s may still be sold", what, figures, counted.room)
