"""Rank the venues, and put them in use or out of it."""

import logging
from datetime import datetime

from django.db import transaction

from settlement.models import VenueEntry, VenueState
from trading import jobs
from trading.selectors.orders import list_coins_with_waiting_orders

logger = logging.getLogger(__name__)


@transaction.atomic
def change_venue(*, name: str, priority: int, state: VenueState, now: datetime) -> VenueEntry:
    """Change a venue's rank and whether it is in use, and request claims of what waits: it may be bought there now.

    Purchases that were sent there are looked up and booked whatever its state.
    """
    venue = VenueEntry.objects.select_for_update(no_key=True).get(name=name)
    venue.priority, venue.state = priority, state
    venue.save(update_fields=["priority", "state"])
    for coin_id in list_coins_with_waiting_orders(since=now):
        jobs.request_claim(coin_id=coin_id)
    logger.warning("%s is %s, with priority %s", venue, VenueState(state).label, priority)
    return venue
