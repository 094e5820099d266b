"""Kinds of proposals about powers: those of a user, and the permissions of a group."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

from wallets.exceptions import ProposalRefused
from wallets.models import ClosedAccount, SecurityEventKind, User, Wallet
from wallets.money import USD
from wallets.runtime import clock
from wallets.services.accounts import open_dollar_wallet
from wallets.services.proposals import Kind, Payload, count_done
from wallets.services.security_log import (
    find_last_event,
    list_permissions,
    read_powers,
    record_event,
    record_power_changes,
)
from wallets.services.staff import ensure_fit_for_staff
from wallets.services.tokens import end_sign_ins

_FLAGS = ("is_active", "is_staff", "is_superuser")
_LISTS = ("groups", "permissions")
_CHANGES = (SecurityEventKind.ENABLED, SecurityEventKind.DISABLED, SecurityEventKind.PERMISSIONS_CHANGED)


class UserPowersKind(Kind):
    """More or fewer powers of a user. To take some away needs one person only.

    Only superusers do more than to disable or enable a customer, and only superusers approve.
    """

    name = "powers"
    title = "Powers of a user"
    permissions = ("wallets.change_user",)
    of_powers = True

    def payload_of(self, *, user: User, new: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the payload that gives a user the powers `new`, as `read_powers` names them; None without a change.

        It holds the groups of `new` as they are now, because a name alone may mean another group at the approval.
        """
        old = read_powers(user)
        if old == new:
            return None
        groups = [_read_group(group) for group in Group.objects.filter(name__in=new["groups"]).order_by("pk")]
        return {
            "user": user.pk,
            "old": old,
            "new": dict(new),
            "groups": groups,
            "last": find_last_event(user, *_CHANGES),
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        user = _lock_user(payload)
        old, new = payload["old"], payload["new"]
        if read_powers(user) != old or find_last_event(user, *_CHANGES) != payload.get("last"):
            raise ProposalRefused(f"{user} has other powers by now. Look at them, and ask again.")
        _lock_groups(payload)
        is_of_staff = any(powers["is_staff"] or powers["is_superuser"] for powers in (old, new))
        changed = {name for name in new if new[name] != old[name]}
        if (is_of_staff or changed != {"is_active"}) and not asked_by.is_superuser:
            raise ProposalRefused("Only superusers give or take powers of staff.")
        if any(new[flag] and not old[flag] for flag in ("is_staff", "is_superuser")):
            ensure_fit_for_staff(user=user)
        if ClosedAccount.objects.filter(pk=user.pk).exists():
            raise ProposalRefused("The account is closed for good.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        _ensure_superuser(approved_by)
        user, new = _lock_user(payload), payload["new"]
        before = read_powers(user)
        for flag in _FLAGS:
            setattr(user, flag, new[flag])
        user.save(update_fields=_FLAGS)
        _give_wallet_back(user)
        if not user.is_active:
            end_sign_ins(user_id=user.pk, now=clock.now())
        user.groups.set(_lock_groups(payload))
        user.user_permissions.set(find_permissions(new["permissions"]))
        record_power_changes(user=user, before=before)
        return f"{user}: {_in_words(payload['old'], new)}"

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        user = User.objects.get(pk=payload["user"])
        old, new = payload["old"], payload["new"]
        return f"{user}: {_in_words(new, old)}", f"{user}: {_in_words(old, new)}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        user_id: int = payload["user"]
        return user_id if self.adds_exposure(payload=payload) else None

    def adds_exposure(self, *, payload: Payload) -> bool:
        old, new = payload["old"], payload["new"]
        gains = any(new[flag] and not old[flag] for flag in _FLAGS)
        return gains or any(set(new[name]) - set(old[name]) for name in _LISTS)


class GroupPermissionsKind(Kind):
    """More or fewer permissions of a group, and so of its members. To take some away needs one person only."""

    name = "group_permissions"
    title = "Permissions of a group"
    permissions = ("auth.change_group", "auth.add_group")
    of_powers = True

    def payload_of(self, *, group: Group, new: Iterable[str]) -> dict[str, Any] | None:
        """Return the payload that gives a group the permissions `new`, or None without a change."""
        old, wanted = list_permissions(group), sorted(new)
        if old == wanted:
            return None
        return {"group": group.pk, **self._pins(group), "old": old, "new": wanted}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if not asked_by.is_superuser:
            raise ProposalRefused("Only superusers change the permissions of groups.")
        group = _lock_group(payload)
        if list_permissions(group) != payload["old"]:
            raise ProposalRefused(f"{group} has other permissions by now. Look at them, and ask again.")
        pins = self._pins(group)
        if pins != {name: payload.get(name) for name in pins}:
            raise ProposalRefused(f"{group} has another name or other members by now. Look at it, and ask again.")

    def _pins(self, group: Group) -> dict[str, Any]:
        """Return what else has to be as it was when somebody asked."""
        return {
            "name": group.name,
            "members": _list_members(group),
            "done": count_done(kind=self.name, group=group.pk),
        }

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        _ensure_superuser(approved_by)
        group = _lock_group(payload)
        group.permissions.set(find_permissions(payload["new"]))
        details = {"group": group.name, "old": payload["old"], "new": payload["new"]}
        record_event(SecurityEventKind.PERMISSIONS_CHANGED, details=details)
        return f"{group}: {_changes(payload['old'], payload['new'])}"

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        group = _lock_group(payload)
        old, new = payload["old"], payload["new"]
        return f"{group}: {_changes(new, old)}", f"{group}: {_changes(old, new)}"

    def adds_exposure(self, *, payload: Payload) -> bool:
        return bool(set(payload["new"]) - set(payload["old"]))


class GroupDeletionKind(Kind):
    """The deletion of a group, whose members lose its permissions."""

    name = "group_deletion"
    title = "Deletion of a group"
    permissions = ("auth.delete_group",)
    only_lessens = True

    def payload_of(self, *, group: Group) -> dict[str, Any]:
        """Return the payload for deleting a group, with what is gone then."""
        return {"group": group.pk, "old": list_permissions(group), "members": _list_members(group)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if not asked_by.is_superuser:
            raise ProposalRefused("Only superusers delete groups.")
        _lock_group(payload)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        group = _lock_group(payload)
        details = {"group": group.name, "old": list_permissions(group), "new": []}
        group.delete()
        record_event(SecurityEventKind.PERMISSIONS_CHANGED, details=details)
        return f"{details['group']} is deleted."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        group, members = _lock_group(payload), len(payload["members"])
        return f"{group}, of {members} members: {_changes([], payload['old'])}", f"{group}: deleted"


def _ensure_superuser(approver: User | None) -> None:
    if approver is not None and not approver.is_superuser:
        raise ProposalRefused("Only superusers approve powers.")


def find_permissions(names: Iterable[str]) -> QuerySet[Permission]:
    """Return the permissions of these names, such as `wallets.freeze_user`. Unknown ones are left out."""
    wanted = {tuple(name.split(".", 1)) for name in names}
    every = Permission.objects.values_list("pk", "content_type__app_label", "codename")
    return Permission.objects.filter(pk__in=[pk for pk, app, codename in every if (app, codename) in wanted])


def _lock_user(payload: Payload) -> User:
    """Lock the user, after the wallets: an empty one is removed when the user becomes staff."""
    list(Wallet.objects.select_for_update(no_key=True).filter(owner_id=payload["user"]).order_by("id"))
    return User.objects.select_for_update(no_key=True).get(pk=payload["user"])


def _give_wallet_back(user: User) -> None:
    """Open the dollar wallet of somebody who is not staff any more: becoming staff took it."""
    is_of_staff = user.is_staff or user.is_superuser
    if not is_of_staff and not Wallet.objects.filter(owner=user, asset=USD).exists():
        open_dollar_wallet(owner=user)


def _lock_groups(payload: Payload) -> list[Group]:
    """Lock the groups that a user is to have, and return them. Raises ProposalRefused if one is not as it was."""
    told = payload.get("groups", [])
    groups = list(
        Group.objects.select_for_update(no_key=True).filter(pk__in=[each["id"] for each in told]).order_by("pk")
    )
    named = sorted(group.name for group in groups)
    if [_read_group(group) for group in groups] != told or named != sorted(payload["new"]["groups"]):
        raise ProposalRefused("A group has another name or other permissions by now. Look at it, and ask again.")
    return groups


def _read_group(group: Group) -> dict[str, Any]:
    return {"id": group.pk, "name": group.name, "permissions": list_permissions(group)}


def _list_members(group: Group) -> list[int]:
    return sorted(User.objects.filter(groups=group).values_list("pk", flat=True))


def _lock_group(payload: Payload) -> Group:
    group = Group.objects.select_for_update(no_key=True).filter(pk=payload["group"]).first()
    if group is None:
        raise ProposalRefused("There is no such group.")
    return group


def _in_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the powers of `new` that differ from `old`: `staff yes, groups + manager`."""
    flags = [f"{flag[3:]} {'yes' if new[flag] else 'no'}" for flag in _FLAGS if new[flag] != old[flag]]
    lists = [f"{name} {_changes(old[name], new[name])}" for name in _LISTS if new[name] != old[name]]
    return ", ".join([*flags, *lists])


def _changes(old: Iterable[str], new: Iterable[str]) -> str:
    added = [f"+ {name}" for name in new if name not in set(old)]
    return ", ".join([*added, *(f"\N{MINUS SIGN} {name}" for name in old if name not in set(new))])
