"""Computes the keys and skeletons of users whom the previous release added or renamed.

Of users who share a text, one gets it: the user whose name is written like the text, else the one who had it first. The
others keep their names, and null. Users are computed in small database transactions, so that nobody waits for long.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from wallets.models import User
from wallets.runtime import sql
from wallets.usernames import key_of, skeleton_of

_AT_ONCE: Final = 500
_TRIES: Final = 5


class _Name(NamedTuple):
    user_id: int
    username: str
    key: str | None
    skeleton: str | None


def settle_unclear_names() -> int:
    """Give users without a key or skeleton theirs, as far as those are free by now. Return how many users changed."""
    return settle_names(users=User.objects.filter(Q(username_key=None) | Q(username_skeleton=None)))


def settle_names(*, users: QuerySet[User]) -> int:
    """Correct the key and the skeleton of each of the users. Return how many users changed.

    `users` may be of a migration's model. The call can be stopped at any time and made again.
    """
    changed, last = 0, 0
    fields = ("pk", "username", "username_key", "username_skeleton")
    while chunk := [_Name(*row) for row in users.filter(pk__gt=last).order_by("pk").values_list(*fields)[:_AT_ONCE]]:
        changed += _settle(chunk, users.model._base_manager.all())  # noqa: SLF001  documented, and a migration's too
        last = chunk[-1].user_id
    return changed


def _settle(chunk: list[_Name], everybody: QuerySet[User]) -> int:
    """Store what has changed in one statement. Compute it again if somebody took one of the texts meanwhile."""
    for attempt in range(_TRIES):
        keys = _choose(chunk, [name.key for name in chunk], key_of, "username_key", everybody)
        skeletons = _choose(chunk, [name.skeleton for name in chunk], skeleton_of, "username_skeleton", everybody)
        changed = [
            _Name(name.user_id, name.username, key, skeleton)
            for name, key, skeleton in zip(chunk, keys, skeletons, strict=True)
            if (key, skeleton) != (name.key, name.skeleton)
        ]
        try:
            return _store(changed) if changed else 0
        except IntegrityError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _choose(
    chunk: list[_Name],
    stored: list[str | None],
    compute: Callable[[str], str | None],
    field: str,
    everybody: QuerySet[User],
) -> list[str | None]:
    """Return the text that each user of the chunk is to have: their own, or null where it is somebody else's."""
    texts = [compute(name.username) for name in chunk]
    wanted = {text for text, before in zip(texts, stored, strict=True) if text is not None and text != before}
    taken = set(everybody.filter(**{f"{field}__in": wanted}).values_list(field, flat=True))
    written = everybody.filter(username__in=wanted).values_list("username", flat=True)
    named = {username for username in written if compute(username) == username}
    chosen: list[str | None] = []
    for name, text, before in zip(chunk, texts, stored, strict=True):
        is_free = text not in taken and (text not in named or name.username == text)
        own = text if text == before or is_free else None
        chosen.append(own)
        taken.add(own)
    return chosen


@transaction.atomic
def _store(names: list[_Name]) -> int:
    columns = [list(column) for column in zip(*names, strict=True)]
    return sql.execute("wallets.settle_names", **dict(zip(("ids", "names", "keys", "skeletons"), columns, strict=True)))
