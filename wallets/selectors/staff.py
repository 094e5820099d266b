"""Reads who is staff, and who of them can decide about powers."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from wallets.models import BreakGlass, Deposit, SecurityEvent, SecurityEventKind, Transaction, User, Wallet
from wallets.money import USD
from wallets.selectors.holds import NO_BANK


def list_staff() -> QuerySet[User]:
    """Return the active members of staff."""
    return User.objects.filter(is_active=True, is_staff=True).order_by("pk")


def list_told(*, since: datetime) -> QuerySet[User]:
    """Return the active members of staff, and who was one until powers were taken from them after `since`.

    One person can take powers alone, and must not become unwatched by it.
    """
    taken = SecurityEvent.objects.filter(
        Q(kind=SecurityEventKind.DISABLED, user__is_staff=True)
        | Q(details__is_staff__old=True)
        | Q(details__is_superuser__old=True),
        at__gte=since,
        user__isnull=False,
    )
    told = Q(is_active=True, is_staff=True) | Q(pk__in=taken.values("user"))
    return User.objects.filter(told).order_by("-is_superuser", "pk")


def list_able_superusers() -> QuerySet[User]:
    """Return the superusers who can sign in to the admin of production: with a proven address and a second factor."""
    able = list_staff().filter(is_superuser=True, second_factor__confirmed_at__isnull=False)
    return able.exclude(verified_email="")


def has_moved_money(*, user: User) -> bool:
    """Say whether the user has, or ever had, dollars or coins here."""
    held = Wallet.objects.filter(Q(balance__gt=0), owner=user)
    return held.exists() or Transaction.objects.filter(customer=user).exists()


def list_wallets_of_staff(*, seeded: bool) -> QuerySet[Wallet]:
    """Return the dollar wallets of those who were staff before staff had to be without, and had money then.

    `seeded`: also wallets with dollars from no bank, such as the one that the seeder gives its administrator.
    """
    is_of_staff = Q(owner__is_staff=True) | Q(owner__is_superuser=True)
    found = Wallet.objects.filter(is_of_staff, asset=USD).select_related("owner").order_by("pk")
    given = Deposit.objects.filter(customer=OuterRef("owner"), source__in=NO_BANK)
    return found if seeded else found.exclude(Exists(given))


def somebody_has_money() -> bool:
    """Say whether the wallet of any customer holds something."""
    return Wallet.objects.filter(owner__isnull=False, balance__gt=0).exists()


def shares_address(*, user: User, email: str) -> bool:
    """Say whether another member of staff has the e-mail address, proven or not, in any case of its letters."""
    others = User.objects.filter(is_staff=True).exclude(pk=user.pk)
    return others.filter(Q(email__iexact=email) | Q(verified_email__iexact=email)).exists()


def is_proven_by_other_staff(*, user: User, email: str) -> bool:
    """Say whether another member of staff has proven the e-mail address, which is a constraint of the database."""
    return User.objects.filter(is_staff=True, verified_email__iexact=email).exclude(pk=user.pk).exists()


def list_waiting_requests() -> QuerySet[BreakGlass]:
    """Return the break-glass requests that have not ended, the oldest first."""
    return BreakGlass.objects.filter(outcome=None).select_related("user").order_by("pk")
