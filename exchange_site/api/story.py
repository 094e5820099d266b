"""What is happening in a sandbox, for its home page: pools, newest orders and purchases, and the ledger's sum.

No customer is named. Only a sandbox has it: no process starts with SELF_SERVICE_DEPOSITS and a venue that spends real
money.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router

from exchange_site.api.bodies import to_json
from settlement.models import Attempt
from settlement.selectors.attempts import summarise_attempts
from settlement.selectors.newest_purchases import id_before_newest, list_found_purchases, list_newest_purchases
from trading.models import Coin, Order
from trading.selectors.newest_orders import list_newest_orders
from trading.selectors.orders import summarise_open_orders
from trading.selectors.pools import sum_pools
from wallets.exceptions import NotFound
from wallets.money import COIN_PLACES, USD_PLACES, plain
from wallets.runtime import clock
from wallets.selectors.newest_movements import sum_newest_movements
from wallets.web.bodies import Body
from wallets.web.callers import AnonymousCaller

story_router = Router()

_ORDERS: Final = 9
_PURCHASES: Final = 9
_FOUND: Final = 2
_SUMMED: Final = 500
"""Purchases that the figures are about."""

_KEPT_SECONDS: Final = 1.0


class Kept:
    """A text that is read at most once in `seconds`. While a thread reads it anew, others get the one before."""

    def __init__(self, read: Callable[[], str], *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._until, self._text = 0.0, ""

    def get(self) -> str:
        """Return the text. The first callers read it themselves."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + self._seconds
            self._text = self._read()
        return self._text or self._read()

    def forget(self) -> None:
        """Read the text anew for the next caller."""
        self._until, self._text = 0.0, ""


@story_router.get("story/", auth=AnonymousCaller(), include_in_schema=False)
def story(request: HttpRequest) -> HttpResponse:
    """Returns what is happening in the sandbox. Outside a sandbox nothing is here."""
    if not settings.DEPOSITS.self_service:
        raise NotFound
    return HttpResponse(kept_story.get(), content_type="application/json", headers={"Cache-Control": "max-age=1"})


def _read_story() -> str:
    since = id_before_newest(most=_SUMMED)
    return to_json(
        {
            "at": clock.now(),
            "threshold": _dollars(settings.POOLS.threshold),
            "pools": list(_pools()),
            "open": {row.state: row.count for row in summarise_open_orders()},
            "orders": list(map(_order, list_newest_orders(limit=_ORDERS))),
            "purchases": list(map(_purchase, list_newest_purchases(limit=_PURCHASES))),
            "found": list(map(_purchase, list_found_purchases(after_id=since, limit=_FOUND))),
            "figures": _figures(since),
            "ledger": _ledger(),
        }
    )


kept_story: Final = Kept(_read_story, seconds=_KEPT_SECONDS)


def _pools() -> Iterator[Body]:
    titles = dict(Coin.objects.values_list("name", "title"))
    for name, total in sorted(sum_pools().items()):
        yield {"crypto": name, "title": titles[name], "total": _dollars(total)}


def _order(order: Order) -> Body:
    return {
        "id": order.pk,
        "crypto": order.coin.name,
        "amount": plain(order.amount, places=COIN_PLACES),
        "total_price": _dollars(order.charge),
        "state": order.state,
        "is_aggregated": order.is_pooled,
        "created_at": order.created_at,
        "ended_at": next(_ends(order), None),
    }


def _ends(order: Order) -> Iterator[datetime]:
    """Yield the times at which an order ended: one at most."""
    for at in (order.completed_at, order.refunded_at, order.cancelled_at):
        if at is not None:
            yield at


def _purchase(attempt: Attempt) -> Body:
    return {
        "id": attempt.pk,
        "crypto": attempt.coin.name,
        "state": attempt.state,
        "orders": attempt.batch.orders_count if attempt.batch else 0,
        "amount": plain(attempt.executed, places=COIN_PLACES),
        "cost": _dollars(attempt.cost),
        "lookups": attempt.lookups,
        "created_at": attempt.created_at,
        "ended_at": attempt.ended_at,
    }


def _figures(since: int) -> Body:
    summary = summarise_attempts(after_id=since)
    return {
        "purchases": summary.purchases,
        "orders_settled": summary.orders_settled,
        "found_by_lookup": summary.found_by_lookup,
    }


def _ledger() -> Body:
    newest = sum_newest_movements()
    return {
        "movements": newest.count,
        "sum": _dollars(newest.total),
        "changes": {role: _dollars(change) for role, change in sorted(newest.changes.items())},
    }


def _dollars(amount: Decimal) -> str:
    return plain(amount, places=USD_PLACES)
