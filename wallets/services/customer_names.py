"""The kind of proposals about a customer's name, with which the payers of bank statements are compared."""

from collections.abc import Mapping
from typing import Any, Final

from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.selectors.accounts import is_closed
from wallets.selectors.sealed import open_text
from wallets.services.pins import ensure_pinned
from wallets.services.proposals import Kind, Payload, count_done
from wallets.services.sealing import seal_text

NAMES: Final = ("first_name", "last_name")


class CustomerNameKind(Kind):
    """A name, or another one. It decides which payments are the customer's own, and so what is credited and taken back.

    The record keeps the names sealed, so that erasing the customer makes them unreadable.
    """

    name = "customer_name"
    title = "Name of a customer"
    permissions = ("wallets.change_user",)
    of_powers = True

    def payload_of(self, *, user: User, new: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the payload that gives a user the names `new`, which has all NAMES; None without a change."""
        old = read_names(user)
        if old == new:
            return None
        wanted = {name: _seal(new[name], user=user) for name in NAMES}
        told = {**wanted, **{f"old_{name}": _seal(old[name], user=user) for name in NAMES}}
        return {"user": user.pk, **told, **self._pins(user)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        user = _lock(payload)
        if read_names(user) != {name: open_text(text=payload[f"old_{name}"]) for name in NAMES}:
            raise ProposalRefused(f"{user} has another name by now. Look at it, and ask again.")
        ensure_pinned(payload, self._pins(user), about=f"the name of {user}")
        if (user.is_staff or user.is_superuser) and not asked_by.is_superuser:
            raise ProposalRefused("Only superusers change staff.")
        if is_closed(customer_id=user.pk):
            raise ProposalRefused("The account is closed for good.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        user = _lock(payload)
        for name in NAMES:
            setattr(user, name, open_text(text=payload[name]))
        user.save(update_fields=NAMES)
        return f"{user} has another name." if any(read_names(user).values()) else f"{user} has no name any more."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        user = User.objects.get(pk=payload["user"])
        old, new = (any(payload[f"{which}{name}"] for name in NAMES) for which in ("old_", ""))
        return (
            f"{user}: {'a name' if old else 'no name'}",
            f"{user}: {'another name' if old else 'a name'}" if new else f"{user}: no name",
        )

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        user_id: int = payload["user"]
        return user_id

    def _pins(self, user: User) -> dict[str, Any]:
        return {"done": count_done(kind=self.name, user=user.pk)}


def read_names(user: User) -> dict[str, str]:
    """Return the names of a user."""
    return {name: getattr(user, name) for name in NAMES}


def _seal(name: str, *, user: User) -> str:
    """Return a name as the record keeps it. An empty one stays empty."""
    return seal_text(text=name, customer_id=user.pk) if name else ""


def _lock(payload: Payload) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=payload["user"])


CUSTOMER_NAME: Final = CustomerNameKind()
