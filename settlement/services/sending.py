"""Sending an attempt, once, and finding out what became of it.

Never send twice what may have been executed, never refund what may have been bought. Every step is
committed before the next begins; no connection and no lock is held while the venue is asked.
"""

import logging
import time
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.exchanges.protocol import (
    Answer,
    CoinNotListed,
    Exchange,
    ExchangeAway,
    Executed,
    MarketRules,
    NotFound,
    NotPlaced,
    PurchaseRequest,
    Refused,
    Unknown,
)
from settlement.jobs import settle_batch_later
from settlement.letting_go import let_go_of_the_database
from settlement.models import IN_FLIGHT, Attempt, AttemptState
from settlement.services.booking import (
    book_execution,
    book_late_fill,
    end_not_placed,
    end_refused,
    give_up_looking,
    park,
)
from settlement.services.pausing import find_pause, find_pause_of_calls, pause_for_silence, pause_for_trouble
from settlement.sizing import highest_price, quantity_to_buy
from trading.services.settling import SettledOrders, sum_open_orders
from wallets.runtime import failpoints

logger = logging.getLogger(__name__)


def take_next_step(*, batch_id: int, exchange: Exchange) -> None:
    """Send the batch's attempt if it is new; ask for it if it was sent. May be run at any time, twice."""
    attempt = Attempt.objects.select_related("batch", "coin").filter(batch_id=batch_id, state__in=IN_FLIGHT).first()
    if attempt is None:
        return
    if attempt.state == AttemptState.SENT:
        _ask(attempt, exchange)
    elif pause := find_pause(coin_id=attempt.coin_id, now=database_now()):
        _put_off(attempt, until=pause.until)
    else:
        try:
            _send(attempt, exchange)
        except ExchangeAway as error:  # of a question before the sending: nothing was sent
            _pause_and_put_off(attempt, error)


def _pause_and_put_off(attempt: Attempt, error: ExchangeAway) -> None:
    with transaction.atomic():
        _put_off(attempt, until=pause_for_silence(coin=attempt.coin, error=error, now=database_now()))


def _put_off(attempt: Attempt, *, until: datetime | None) -> None:
    """Come back when the pause is over, or now and then to see whether staff have lifted it.

    Of several runs at once, one goes on.
    """
    now = database_now()
    until = until or now + timedelta(seconds=settings.PAUSE_MAX_SECONDS)
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW, next_step_at=attempt.next_step_at)
    with transaction.atomic():
        if unchanged.update(next_step_at=until):
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=(until - now).total_seconds())


def _send(attempt: Attempt, exchange: Exchange) -> None:
    coin = attempt.coin.name
    let_go_of_the_database()
    try:
        rules = exchange.read_rules(coin=coin)
        ask = exchange.read_ask(coin=coin)
    except CoinNotListed:
        end_refused(attempt=attempt, from_state=AttemptState.NEW, reason="not_listed_at_the_exchange")
        return
    offset = _measure_clock_offset(exchange)
    still_open = sum_open_orders(batch_id=attempt.batch_id)
    if not still_open.count:
        return  # another run was quicker
    if not _size(attempt, still_open=still_open, rules=rules, ask=ask):
        park(attempt=attempt, from_state=AttemptState.NEW, reason="ask_beyond_the_price_bound")
        return
    request = _commit_to_sending(attempt, offset=offset)
    if request is None:
        return
    let_go_of_the_database()
    failpoints.reach("attempt.sent")
    answer = exchange.buy(request=request)
    failpoints.reach("attempt.answered")
    _react(attempt, answer)


def _measure_clock_offset(exchange: Exchange) -> timedelta:
    """The venue's clock less Postgres'. A worker's own clock has no part in it.

    Low by the way back of the answer: a request dated a little early is one the venue accepts.
    """
    database_time, started = database_now(), time.monotonic()
    let_go_of_the_database()
    venue_time = exchange.read_time()
    return venue_time - (database_time + timedelta(seconds=time.monotonic() - started))


def _size(attempt: Attempt, *, still_open: SettledOrders, rules: MarketRules, ask: Decimal) -> bool:
    """Decide quantity and price bound; False when even the ask is beyond the bound."""
    attempt.limit_price = highest_price(
        charged=still_open.charge, amount=still_open.amount, max_loss=settings.MAX_LOSS, tick=rules.price_tick
    )
    attempt.quantity = quantity_to_buy(
        missing=still_open.amount - attempt.batch.reserved,
        taker_rate=settings.EXCHANGE_TAKER_RATE,
        ask=ask,
        rules=rules,
    )
    return ask <= attempt.limit_price


def _commit_to_sending(attempt: Attempt, *, offset: timedelta) -> PurchaseRequest | None:
    """Move the attempt from `new` to `sent`. Exactly one run gets the request; the others get None."""
    window = settings.EXCHANGE_RECV_WINDOW
    signed_at = _venue_now(offset)
    moved = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.NEW).update(
        state=AttemptState.SENT,
        quantity=attempt.quantity,
        limit_price=attempt.limit_price,
        signed_at=signed_at,
        valid_until=signed_at + window,
        clock_offset=offset,
        next_step_at=signed_at - offset + window,
    )
    if not moved:
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


