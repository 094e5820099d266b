"""Reads what is held: dollars that a bank may take back, and customers whose credentials have just changed."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import F, Sum

from wallets.models import Deposit, DepositState, User

NO_BANK: Final = ("sandbox", "opening")
"""Sources of deposits that no bank can take back."""


def sum_held_deposits(*, customer_id: int, now: datetime) -> Decimal:
    """Sum up what banks may still take back of the customer's deposits (US dollars). One query, none without a hold."""
    hold = settings.PAYOUTS.deposit_hold
    if not hold:
        return Decimal(0)
    held = Deposit.objects.filter(customer_id=customer_id, state=DepositState.CREDITED, created_at__gt=now - hold)
    kept = Sum(F("amount") - F("returned"))
    return held.exclude(source__in=NO_BANK).aggregate(total=kept)["total"] or Decimal(0)


def credentials_held_until(*, changed_at: datetime | None, now: datetime) -> datetime | None:
    """Return when the hold after a change of credentials ends, or None if there is none."""
    until = changed_at + settings.PAYOUTS.credential_hold if changed_at else now
    return until if until > now else None


def read_credentials_held_until(*, customer_id: int, now: datetime) -> datetime | None:
    """Return when the hold after the customer's last change of credentials ends, or None. One query, none without."""
    if not settings.PAYOUTS.credential_hold:
        return None
    changed_at = User.objects.values_list("credentials_changed_at", flat=True).get(pk=customer_id)
    return credentials_held_until(changed_at=changed_at, now=now)
