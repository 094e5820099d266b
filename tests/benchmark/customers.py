"""Customers with more money than any run can spend."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.utils import timezone

from wallets.models import User
from wallets.money import USD
from wallets.services.accounts import open_dollar_wallet
from wallets.services.cash import book_opening_deposit
from wallets.services.tokens import start_token_family

NOBODY: Final = "nobody"  # a user who only signs in
SIGNERS: Final = tuple(f"signer{number}" for number in range(8))  # and more of them, with the same password
PASSWORD: Final = "password123"
_DEPOSIT: Final = Decimal("100000000.00")
_READERS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Customers:
    """`count` customers with consecutive ids and consecutive wallet ids, and one more customer, `spare`.

    The files have one access token a line; those in `readers` belong to the first customers.
    """

    count: int
    first: int
    first_wallet: int
    spare: int
    tokens: Path
    readers: Path


def open_accounts(*, count: int, folder: Path) -> Customers:
    """Open the accounts, unless they are there from an earlier run, and write their access tokens to files."""
    if not User.objects.filter(username=NOBODY).exists():
        _open_accounts(count + 1)
    *customers, spare = User.objects.filter(username__regex=r"^customer\d+$").order_by("id")
    now = timezone.now()
    tokens = [start_token_family(user=user, now=now).access for user in customers]
    for name, written in (("tokens", tokens), ("readers", tokens[:_READERS])):
        (folder / name).write_text("\n".join(written) + "\n")
    return Customers(
        count=len(customers),
        first=customers[0].pk,
        first_wallet=customers[0].wallets.get(asset=USD).pk,
        spare=spare.pk,
        tokens=folder / "tokens",
        readers=folder / "readers",
    )


def _open_accounts(count: int) -> None:
    nobody = User.objects.create_user(NOBODY, password=PASSWORD)
    for name in SIGNERS:
        User(username=name, password=nobody.password).save()
    for number in range(count):
        _open_account(f"customer{number}")


def _open_account(name: str) -> User:
    user = User(username=name)
    user.set_unusable_password()
    user.save()
    open_dollar_wallet(owner=user)
    book_opening_deposit(owner_id=user.pk, amount=_DEPOSIT, now=timezone.now())
    return user