def look_up(*, attempt: Attempt, exchange: Exchange) -> Answer:
    """Ask the venue what became of an attempt, without a database connection."""
    let_go_of_the_database()
    return exchange.look_up(coin=attempt.coin.name, client_order_id=attempt.client_order_id)


def _ask(attempt: Attempt, exchange: Exchange) -> None:
    now = database_now()
    if until := find_pause_of_calls(now=now):
        _ask_later(attempt, reason="too many calls", at_least_seconds=(until - now).total_seconds())
        return
    answer = look_up(attempt=attempt, exchange=exchange)
    attempt.lookups += 1
    Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(lookups=attempt.lookups)
    if isinstance(answer, NotFound):
        _count_not_found(attempt, exchange)
    elif isinstance(answer, Executed):
        _react(attempt, answer)
    elif isinstance(answer, Unknown) and answer.retry_after_seconds is not None:
        until = pause_for_trouble(
            coin=None, reason=answer.reason, at_least_seconds=answer.retry_after_seconds, now=now, of_calls=True
        )
        _ask_later(attempt, reason=answer.reason, at_least_seconds=(until - now).total_seconds())
    else:
        _ask_later(attempt, reason=f"lookup: {answer}")


def _react(attempt: Attempt, answer: Answer) -> None:
    match answer:
        case Executed(final=True):
            book_execution(attempt=attempt, execution=answer)
        case Executed():
            _ask_later(attempt, reason=f"still {answer.status}")
        case Refused():
            end_refused(attempt=attempt, from_state=AttemptState.SENT, reason=answer.reason)
        case NotPlaced():
            end_not_placed(attempt=attempt, answer=answer)
        case NotFound() | Unknown():
            _ask_later(attempt, reason=getattr(answer, "reason", "not found"))


def _count_not_found(attempt: Attempt, exchange: Exchange) -> None:
    """Believe "not found" only when the request can no longer be accepted, and several times over.

    Reads lag at the venue, and a request that is under way counts until its window has passed.
    """
    if not exchange.requests_expire or not is_past_its_window(attempt=attempt):
        _ask_later(attempt, reason="not found, still possible")
        return
    counted = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT, not_found=attempt.not_found)
    if not counted.update(not_found=attempt.not_found + 1):
        return  # another run has asked at the same time: that is one look, not two
    attempt.not_found += 1
    if attempt.not_found >= settings.NOT_FOUND_TIMES:
        give_up_looking(attempt=attempt, reason="not found after its window")
    else:
        _ask_later(attempt, reason="not found")


def ask_again(*, attempt_id: int, exchange: Exchange) -> None:
    """Ask for an attempt that was given up as never placed, with growing waits for RECHECK_FOR."""
    attempt = Attempt.objects.select_related("batch", "coin").filter(pk=attempt_id, recheck_at__isnull=False).first()
    if attempt is None:
        return
    answer = look_up(attempt=attempt, exchange=exchange)
    if isinstance(answer, Executed) and answer.final and answer.quantity:
        book_late_fill(attempt=attempt, execution=answer)
        return
    assert attempt.ended_at is not None
    now = database_now()
    since = now - attempt.ended_at
    over = since > settings.RECHECK_FOR and not isinstance(answer, Unknown)
    later = None if over else now + max(since, settings.RECHECK_FIRST_WAIT)
    Attempt.objects.filter(pk=attempt.pk, recheck_at__isnull=False).update(recheck_at=later)


def is_past_its_window(*, attempt: Attempt) -> bool:
    """Whether the venue can no longer accept the request, by its own clock and with a margin."""
    assert attempt.valid_until is not None
    assert attempt.clock_offset is not None
    return _venue_now(attempt.clock_offset) > attempt.valid_until + settings.NOT_FOUND_MARGIN


def _venue_now(offset: timedelta) -> datetime:
    return database_now() + offset


def _ask_later(attempt: Attempt, *, reason: str, at_least_seconds: float = 0) -> None:
    """Look again after a wait that doubles each time. Never a refund and never a resend on a guess."""
    grown = settings.LOOKUP_FIRST_WAIT_SECONDS * 2.0 ** min(attempt.lookups, 30)
    wait = max(min(grown, settings.LOOKUP_MAX_WAIT_SECONDS), at_least_seconds)
    logger.warning("%s of %s: %s; asking in %.0f s", attempt, attempt.batch, reason, wait)
    when = database_now() + timedelta(seconds=wait)
    with transaction.atomic():
        if Attempt.objects.filter(pk=attempt.pk, state=AttemptState.SENT).update(
            reason=reason[:200], next_step_at=when
        ):
            settle_batch_later(batch_id=attempt.batch_id, delay_seconds=wait)
