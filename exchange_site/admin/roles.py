"""The roles of staff: groups with permissions, which `migrate` makes. docs/security.md shows the same table.

A group that is there stays as it is: superusers may change it, and a later `migrate` does not undo that.
"""

from typing import Any, Final

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

_PEOPLE: Final = ("wallets.view_user", "wallets.view_wallet", "wallets.view_transaction", "trading.view_order")
_PAYOUTS: Final = ("wallets.view_payee", "wallets.view_payout", "wallets.view_payoutfile")
_PROPOSALS: Final = ("wallets.view_proposal",)
_MONEY_IN: Final = ("wallets.view_deposit", "wallets.view_statement", "wallets.view_statementline")
_SHOP: Final = (
    "trading.view_coin",
    "trading.view_pricerule",
    "trading.view_saleslimit",
    "trading.view_headroom",
    "trading.view_salesstop",
    "trading.view_suspension",
    "trading.view_dayloss",
)
_VENUE: Final = (
    "settlement.view_batch",
    "settlement.view_attempt",
    "settlement.view_intervention",
    "settlement.view_finding",
    "settlement.view_pause",
    "settlement.view_excess",
    "settlement.view_venueaccount",
    "settlement.view_balancereading",
    "settlement.view_accountmove",
    "settlement.view_databasewatch",
    "settlement.view_failingitem",
    "settlement.view_venueentry",
)

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "support": (*_PEOPLE, *_PROPOSALS, "wallets.freeze_user"),
    "risk": (
        *_PEOPLE,
        *_PROPOSALS,
        *_SHOP,
        "trading.view_review",
        "trading.change_review",
        "trading.change_suspension",
        "wallets.freeze_user",
        "wallets.view_securityevent",
    ),
    "operator": (
        *_PROPOSALS,
        *_SHOP,
        *_VENUE,
        "trading.view_order",
        "settlement.change_batch",
        "settlement.change_finding",
        "settlement.add_pause",
        "settlement.change_pause",
        "settlement.change_venueentry",
        "settlement.add_accountmove",
        "settlement.change_databasewatch",
    ),
    "finance": (
        *_PEOPLE,
        *_PROPOSALS,
        *_MONEY_IN,
        *_SHOP,
        *_VENUE,
        *_PAYOUTS,
        "wallets.add_deposit",
        "wallets.decide_deposit",
        "wallets.add_statement",
        "wallets.approve_statement",
        "wallets.view_return",
        "wallets.view_receivable",
        "wallets.decide_payout",
        "wallets.export_payout",
        "wallets.take_return",
        "wallets.settle_debt",
        "wallets.correct_movement",
        "wallets.give_goodwill",
    ),
    "manager": (
        *_PEOPLE,
        *_PROPOSALS,
        *_MONEY_IN,
        *_SHOP,
        *_VENUE,
        *_PAYOUTS,
        "wallets.decide_proposal",
        "trading.add_coin",
        "trading.change_coin",
        "trading.add_pricerule",
        "trading.add_saleslimit",
        "trading.change_salesstop",
        "trading.view_shop",
        "trading.add_shop",
        "trading.change_shop",
        "trading.view_review",
    ),
}
"""The permissions of each role, by the name of its group."""


def make_roles_after_migrate(*, using: str, apps: Apps = current_apps, **_: Any) -> None:
    """Make the groups that are missing, after `migrate`: a receiver of post_migrate of the last app.

    None is made while a permission is missing, as in a database that is migrated to an older state.
    """
    create_permissions(current_apps.get_app_config("settlement"), verbosity=0, using=using, apps=apps)
    try:
        groups = apps.get_model("auth", "Group")._base_manager.using(using)  # noqa: SLF001  public in fact
        permissions = apps.get_model("auth", "Permission")._base_manager.using(using)  # noqa: SLF001  the same
    except LookupError:
        return
    known = {
        f"{app}.{codename}": pk
        for app, codename, pk in permissions.values_list("content_type__app_label", "codename", "pk")
    }
    for name, wanted in ROLES.items():
        if known.keys() >= {*wanted} and not groups.filter(name=name).exists():
            groups.create(name=name).permissions.set([known[each] for each in wanted])
