"""Read what waits for staff about dollars that come in: deposits of nobody."""

from collections.abc import Iterator
from datetime import datetime

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from wallets.models import Deposit, DepositState


def read_unassigned(_now: datetime) -> Iterator[Concern]:
    """Read deposits that belong to nobody yet."""
    for deposit in Deposit.objects.filter(state=DepositState.UNASSIGNED).order_by("id")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.UNASSIGNED,
            subject=f"{deposit}, {deposit.reference} of {deposit.source}",
            since=deposit.created_at,
            reason=deposit.note,
            target=Target(model="wallets_deposit", pk=deposit.pk),
        )
