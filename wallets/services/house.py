"""Opens the house wallets."""

from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS

from wallets.models import STORED_BALANCES, Wallet, WalletRole
from wallets.money import USD

_DOLLAR_ROLES = (
    WalletRole.FUNDING,
    WalletRole.CLEARING,
    WalletRole.VENUE,
    WalletRole.FEES,
    WalletRole.TRADING_RESULT,
    WalletRole.UNASSIGNED,
    WalletRole.PAYABLE,
    WalletRole.RECEIVABLE,
    WalletRole.GOODWILL,
    WalletRole.WRITTEN_OFF,
)
_COIN_ROLES = (WalletRole.VENUE, WalletRole.INVENTORY)


def open_house_wallets(*, asset: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Open the house wallets that trading in `asset` needs; existing wallets stay as they are."""
    _open(Wallet, asset=asset, using=using)


def open_house_wallets_after_migrate(*, using: str, apps: Apps = current_apps, **_: Any) -> None:
    """Open the house's dollar wallets after `migrate`, unless it has undone their table: a receiver of post_migrate.

    `apps` has the models as they are after these migrations, which need not be all.
    """
    try:
        wallet = apps.get_model("wallets", "Wallet")
    except LookupError:
        return
    _open(wallet, asset=USD, using=using)


def _open(wallet: type[Any], *, asset: str, using: str) -> None:
    known = {role for role, _ in wallet._meta.get_field("role").choices}  # noqa: SLF001  public in fact
    roles = [role for role in (_DOLLAR_ROLES if asset == USD else _COIN_ROLES) if role in known]
    wallet._base_manager.using(using).bulk_create(  # noqa: SLF001  public in fact
        [wallet(asset=asset, role=role, balance=0 if role in STORED_BALANCES else None) for role in roles],
        ignore_conflicts=True,
    )
