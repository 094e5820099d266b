"""Raise and close findings. A finding stays open until its contradiction is gone or staff close the finding."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from settlement.exceptions import NotAnUnknownOrder, UnknownOrderUndecided
from settlement.jobs import adopt_order_later
from settlement.models import Attempt, Finding, FindingDecision, FindingKind
from trading.models import Coin
from wallets.models import User

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two records of one thing that differ: `ours`, and `theirs` from the venue.

    For a violation of the ledger, `ours` is the expected value and `theirs` the value found. `amount` is theirs minus
    ours. If there is an attempt, the attempt's coin and venue are used instead of `coin` and `venue`.
    """

    kind: FindingKind
    subject: str
    ours: str = ""
    theirs: str = ""
    amount: Decimal | None = None
    coin: Coin | None = None
    venue: str = ""
    attempt: Attempt | None = None


def raise_finding(*, contradiction: Contradiction, now: datetime) -> Finding:
    """Record a contradiction as a new finding, or update the open finding for the same subject."""
    found = {
        "seen_at": now,
        "ours": contradiction.ours[:200],
        "theirs": contradiction.theirs[:200],
        "amount": contradiction.amount,
    }
    attempt = contradiction.attempt
    finding, is_new = Finding.objects.update_or_create(
        kind=contradiction.kind,
        subject=contradiction.subject[:200],
        closed_at=None,
        defaults=found,
        create_defaults={
            **found,
            "found_at": now,
            "coin": attempt.coin if attempt else contradiction.coin,
            "venue": attempt.place if attempt else contradiction.venue,
            "attempt": attempt,
        },
    )
    if is_new:
        logger.error("finding: %s, ours %s, theirs %s", finding, contradiction.ours, contradiction.theirs)
    return finding


def name_stranger(*, client_order_id: str, venue_order_id: str) -> str:
    """Return the subject of a finding about an order that we do not know. `read_stranger` reads it."""
    return f"order {client_order_id} {venue_order_id}"


def read_stranger(subject: str) -> tuple[str, str]:
    """Return the client order id and the venue's order id in the subject of a finding about an unknown order."""
    _, client_order_id, venue_order_id = subject.split(" ", 2)
    return client_order_id, venue_order_id


@transaction.atomic
def decide_about_order(
    *, finding: Finding, decision: FindingDecision, decided_by: User, note: str, now: datetime
) -> bool:
    """Record what staff decide about an order that we do not know, and have a worker adopt it if it is ours.

    An order that is not ours is closed at once. Return False if the finding is closed already, or decided.
    Raises NotAnUnknownOrder.
    """
    if finding.kind != FindingKind.EXTRA:
        raise NotAnUnknownOrder
    open_ = Finding.objects.filter(pk=finding.pk, closed_at=None, decision="")
    values: dict[str, object] = {"decision": decision, "decided_by": decided_by, "note": note}
    if decision == FindingDecision.NOT_OURS:
        values |= {"closed_at": now, "closed_by": decided_by}
    decided = bool(open_.update(**values))
    if decided and decision == FindingDecision.ADOPT:
        adopt_order_later(finding_id=finding.pk)
    return decided


def close_finding(*, finding: Finding, closed_by: User, note: str, now: datetime) -> bool:
    """Close a finding that staff have dealt with, and record their note. Return False if it was closed already.

    Raises UnknownOrderUndecided for an order that we do not know: staff say whether it is ours.
    """
    if finding.kind == FindingKind.EXTRA:
        raise UnknownOrderUndecided
    open_ = Finding.objects.filter(pk=finding.pk, closed_at=None)
    return bool(open_.update(closed_at=now, closed_by=closed_by, note=note))
