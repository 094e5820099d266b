"""The caller, whether their account is active or closed, and users whose names are not clear."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Q

from wallets.exceptions import TokenInvalid
from wallets.models import ClosedAccount, SecondFactor, User
from wallets.runtime import sql
from wallets.runtime.log_context import add_to_log_context
from wallets.usernames import key_of, skeleton_of


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The customer named in a valid access token. The account may be disabled or frozen by now.

    A token names the customer by `subject`, and `user_id` is None until the account was read. The house acts without a
    token, for the customer `user_id`. `family_id` is the sign-in that the token comes from; None for the house.
    Principals of one customer that come from tokens are equal, whatever their sign-in.
    """

    user_id: int | None = None
    subject: uuid.UUID | None = None
    token_version: int
    family_id: uuid.UUID | None = field(default=None, compare=False)


def ensure_active(*, principal: Principal) -> Principal:
    """Return the principal with the account's `user_id`. One query.

    Raises TokenInvalid for an unknown or disabled account, a revoked token or an ended sign-in.
    """
    found = sql.fetch_one(
        "wallets.active_account",
        customer=principal.user_id,
        subject=principal.subject,
        token_version=principal.token_version,
        family=principal.family_id,
    )
    if found is None:
        raise TokenInvalid
    add_to_log_context(customer_id=found[0])
    return replace(principal, user_id=found[0])


def get_account(*, principal: Principal) -> User:
    """Return the caller's account. Call it with a principal whose account was found active."""
    assert principal.user_id is not None, "the account was read"
    return User.objects.get(pk=principal.user_id)


def has_second_factor(*, user_id: int) -> bool:
    """Say whether a code is asked for when the user signs in. One query."""
    return SecondFactor.objects.filter(user_id=user_id, confirmed_at__isnull=False).exists()


@dataclass(frozen=True, kw_only=True)
class UnclearName:
    """An active user whose name another user has too, or could be mistaken for, and that user's name."""

    user_id: int
    username: str
    joined_at: datetime
    other: str | None
    is_same: bool


def is_closed(*, customer_id: int) -> bool:
    """Say whether a customer's account is closed, so that no dollars go to it."""
    return ClosedAccount.objects.filter(pk=customer_id).exists()


def list_unclear_names(*, most: int) -> list[UnclearName]:
    """List active users whose name was taken in another spelling before that was refused; the oldest first."""
    unclear = User.objects.filter(Q(username_key=None) | Q(username_skeleton=None), is_active=True)
    users = list(unclear.order_by("pk")[:most])
    if not users:
        return []
    keys, skeletons = [key_of(user.username) for user in users], [skeleton_of(user.username) for user in users]
    by_key = dict(User.objects.filter(username_key__in=keys).values_list("username_key", "username"))
    same_skeleton = User.objects.filter(username_skeleton__in=skeletons)
    by_skeleton = dict(same_skeleton.values_list("username_skeleton", "username"))
    return [
        UnclearName(
            user_id=user.pk,
            username=user.username,
            joined_at=user.date_joined,
            other=by_skeleton.get(skeleton) if user.username_key else by_key.get(key),
            is_same=not user.username_key,
        )
        for user, key, skeleton in zip(users, keys, skeletons, strict=True)
    ]


def has_proven_address(*, customer_id: int) -> bool:
    """Say whether a user has proven to read an e-mail address."""
    return User.objects.filter(pk=customer_id).exclude(verified_email="").exists()
