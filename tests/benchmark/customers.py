"""Customers with more money than a run can spend."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.utils import timezone

from wallets.models import User
from wallets.services.accounts import open_dollar_wallet
from wallets.services.cash import book_opening_deposit
from wallets.services.tokens import start_token_family

NOBODY: Final = "nobody"  # the customer who only signs in
PASSWORD: Final = "password123"
_DEPOSIT: Final = Decimal("100000000.00")


@dataclass(frozen=True, kw_only=True)
class Customers:
    """`count` customers with consecutive ids of users and wallets, and a spare customer besides them."""

    count: int
    first: int
    first_wallet: int
    spare: int
    tokens: Path
    hot_token: Path


def open_accounts(*, count: int, folder: Path) -> Customers:
    """Open the accounts, and write their access tokens to files."""
    User.objects.create_user(NOBODY, password=PASSWORD)
    users = [_open_account(f"customer{number}") for number in range(count + 1)]
    now = timezone.now()
    *customers, spare = users
    tokens = [start_token_family(user=user, now=now).access for user in customers]
    (folder / "tokens").write_text("\n".join(tokens) + "\n")
    (folder / "hot_token").write_text(tokens[0] + "\n")
    return Customers(
        count=count,
        first=customers[0].pk,
        first_wallet=customers[0].wallets.get().pk,
        spare=spare.pk,
        tokens=folder / "tokens",
        hot_token=folder / "hot_token",
    )


def _open_account(name: str) -> User:
    user = User(username=name)
    user.set_unusable_password()
    user.save()
    open_dollar_wallet(owner=user)
    book_opening_deposit(owner_id=user.pk, amount=_DEPOSIT, now=timezone.now())
    return user
