"""Adopt purchases that the venue has and that our books do not know: after a restore, or because staff say so.

An adopted purchase is an attempt without a batch. Its cost and coins are booked like those of any other, and the coins
become surplus of the house, from which orders that wait are delivered. Safe to run twice.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q

from settlement.clock import database_now
from settlement.gate import MOST_COMMISSION, CannotBeTrue, highest_cost
from settlement.models import (
    GIVEN_UP,
    IN_FLIGHT,
    Attempt,
    AttemptState,
    Finding,
    FindingDecision,
    FindingKind,
    current_venue,
    here_or_before,
    name_of_wallets,
    new_client_order_id,
)
from settlement.services.asking import look_up_listed
from settlement.services.choosing import GetVenue
from settlement.services.disbelieving import weigh_adopted, weigh_answer
from settlement.services.late_coins import deliver_late_coins
from settlement.services.outcomes import book_execution, book_late_fill
from settlement.services.unknown_orders import UnknownOrder, close_finding_about, keep_reason, read_order
from settlement.told import digits, keep
from settlement.venues.protocol import Executed, ListedPurchase, OrderNotFound, Venue
from trading.models import Coin, is_coin_name
from wallets.services.house import open_house_wallets
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_PLACES: Final = Decimal("0.00000001")


class CannotAdopt(Exception):
    """The venue's answer about the order is not plausible, or says nothing. The message says how."""


def list_unknown(*, venue: str, coin_name: str, listed: list[ListedPurchase]) -> list[UnknownOrder]:
    """Return those of a coin's orders listed by a venue that bought coins which our books lack, in the venue's order.

    Left out are orders of attempts that are sent, parked or given up, which settlement and reconciliation look up by
    themselves, and orders that staff have decided about.
    """
    bought = [
        UnknownOrder(
            venue=venue,
            coin_name=coin_name,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            quantity=order.quantity,
            cost=order.cost,
        )
        for order in listed
        if order.quantity
    ]
    names = {order.client_order_id for order in bought}
    ids = {order.venue_order_id for order in bought}
    known = Attempt.objects.filter(Q(client_order_id__in=names) | Q(venue_order_id__in=ids), coin__name=coin_name)
    known = known.filter(venue__in=here_or_before(venue))
    attempts = list(known.only("client_order_id", "venue_order_id", "state", "signed_at"))
    decided = Finding.objects.filter(kind=FindingKind.EXTRA, closed_by__isnull=False)
    decided = decided.filter(subject__in=[order.subject for order in bought])
    left_out = set(decided.values_list("subject", flat=True))
    return [
        order
        for order in bought
        if order.subject not in left_out and not any(_explains(attempt, order) for attempt in attempts)
    ]


def adopt(*, order: UnknownOrder, venue: Venue, note: str, stated: str = "") -> Attempt | None:
    """Ask the venue for an order, and book what it bought. Return None if our books have it already.

    A coin that is missing is made, not on sale, with its wallets. A finding says what was adopted, closed with `note`,
    or by the member of staff who decided so. `stated`: figures that they have seen, which may be as low as they like.
    Raises CannotAdopt. Then nothing is booked or closed, and an open finding says why.
    """
    try:
        execution = _look_up(order, venue=venue)
        is_stated = replace(order, cost=execution.figures.cost).figures == stated
        return _book(order=order, execution=execution, note=note, is_stated=is_stated)
    except CannotAdopt as error:
        keep_reason(order=order, reason=str(error))
        raise


def _look_up(order: UnknownOrder, *, venue: Venue) -> Executed:
    answer = look_up_listed(
        coin=order.coin_name,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        venue=venue,
    )
    if isinstance(answer, OrderNotFound):
        raise CannotAdopt("the venue does not find it any more")
    if not isinstance(answer, Executed):
        raise CannotAdopt(f"the venue does not say what it bought: {answer.reason}")
    _ensure_plausible(answer, order)
    return answer


