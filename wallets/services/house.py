"""Opens the house wallets."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from wallets.models import STORED_BALANCES, Wallet, WalletRole
from wallets.money import USD

_DOLLAR_ROLES = (
    WalletRole.FUNDING,
    WalletRole.CLEARING,
    WalletRole.VENUE,
    WalletRole.FEES,
    WalletRole.TRADING_RESULT,
)
_COIN_ROLES = (WalletRole.VENUE, WalletRole.INVENTORY)


def open_house_wallets(*, asset: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Open the house wallets that trading in `asset` needs; existing wallets stay as they are."""
    roles = _DOLLAR_ROLES if asset == USD else _COIN_ROLES
    Wallet.objects.using(using).bulk_create(
        [Wallet(asset=asset, role=role, balance=0 if role in STORED_BALANCES else None) for role in roles],
        ignore_conflicts=True,
    )


def open_house_wallets_after_migrate(*, using: str, **_: Any) -> None:
    """Open the house's dollar wallets after `migrate`, unless it has undone their table: a receiver of post_migrate."""
    if Wallet._meta.db_table in connections[using].introspection.table_names():  # noqa: SLF001  public in fact
        open_house_wallets(asset=USD, using=using)
