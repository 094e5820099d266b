"""What the forms of users and groups say about powers, which are proposed and not saved."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.auth.models import Group, Permission

from wallets.models import User
from wallets.services.customer_names import NAMES, read_names
from wallets.services.security_log import list_permissions, read_powers

_FLAGS = ("is_active", "is_staff", "is_superuser")


def reason_field() -> forms.CharField:
    """Return the field for the reason of a change of powers."""
    return forms.CharField(
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text="Another person reads it before they approve.",
    )


NEEDS_REASON = "Say why the powers change."
NEEDS_REASON_FOR_NAME = "Say why the name changes."


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]  # of groups
    """Changes a group."""

    reason = reason_field()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        wanted = sorted(name_of(each) for each in cleaned.get("permissions", ()))
        held = list_permissions(self.instance) if self.instance.pk else []
        if wanted != held and not cleaned.get("reason", "").strip():
            self.add_error("reason", NEEDS_REASON)
        return cleaned

    class Meta:
        model = Group
        fields = ("name", "permissions")


def name_of(permission: Permission) -> str:
    """Return the name of a permission, such as `wallets.freeze_user`."""
    return f"{permission.content_type.app_label}.{permission.codename}"


def wanted_powers(user: User, cleaned: dict[str, Any]) -> dict[str, object]:
    """Return the powers that a form asks for, as `read_powers` names them. Those that it does not show stay."""
    powers = read_powers(user)
    powers |= {flag: cleaned[flag] for flag in _FLAGS if flag in cleaned}
    if "groups" in cleaned:
        powers["groups"] = sorted(group.name for group in cleaned["groups"])
    if "user_permissions" in cleaned:
        powers["permissions"] = sorted(name_of(permission) for permission in cleaned["user_permissions"])
    return powers


def columns_to_save(changed: Iterable[str]) -> list[str]:
    """Return the columns of a user that a form has changed. Powers and names are not: they are proposed."""
    columns = [name for name in ("username", "email") if name in changed]
    return [*columns, "username_key", "username_skeleton"] if "username" in columns else columns


def wanted_names(user: User, cleaned: dict[str, Any]) -> dict[str, str]:
    """Return the names that a form asks for. Those that it does not show stay."""
    return {name: cleaned.get(name, held) for name, held in read_names(user).items()}


def keep_powers(user: User, *, stored: User, cleaned: dict[str, Any]) -> None:
    """Let a form save a user with the powers and names that are stored."""
    for name in (*_FLAGS, *NAMES):
        setattr(user, name, getattr(stored, name))
    for name, held in (("groups", stored.groups), ("user_permissions", stored.user_permissions)):
        if name in cleaned:
            cleaned[name] = held.all()