@transaction.atomic
def _book(*, order: UnknownOrder, execution: Executed, note: str, is_stated: bool) -> Attempt | None:
    coin, is_new = Coin.objects.get_or_create(name=order.coin_name, defaults={"is_sold": False})
    open_house_wallets(asset=coin.name)
    if is_new:
        logger.warning("the coin %s was missing: it is made, and not on sale", coin)
    lock_inventory(asset=coin.name)
    now = database_now()
    attempt = Attempt.objects.select_related("batch", "coin").filter(client_order_id=order.client_order_id).first()
    if attempt is not None and attempt.coin != coin:
        raise CannotAdopt(f"its id is that of a purchase of {attempt.coin}")
    if attempt is not None and attempt.place != order.venue and attempt.signed_at is not None:
        raise CannotAdopt(f"its id is that of a purchase at {attempt.place}")
    booked = Attempt.objects.filter(coin=coin, venue_order_id=execution.venue_order_id, state=AttemptState.FILLED)
    if booked.filter(venue__in=here_or_before(order.venue)).exists():
        close_finding_about(order=order, note=note, attempt=attempt, now=now)
        return None
    if attempt is not None and attempt.state == AttemptState.NEW:
        _settle_as_sent(attempt, execution, order=order, now=now, is_stated=is_stated)
    elif attempt is not None and attempt.state in GIVEN_UP:
        _settle_late(attempt, execution, order=order, note=note, now=now, is_stated=is_stated)
    elif attempt is None or attempt.state in {AttemptState.FILLED, AttemptState.EMPTY}:
        attempt = _book_without_batch(coin, execution, order=order, is_repeated=attempt is not None, now=now)
    else:
        raise CannotAdopt(f"its attempt is {attempt.state}, and settlement looks it up")
    close_finding_about(order=order, note=note, attempt=attempt, now=now)
    logger.warning("adopted %s, booked for %s", order, digits(execution.cost))
    deliver_late_coins(coin=coin, reference=_reference(order, execution), now=now)
    return attempt


def _reference(order: UnknownOrder, execution: Executed) -> str:
    """Return the reference of what is delivered from an adopted order: venues number their orders alike."""
    place = "" if order.venue == current_venue() else f"{order.venue}:"
    return f"adopted:{place}{execution.venue_order_id}"


def _explains(attempt: Attempt, order: UnknownOrder) -> bool:
    """Say whether an attempt accounts for an order, so that nobody needs to adopt the order."""
    if attempt.venue_order_id == order.venue_order_id and attempt.state == AttemptState.FILLED:
        return True
    is_own = attempt.client_order_id == order.client_order_id and attempt.venue_order_id in {"", order.venue_order_id}
    return is_own and attempt.signed_at is not None


def _ensure_plausible(execution: Executed, order: UnknownOrder) -> None:
    """Raise CannotAdopt unless the figures can be true. What was asked for is only known from the venue."""
    if not is_coin_name(order.coin_name):
        raise CannotAdopt(f"{order.coin_name!r} is no name for a coin")
    if not execution.final:
        raise CannotAdopt(f"the order is still {execution.status}")
    try:
        weigh_adopted(execution=execution)
    except CannotBeTrue as error:
        raise CannotAdopt(str(error)) from error
    if execution.quantity < _PLACES:
        raise CannotAdopt("it bought nothing")
    if execution.quantity != order.quantity or execution.venue_order_id != order.venue_order_id:
        raise CannotAdopt(f"listed with {digits(order.quantity)} coins, and found with {digits(execution.quantity)}")
    if order.cost is not None and not order.cost <= execution.cost <= order.cost * (1 + MOST_COMMISSION):
        raise CannotAdopt(f"listed with a cost of {digits(order.cost)}, and found with {digits(execution.cost)}")


def _as_sent(order: UnknownOrder, execution: Executed, now: datetime) -> dict[str, object]:
    """Return what an attempt records about a request that only the venue remembers. The gate has let it pass."""
    assert execution.asked is not None
    assert execution.limit_price is not None
    return {
        "venue": order.venue,
        "signed_at": now,
        "valid_until": now,
        "clock_offset": timedelta(0),
        "quantity": execution.asked,
        "limit_price": execution.limit_price,
        "budget": highest_cost(quantity=execution.asked, limit_price=execution.limit_price),
    }


