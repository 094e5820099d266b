"""The roles of staff: groups with permissions, which `migrate` makes. docs/security.md shows the same table.

A group with exactly the permissions that an earlier release gave its role, which no proposal has changed, gets those of
this one. Any other group stays as it is: superusers have changed it, or it is theirs and has the same name by chance.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

from wallets.models import SecurityEventKind
from wallets.services.proposals import count_done
from wallets.services.proposing import GROUP_PERMISSIONS
from wallets.services.security_log import record_event

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
        "wallets.export_customer",
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

GIVEN: Final[dict[str, tuple[str, ...]]] = {
    "support": ("30072b37d06bdfc4",),
    "risk": ("14352e2d348af3c8",),
    "operator": ("e71e52ee1973cef0", "00be5f827c45f328", "4a89359a9cf23a6e"),
    "finance": (
        "058a768aff0cec50",
        "f5fb35c95c7d3178",
        "7f19eb86418d39d5",
        "ee5589e8f53d9f11",
        "9b00fc30aef937df",
        "a0f798bb8369c8c4",
    ),
    "manager": (
        "e32a83776bef15b1",
        "74ed2790a47f42a4",
        "76b012fa10242c82",
        "eb5e60b937dadd63",
        "2b93ef916d2b9ebc",
        "65a1bcfcb2941c31",
    ),
}
"""The digests of what each role was given since the first release, the present one last. Only append to them."""


def digest_of(permissions: Iterable[str]) -> str:
    """Return a text that is the same for the same permissions."""
    return hashlib.sha256("\n".join(sorted(permissions)).encode()).hexdigest()[:16]


def make_roles_after_migrate(*, using: str, apps: Apps = current_apps, **_: Any) -> None:
    """Make the missing groups, and renew those of earlier releases: a receiver of post_migrate of the last app.

    No group is touched while a permission is missing, as in a database that is migrated to an older state.
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
        if known.keys() >= {*wanted}:
            group, is_new = groups.get_or_create(name=name)
            if is_new or _renew(group, wanted):
                group.permissions.set([known[each] for each in wanted])


def _renew(group: Any, wanted: tuple[str, ...]) -> bool:
    """Say whether a group is as an earlier release has made it, and record then what it gets."""
    held = group.permissions.values_list("content_type__app_label", "codename")
    old = sorted(f"{app}.{codename}" for app, codename in held)
    if digest_of(old) not in GIVEN[group.name][:-1] or count_done(kind=GROUP_PERMISSIONS.name, group=group.pk):
        return False
    details = {"group": group.name, "old": old, "new": sorted(wanted)}
    record_event(SecurityEventKind.PERMISSIONS_CHANGED, details=details)
    return True
