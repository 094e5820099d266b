"""Put things right after a restore that lost something: what `manage.py after_restore` does.

Every step is safe to run twice, and nothing is sent to the venue before all of them are done.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from settlement.models import Attempt
from settlement.services.adopting import CannotAdopt, adopt
from settlement.services.choosing import GetVenue
from settlement.services.recognising import end_doubt_about_database, put_in_doubt, read_watch, stop_sending
from settlement.services.restoring.asking import ask_venues, seconds_to_wait, send_waiting_attempts
from settlement.services.unknown_orders import UnknownOrder
from settlement.venues.protocol import Venue
from trading.models import Coin
from wallets.runtime import clock, sql
from wallets.services.tokens import end_all_token_families

logger = logging.getLogger(__name__)

SEQUENCE_STEP: Final = 1_000_000
"""More ids than a backup can lack."""
_DRAWN_AT_ONCE: Final = 100_000
_NOTE: Final = "adopted by after_restore"


@dataclass(kw_only=True)
class Restoration:
    """What was done. `is_complete`: everything could be asked for and adopted, and buying goes on."""

    adopted: list[Attempt] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)
    new_coins: list[str] = field(default_factory=list)
    sequences: int = 0
    sign_ins: int = 0
    is_complete: bool = False


def put_right(
    *,
    get_venue: GetVenue,
    tell: Callable[[str], None],
    as_owner: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Restoration:
    """Adopt what the venue has and our books lack, move all sequences on, end all sign-ins, and let buying go on.

    `tell` gets a line for each wait. Inside of `as_owner()`, this thread's connection may set sequences. If the venue
    cannot be asked for everything, or an order cannot be adopted, nothing is sent until the next run: see `refused` and
    `unasked`.
    """
    done = Restoration()
    put_in_doubt()
    stop_sending(found=["after_restore is running, or did not end"])
    watch = read_watch()
    if wait := seconds_to_wait(watch=watch):
        tell(f"Waiting {wait:.0f} s for requests that may still be on their way to the venue.")
        time.sleep(wait)
    with as_owner():
        done.sequences = move_sequences_on()
    done.sign_ins = end_all_token_families(now=clock.now())
    coins = set(Coin.objects.values_list("name", flat=True))
    answers = ask_venues(since=watch.known_at, get_venue=get_venue)
    done.unasked = answers.unasked
    for order in answers.unknown:
        _adopt(order, done, venue=get_venue(order.venue))
    done.new_coins = sorted(set(Coin.objects.values_list("name", flat=True)) - coins)
    if done.unasked or done.refused:
        left = [f"{order}: {reason}" for order, reason in done.refused.items()]
        stop_sending(found=[*left, *(f"not asked: {name}" for name in done.unasked)])
    elif end_doubt_about_database(watch=watch, even_if_stopped=True):
        done.is_complete = True
        send_waiting_attempts()
    return done


def move_sequences_on() -> int:
    """Move every sequence on, so that no id that somebody may know is given again. Return the number of sequences.

    Only the owner may set a sequence: the application's role could set one back. It draws numbers instead, a part of
    them with each statement.
    """
    moved = 0
    for name, may_set in sql.fetch_all("settlement.list_sequences"):
        if may_set:
            sql.fetch_one("settlement.set_sequence", sequence=name, step=SEQUENCE_STEP)
        else:
            for _ in range(0, SEQUENCE_STEP, _DRAWN_AT_ONCE):
                sql.fetch_one("settlement.draw_from_sequence", sequence=name, step=_DRAWN_AT_ONCE)
        moved += 1
    return moved


def _adopt(order: UnknownOrder, done: Restoration, *, venue: Venue) -> None:
    try:
        attempt = adopt(order=order, venue=venue, note=_NOTE)
    except CannotAdopt as error:
        done.refused[str(order)] = str(error)
        logger.error("%s is not adopted: %s", order, error)  # noqa: TRY400  the message says all
    else:
        if attempt is not None:
            attempt.refresh_from_db()
            done.adopted.append(attempt)