def _settle_as_sent(
    attempt: Attempt, execution: Executed, *, order: UnknownOrder, now: datetime, is_stated: bool
) -> None:
    """Book the fill of an attempt that the database took for not sent yet, for the orders of its batch."""
    there = Attempt.objects.filter(coin=attempt.coin, venue=order.venue, state__in=IN_FLIGHT).exclude(pk=attempt.pk)
    if other := there.first():
        raise CannotAdopt(f"{other} is in flight there, and settlement looks it up first")
    unsent = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW)
    if not unsent.update(state=AttemptState.SENT, **_as_sent(order, execution, now)):
        raise CannotAdopt("its attempt is not waiting any more, and settlement looks it up")
    _weigh_refreshed(attempt, execution, is_stated=is_stated)
    if not book_execution(attempt=attempt, execution=execution, is_stated=is_stated):
        raise CannotAdopt("its attempt has ended meanwhile")


def _settle_late(
    attempt: Attempt, execution: Executed, *, order: UnknownOrder, note: str, now: datetime, is_stated: bool
) -> None:
    """Book the fill of an attempt that was given up. One that had never been sent, as far as we knew, was sent.

    About that one the adoption says all: no finding about a late fill waits for staff.
    """
    unsent = Attempt.objects.filter(pk=attempt.pk, signed_at=None)
    was_forgotten = unsent.update(**_as_sent(order, execution, now))
    _weigh_refreshed(attempt, execution, is_stated=is_stated)
    if not book_late_fill(attempt=attempt, execution=execution, is_stated=is_stated):
        raise CannotAdopt("its attempt was booked meanwhile")
    if was_forgotten:
        attempt.findings.filter(kind=FindingKind.LATE_FILL, closed_at=None).update(closed_at=now, note=note)


def _weigh_refreshed(attempt: Attempt, execution: Executed, *, is_stated: bool) -> None:
    """Raise CannotAdopt if the gate refuses the fill for what the attempt asked for, before anything is booked."""
    attempt.refresh_from_db()
    try:
        weigh_answer(attempt=attempt, execution=execution, is_stated=is_stated)
    except CannotBeTrue as error:
        raise CannotAdopt(str(error)) from error


def _book_without_batch(
    coin: Coin, execution: Executed, *, order: UnknownOrder, is_repeated: bool, now: datetime
) -> Attempt:
    """Write an attempt without a batch, and book it. If the venue has the client order id twice, it gets another."""
    name = new_client_order_id() if is_repeated else order.client_order_id
    attempt = Attempt.objects.create(
        coin=coin,
        number=1,
        client_order_id=name,
        state=AttemptState.FILLED,
        executed=execution.quantity,
        cost=execution.cost,
        commission=execution.commission,
        venue_order_id=execution.venue_order_id,
        answer=keep(execution.answer),
        reason="adopted",
        next_step_at=now,
        created_at=now,
        ended_at=now,
        **_as_sent(order, execution, now),
    )
    book_fill(
        venue=name_of_wallets(order.venue),
        asset=coin.name,
        cost=execution.cost,
        quantity=execution.quantity - execution.commission,
        reference=f"attempt:{name}",
        now=now,
    )
    return attempt


def carry_out_decision(*, finding_id: int, get_venue: GetVenue) -> None:
    """Adopt an order because staff decided so. If that cannot be done, the finding says why and waits for staff."""
    waiting = Finding.objects.filter(pk=finding_id, decision=FindingDecision.ADOPT, closed_at=None)
    finding = waiting.select_related("coin").first()
    if finding is None or finding.coin is None:
        return
    order = read_order(finding=finding)
    try:
        adopt(order=order, venue=get_venue(order.venue), note=finding.note, stated=finding.theirs)
    except CannotAdopt as error:
        logger.error("%s is not adopted: %s", order, error)  # noqa: TRY400  the message says all
        waiting.update(decision="", decided_by=None)
