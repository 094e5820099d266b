"""Records which coins the venue does not trade at the moment."""

import logging
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from trading.models import ClosedMarket
from trading.offers import publish_offers_after_commit

logger = logging.getLogger(__name__)


def record_closed_markets(*, coin_ids: Collection[int], now: datetime) -> None:
    """Record that the markets of these coins are closed, and those of all others open, as the venue says at `now`.

    One query unless something has changed. A coin whose market is closed is not sold at once, however new its price.
    """
    closed, known = set(coin_ids), set(ClosedMarket.objects.values_list("pk", flat=True))
    if closed == known:
        return
    logger.warning("the closed markets are those of the coins %s; they were %s", sorted(closed), sorted(known))
    new = [ClosedMarket(coin_id=coin_id, since=now) for coin_id in sorted(closed - known)]
    with transaction.atomic():
        ClosedMarket.objects.exclude(pk__in=closed).delete()
        ClosedMarket.objects.bulk_create(new, ignore_conflicts=True)  # another worker may have read prices too
        publish_offers_after_commit()
