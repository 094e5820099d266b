"""Send an attempt once, sized by the market's rules and signed with the time that its row records."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from settlement.clock import database_now, venue_now
from settlement.connections import release_database_connection
from settlement.exceptions import AskBeyondPriceBound
from settlement.models import Attempt, AttemptState
from settlement.services.recognising import ensure_may_send, is_recognised
from settlement.sizing import ensure_affordable, ensure_usable, highest_price, quantity_to_buy
from settlement.venues.protocol import MarketRules, PurchaseRequest, UnusableRules, Venue, VenueAnswer, VenueAway
from trading.services.settling import SettledOrders, sum_open_orders
from wallets.runtime import failpoints

_MOST_OFFSET: Final = timedelta(hours=1)


def send(*, attempt: Attempt, venue: Venue) -> VenueAnswer | None:
    """Send a new attempt, and return the venue's answer. Return None if another run was first or no orders remain.

    Raises CoinNotListed, UnusableRules, VenueAway, AskBeyondPriceBound and SendingStopped. Each of them means that
    nothing was sent.
    """
    ensure_may_send()
    release_database_connection()
    rules = venue.read_rules(coin=attempt.coin.name)
    ensure_usable(rules)
    ask = venue.read_ask(coin=attempt.coin.name)
    offset = _measure_clock_offset(venue)
    still_open = sum_open_orders(batch_id=attempt.batch_id)
    if not still_open.count:
        return None
    _size(attempt, still_open=still_open, rules=rules, ask=ask)
    purchase = _commit_to_sending(attempt, offset=offset)
    if purchase is None:
        return None
    release_database_connection()
    failpoints.reach("attempt.sent")
    answer = venue.buy(purchase=purchase)
    failpoints.reach("attempt.answered")
    return answer


def _measure_clock_offset(venue: Venue) -> timedelta:
    """Return the venue's clock minus Postgres' clock. The worker's own time of day is not used.

    The result is too low by the travel time of the venue's answer. The venue accepts a request dated a little early.
    Raises VenueAway if the clocks differ by more than an hour: no deadline could be trusted.
    """
    database_time, started = database_now(), time.monotonic()
    release_database_connection()
    venue_time = venue.read_time()
    offset = venue_time - (database_time + timedelta(seconds=time.monotonic() - started))
    if abs(offset) > _MOST_OFFSET:
        raise VenueAway(f"the venue's clock is {offset} ahead of Postgres' clock")
    return offset


def _size(attempt: Attempt, *, still_open: SettledOrders, rules: MarketRules, ask: Decimal) -> None:
    """Set the attempt's quantity and price bound. Raises AskBeyondPriceBound, UnusableRules."""
    attempt.limit_price = highest_price(
        charge=still_open.charge,
        amount=still_open.amount,
        max_loss=settings.SETTLEMENT.max_loss,
        tick=rules.price_tick,
    )
    if attempt.limit_price <= 0:
        raise UnusableRules(f"a tick of {rules.price_tick:f} for this price")
    attempt.quantity = quantity_to_buy(
        missing=still_open.amount - attempt.batch.reserved,
        taker_rate=settings.VENUE.taker_rate,
        ask=ask,
        rules=rules,
    )
    if ask > attempt.limit_price:
        raise AskBeyondPriceBound
    most = still_open.charge * (1 + settings.SETTLEMENT.max_loss) / (1 - settings.VENUE.taker_rate)
    ensure_affordable(
        quantity=attempt.quantity, limit_price=attempt.limit_price, most=most + settings.SETTLEMENT.max_top_up
    )


def _commit_to_sending(attempt: Attempt, *, offset: timedelta) -> PurchaseRequest | None:
    """Move the attempt from `new` to `sent`. Of several runs, exactly one gets the purchase; the others get None."""
    window = settings.VENUE.recv_window
    signed_at = venue_now(offset=offset)
    moved = Attempt.objects.filter(is_recognised(), pk=attempt.pk, state=AttemptState.NEW).update(
        state=AttemptState.SENT,
        quantity=attempt.quantity,
        limit_price=attempt.limit_price,
        signed_at=signed_at,
        valid_until=signed_at + window,
        clock_offset=offset,
        next_step_at=signed_at - offset + window,
    )
    if not moved:
        ensure_may_send()
        return None
    attempt.valid_until, attempt.clock_offset = signed_at + window, offset
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    return PurchaseRequest(
        coin=attempt.coin.name,
        client_order_id=attempt.client_order_id,
        quantity=attempt.quantity,
        limit_price=attempt.limit_price,
        signed_at=signed_at,
        window=window,
    )
