"""Records what happens to accounts: in a table that cannot be changed, and as lines of the log `security`."""

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from wallets.metrics import count_security_event_after_commit, show_security_events
from wallets.models import SecurityEvent, SecurityEventKind, SecurityRealm, User
from wallets.runtime import sql
from wallets.runtime.acting import current_origin

logger = logging.getLogger("security")

# Strangers cause these without a password or token. All other kinds are recorded without a limit.
_CAPPED: Final = frozenset({SecurityEventKind.SIGN_IN_FAILED})
_WARNINGS: Final = _CAPPED | {
    SecurityEventKind.REFRESH_REUSED,
    SecurityEventKind.STAFF_AT_NEW_ADDRESS,
    SecurityEventKind.OTP_FAILED,
}

_PRUNED_AT_ONCE: Final = 10_000

show_security_events(kinds=SecurityEventKind.values, realms=SecurityRealm.values)

_NO_DETAILS: Final[Mapping[str, object]] = {}
NO_POWERS: Final[Mapping[str, object]] = {
    "is_active": True,
    "is_staff": False,
    "is_superuser": False,
    "groups": [],
    "permissions": [],
}
"""The powers of a customer, as `record_power_changes` compares them."""


def record_event(
    kind: SecurityEventKind, *, user: User | None = None, name: str = "", details: Mapping[str, object] = _NO_DETAILS
) -> None:
    """Record an event about `user`, or about a `name` that no account has, of which only a hash is kept.

    Call it inside the database transaction that makes the change, so that both commit or neither. `details` must hold
    no secret.
    """
    origin = current_origin()
    actor_id = origin.actor_id if user is None or origin.actor_id != user.pk else None
    name_hash = "" if user or not name else hash_name(name)
    row = sql.fetch_one(
        "wallets.record_security_event",
        kind=kind.value,
        realm=origin.realm,
        user=user.pk if user else None,
        actor=actor_id,
        name_hash=name_hash,
        address=origin.address,
        network=origin.network,
        details=json.dumps(dict(details), default=str),
        most=settings.SECURITY_LOG.most_per_minute if kind in _CAPPED else None,
    )
    count_security_event_after_commit(kind=kind.value, realm=origin.realm)
    if row is not None:
        line: dict[str, object] = {
            "kind": kind.value,
            "realm": origin.realm,
            "address": origin.address,
            "user_id": user.pk if user else None,
            "username": user.get_username() if user else None,
            "name_hash": name_hash or None,
            "actor_id": actor_id,
            "details": dict(details) or None,
        }
        transaction.on_commit(lambda: _write_line(kind, line))


def record_staff_sign_in(*, user: User) -> None:
    """Record that a member of staff signed in to the admin, and say so if they never did from this network."""
    earlier = SecurityEvent.objects.filter(
        user=user, kind=SecurityEventKind.SIGNED_IN, realm=SecurityRealm.ADMIN, network=current_origin().network
    )
    if not earlier.exists():
        record_event(SecurityEventKind.STAFF_AT_NEW_ADDRESS, user=user)
    record_event(SecurityEventKind.SIGNED_IN, user=user)


def record_failed_sign_in(*, name: str) -> None:
    """Record an attempt to sign in as `name` that failed, whatever the reason."""
    try:
        user = User.objects.get_by_natural_key(name)
    except User.DoesNotExist:
        user = None
    record_event(SecurityEventKind.SIGN_IN_FAILED, user=user, name=name)


def read_powers(user: User) -> dict[str, object]:
    """Return whether the user is active and what else they may do, as `record_power_changes` compares it."""
    return {
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "permissions": list_permissions(user),
    }


def list_permissions(holder: User | Group) -> list[str]:
    """Return the permissions of a user or a group, such as `wallets.freeze_user`."""
    held = holder.user_permissions if isinstance(holder, User) else holder.permissions
    return sorted(f"{app}.{name}" for app, name in held.values_list("content_type__app_label", "codename"))


def record_power_changes(*, user: User, before: Mapping[str, object]) -> None:
    """Compare the powers of a user with those `before` a change, and record what differs, old and new."""
    after = read_powers(user)
    changed = {name: {"old": before[name], "new": value} for name, value in after.items() if before[name] != value}
    if changed.pop("is_active", None) is not None:
        record_event(SecurityEventKind.ENABLED if user.is_active else SecurityEventKind.DISABLED, user=user)
    if changed:
        record_event(SecurityEventKind.PERMISSIONS_CHANGED, user=user, details=changed)


def find_last_event(user: User, *kinds: SecurityEventKind) -> int | None:
    """Return the id of the last event of these kinds about a user, if there is one."""
    return SecurityEvent.objects.filter(user=user, kind__in=kinds).order_by("-id").values_list("id", flat=True).first()


def hash_name(name: str) -> str:
    """Return the keyed hash of a username that no account has. The log never holds what was typed."""
    key = hashlib.sha256(b"security log:" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def prune_security_events(*, before: datetime) -> int:
    """Delete the entries from before `before`, and return their number. The database keeps 30 days in any case.

    Each piece is a statement of its own, because all of a year's entries in one would exceed the statement timeout.
    """
    old = SecurityEvent.objects.filter(at__lt=before).order_by("at").values("id")
    deleted = 0
    while piece := SecurityEvent.objects.filter(id__in=old[:_PRUNED_AT_ONCE]).delete()[0]:
        deleted += piece
    return deleted


def _write_line(kind: SecurityEventKind, line: dict[str, object]) -> None:
    level = logging.WARNING if kind in _WARNINGS else logging.INFO
    logger.log(level, "%s", kind.value, extra={name: value for name, value in line.items() if value is not None})
