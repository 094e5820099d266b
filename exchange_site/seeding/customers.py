"""The administrator of a new installation, and customers for long lists and load tests."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.contrib.auth.models import Group
from django.db import connection, transaction

from exchange_site.seeding.published import ADMIN_PASSWORD, ADMIN_USERNAME
from wallets.models import User
from wallets.services.accounts import open_dollar_wallet
from wallets.services.cash import book_opening_deposit

OPENING_BALANCE: Final = Decimal("1000.00")
_PREFIX: Final = "customer"
_MAY_HAVE_WALLET: Final = "SELECT set_config('exchange.seeds_admin', 'on', true)"


def seed_admin(*, now: datetime) -> None:
    """Open the administrator's account, unless it exists, and give it every role: a superuser alone moves no money."""
    admin = User.objects.filter(username=ADMIN_USERNAME).first()
    if admin is None:
        admin = User.objects.create_superuser(ADMIN_USERNAME, password=ADMIN_PASSWORD)
        _open_wallet_of_staff(admin, now=now)
    if admin.is_superuser:
        admin.groups.add(*Group.objects.all())


def seed_customer(*, number: int, now: datetime) -> None:
    """Open a customer's account without a usable password, so that nobody can sign in to it."""
    _open_wallet(User.objects.create_user(f"{_PREFIX}{number}"), now=now)


def next_customer_numbers(*, count: int) -> range:
    """Return the numbers of the next `count` customers."""
    taken = User.objects.filter(username__startswith=_PREFIX).count()
    return range(taken + 1, taken + count + 1)


def _open_wallet_of_staff(user: User, *, now: datetime) -> None:
    """Open a wallet that the database gives no other member of staff: one who buys is for development only."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_MAY_HAVE_WALLET)
        open_dollar_wallet(owner=user)
    _open_wallet(user, now=now)


def _open_wallet(user: User, *, now: datetime) -> None:
    open_dollar_wallet(owner=user)
    book_opening_deposit(owner_id=user.pk, amount=OPENING_BALANCE, now=now)
