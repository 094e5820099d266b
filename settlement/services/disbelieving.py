"""What follows from an answer that cannot be true: a finding, and no more purchases of the coin until staff decide.

A venue that says something false about one purchase may buy anything with the next. The pause and the finding last
until staff have decided about the attempt, or lift the pause and close the finding themselves.
"""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings

from settlement import gate
from settlement.metrics import count_pause, count_untrue_answer
from settlement.models import Attempt, Finding, FindingKind, Pause, PauseKind, here_or_before
from settlement.services.findings import Contradiction, close_finding, raise_finding
from settlement.services.pausing import lift_pause
from settlement.told import digits
from settlement.venues.protocol import Executed
from wallets.models import User
from wallets.runtime import sql

_NONE: Final = Decimal(0)

logger = logging.getLogger(__name__)


def request_of(attempt: Attempt) -> gate.Request:
    """Return what an attempt asked for. The attempt was sent."""
    assert attempt.quantity is not None
    assert attempt.limit_price is not None
    return gate.Request(
        quantity=attempt.quantity, limit_price=attempt.limit_price, venue_order_id=attempt.venue_order_id
    )


def weigh_answer(*, attempt: Attempt, execution: Executed, is_stated: bool = False) -> None:
    """Pass an answer about an attempt through the gate. Raises CannotBeTrue, BeyondRequest, TooCheap.

    Figures that staff have stated (`is_stated`) may be as low as they like, whatever the answer says was asked for.
    """
    request = request_of(attempt)
    gate.weigh(
        figures=execution.figures,
        request=request if is_stated else replace(request, least_price=_least_price(request)),
        status=execution.status,
        venue_order_id=execution.venue_order_id,
        asked=None if is_stated else execution.asked,
    )


def _least_price(request: gate.Request) -> Decimal:
    """Return the lowest price of a coin that is believed: PRICE_DEVIATION_LIMIT below the ask before the purchase.

    The limit was at most BUY_SLACK above that ask. What a purchase saved goes back to customers, so a cost that is too
    low, of a wrong scale for example, would give their coins away.
    """
    ask = request.limit_price / (1 + settings.SETTLEMENT.buy_slack)
    return max(ask * (1 - settings.PRICES.deviation_limit), _NONE)


def weigh_adopted(*, execution: Executed) -> None:
    """Pass an order that we do not know through the gate: the request is the one that the venue repeats.

    Raises CannotBeTrue, also if the venue repeats no request.
    """
    if execution.asked is None or execution.limit_price is None:
        raise gate.CannotBeTrue("an order that does not say what was asked for")
    gate.weigh(
        figures=execution.figures,
        request=gate.Request(quantity=execution.asked, limit_price=execution.limit_price),
        status=execution.status,
        venue_order_id=execution.venue_order_id,
    )


def disbelieve(*, attempt: Attempt, reason: str, now: datetime) -> None:
    """Raise a finding about an answer that cannot be true, count it, and stop buying of the coin at its venue.

    Buying there goes on when staff have decided.

    The caller holds the lock on the coin's inventory.
    """
    count_untrue_answer()
    asked = f"{digits(attempt.quantity or _NONE)} at {digits(attempt.limit_price or _NONE)} at most"
    contradiction = Contradiction(
        kind=FindingKind.UNTRUE,
        subject=f"attempt {attempt.client_order_id}",
        attempt=attempt,
        ours=asked,
        theirs=reason,
    )
    raise_finding(contradiction=contradiction, now=now)
    logger.error("the venue's answer about %s cannot be true: %s", attempt, reason)
    why = f"untrue answer about {attempt}: {reason}"[:200]
    place = attempt.place
    sql.execute("settlement.pause_until_staff", venue=place, coin_id=attempt.coin_id, now=now, reason=why)
    count_pause(coin=attempt.coin.name, venue=place)


def resume_buying(*, attempt: Attempt, decided_by: User, note: str, now: datetime) -> None:
    """Close the attempt's finding, because staff have decided about the attempt, and buy its coin at its venue again.

    The coin stays paused there while another attempt of it has such a finding. A pause that staff set stays.
    """
    open_ = Finding.objects.filter(kind=FindingKind.UNTRUE, closed_at=None)
    for finding in open_.filter(attempt=attempt):
        close_finding(finding=finding, closed_by=decided_by, note=note[:500], now=now)
    here = here_or_before(attempt.place)
    if open_.filter(coin_id=attempt.coin_id, attempt__venue__in=here).exists():
        return
    for pause in Pause.objects.filter(coin_id=attempt.coin_id, venue__in=here, kind=PauseKind.UNTRUE):
        lift_pause(pause=pause)
