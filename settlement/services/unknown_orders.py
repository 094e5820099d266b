"""Unknown orders: orders of ours at the venue that our books lack, and the findings about them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from settlement.clock import database_now
from settlement.models import Attempt, Finding, FindingDecision, FindingKind, current_venue
from settlement.services.findings import name_stranger, read_stranger
from settlement.told import digits
from trading.models import Coin


@dataclass(frozen=True, kw_only=True)
class UnknownOrder:
    """An order of ours at a venue. The cost is as listed, without commission; None if it is not known yet."""

    venue: str
    coin_name: str
    client_order_id: str
    venue_order_id: str
    quantity: Decimal
    cost: Decimal | None

    def __str__(self) -> str:
        return f"{self.subject}, of {self.coin_name} at {self.venue}: {self.figures}"

    @property
    def subject(self) -> str:
        return name_stranger(client_order_id=self.client_order_id, venue_order_id=self.venue_order_id)

    @property
    def figures(self) -> str:
        cost = f" for {digits(self.cost.normalize())}" if self.cost is not None else ""
        return f"{digits(self.quantity.normalize())}{cost}"


def read_order(*, finding: Finding) -> UnknownOrder:
    """Return the order that a finding about an unknown order of a coin names."""
    assert finding.coin is not None
    client_order_id, venue_order_id = read_stranger(finding.subject)
    return UnknownOrder(
        venue=finding.venue or current_venue(),
        coin_name=finding.coin.name,
        client_order_id=client_order_id,
        venue_order_id=venue_order_id,
        quantity=finding.amount or Decimal(0),
        cost=None,
    )


def close_finding_about(*, order: UnknownOrder, note: str, attempt: Attempt | None, now: datetime) -> None:
    """Close the finding about an adopted order; if there is none, write one that is closed: staff can look it up."""
    open_ = Finding.objects.filter(kind=FindingKind.EXTRA, subject=order.subject, closed_at=None).first()
    by = open_.decided_by if open_ and open_.decision == FindingDecision.ADOPT else None
    note = (open_.note if open_ else "") or note
    _write_finding(order, now=now, closed_at=now, closed_by=by, note=note, attempt=attempt)


def keep_reason(*, order: UnknownOrder, reason: str) -> None:
    """Say in the open finding about an order why it is not adopted. Of an asset that is no coin yet there is none."""
    if Coin.objects.filter(name=order.coin_name).exists():
        _write_finding(order, now=database_now(), ours=f"not adopted: {reason}"[:200])


def _write_finding(order: UnknownOrder, *, now: datetime, **fields: object) -> None:
    """Change the open finding about an order of a coin; if there is none, write one."""
    new = {
        "coin": Coin.objects.get(name=order.coin_name),
        "venue": order.venue,
        "theirs": order.figures[:200],
        "amount": order.quantity,
        "found_at": now,
        "seen_at": now,
    }
    Finding.objects.update_or_create(
        kind=FindingKind.EXTRA,
        subject=order.subject,
        closed_at=None,
        defaults=fields,
        create_defaults={**new, **fields},
    )
