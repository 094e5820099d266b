"""Book openings and moves of the account at the venue, which the comparison of balances alone uses."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from settlement.exceptions import MoveRefused
from settlement.models import AccountMove, AccountMoveKind, BalanceReading
from settlement.told import digits
from settlement.venues.configured import quote_asset_or_usual
from trading.models import Coin
from wallets.models import User

logger = logging.getLogger(__name__)

FIRST_READING: Final = "first reading"
"""The reason of an opening that was booked without staff."""


def list_assets(*, venue: str) -> list[str]:
    """Return the assets whose balances at a venue are compared: its quote asset, and all coins."""
    return [quote_asset_or_usual(venue), *Coin.objects.order_by("name").values_list("name", flat=True)]


@transaction.atomic
def book_move(*, move: AccountMove, booked_by: User, now: datetime) -> AccountMove:
    """Book a move in (more than 0) or out (less than 0), or the opening, of the account at a venue.

    `move` is not saved yet. Raises MoveRefused.
    """
    if move.asset not in list_assets(venue=move.venue):
        raise MoveRefused(f"Balances of {move.asset} are not compared.")
    if move.kind == AccountMoveKind.MOVE and not move.amount:
        raise MoveRefused("A move moves something.")
    values = {"amount": move.amount, "reason": move.reason, "booked_by": booked_by, "booked_at": now}
    place = {"venue": move.venue, "asset": move.asset, "kind": move.kind}
    if move.kind == AccountMoveKind.MOVE:
        booked = AccountMove.objects.create(**place, **values)
    else:
        booked, is_new = AccountMove.objects.get_or_create(**place, defaults=values)
        if not is_new:
            raise MoveRefused("There is an opening already. Book a move instead.")
    logger.warning("%s is booked by %s: %s", booked, booked_by, booked.reason)
    return booked


def ensure_opening_proposed(*, reading: BalanceReading) -> None:
    """Raise MoveRefused unless a reading proposes an opening that can be booked.

    A reading during a purchase proposes nothing: the venue and our books may see the purchase at different times.
    """
    if reading.proposed is None:
        raise MoveRefused("There is an opening already. Book a move instead.")
    if reading.steady_since is None:
        raise MoveRefused("A purchase was under way or in doubt during this reading. Wait for the next one.")


def open_by_first_reading(*, venue: str, asset: str, amount: Decimal, now: datetime) -> None:
    """Book an opening without staff, for an asset that was never bought: no purchase can explain any of it."""
    move = AccountMove(
        venue=venue,
        asset=asset,
        kind=AccountMoveKind.OPENING,
        amount=amount,
        reason=FIRST_READING,
        booked_at=now,
    )
    AccountMove.objects.bulk_create([move], ignore_conflicts=True)
    logger.info("the comparison of %s begins with %s", asset, digits(amount))
