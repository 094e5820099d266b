"""Erases what is personal about customers, years after their accounts were closed."""

import secrets
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce

from wallets.models import (
    ClosedAccount,
    Deposit,
    KnownAddress,
    Payee,
    Payout,
    PayoutFile,
    PersonalKey,
    Return,
    SecondFactor,
    StatementLine,
    TokenFamily,
    User,
)
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.sealed import ERASED


def list_due(*, now: datetime) -> list[int]:
    """Return the ids of the customers whose accounts were closed RETENTION_YEARS ago, and who are not erased yet."""
    years = settings.PERSONAL_DATA.retention_years
    due = ClosedAccount.objects.filter(erased_at=None, closed_at__lte=years_before(now, years=years))
    return list(due.order_by("closed_at").values_list("pk", flat=True))


def erase_due(*, now: datetime, advance: Callable[[], None] = lambda: None) -> int:
    """Erase everybody who is due, each in a database transaction of their own, and return their number.

    Safe to run again, and at once with another run.
    """
    erased = 0
    for customer_id in list_due(now=now):
        erased += erase(customer_id=customer_id, now=now)
        advance()
    return erased


@retried_on_conflict
@transaction.atomic(durable=True)
def erase(*, customer_id: int, now: datetime) -> bool:
    """Destroy a closed customer's key and everything readable about them. Say whether it was there still.

    Movements, orders, payouts and the lines of bank statements stay; they hold ids, figures and hashes, and texts that
    nobody can read any more.
    """
    due = ClosedAccount.objects.select_for_update(no_key=True).filter(pk=customer_id, erased_at=None).first()
    if due is None:
        return False
    PersonalKey.objects.update_or_create(customer_id=customer_id, defaults={"key": None, "destroyed_at": now})
    for gone in (TokenFamily, KnownAddress, SecondFactor):
        gone.objects.filter(user_id=customer_id).delete()
    _erase_texts(customer_id)
    payees = Payee.objects.filter(customer_id=customer_id)
    payees.update(name=ERASED, account=ERASED, routing=None, removed_at=Coalesce("removed_at", now))
    _empty_account(User.objects.get(pk=customer_id))
    due.erased_at = now
    due.save(update_fields=["erased_at"])
    return True


def _erase_texts(customer_id: int) -> None:
    """Overwrite what banks and staff said about the customer in rows that stay. Their hashes and figures stay.

    A file for our bank names the payees of others too. It is as old, so nobody needs to write it once more.
    """
    Deposit.objects.filter(customer_id=customer_id).update(note="", reference=ERASED)
    StatementLine.objects.filter(customer_id=customer_id).update(reference=ERASED, originals=None)
    StatementLine.objects.filter(deposit__customer_id=customer_id).update(reference=ERASED, originals=None)
    StatementLine.objects.filter(taken_back__customer_id=customer_id).update(
        reference=ERASED, originals=None, counterparty="", text=""
    )
    answers = Q(payout__customer_id=customer_id) | Q(contradicts__customer_id=customer_id)
    StatementLine.objects.filter(answers).update(reference=ERASED, originals=None, counterparty="", text="")
    Return.objects.filter(customer_id=customer_id).update(reference=ERASED, named="", note="")
    Payout.objects.filter(customer_id=customer_id).update(reason="", bank_reference="")
    PayoutFile.objects.filter(payouts__customer_id=customer_id, written_at__isnull=False).update(content=ERASED)


def years_before(moment: datetime, *, years: int) -> datetime:
    """Return the same day and time of an earlier year; 28 February instead of the 29th."""
    try:
        return moment.replace(year=moment.year - years)
    except ValueError:
        return moment.replace(year=moment.year - years, day=28)


def _empty_account(user: User) -> None:
    user.username = f"closed-{user.pk}-{secrets.token_hex(4)}"  # which nobody can have taken before
    user.email = user.verified_email = user.first_name = user.last_name = ""
    user.last_login = None
    user.set_unusable_password()
    user.save()
