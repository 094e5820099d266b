"""Retries database transactions that Postgres aborted over a conflict."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from wallets.exceptions import Busy

P = ParamSpec("P")
R = TypeVar("R")

# PostgreSQL, Appendix A: serialization_failure, deadlock_detected, lock_not_available.
_PASSING = frozenset({"40001", "40P01", "55P03"})
_TRIES = 3


def retried_on_conflict(transact: Callable[P, R]) -> Callable[P, R]:
    """Run `transact`, a whole database transaction, up to three times while conflicts abort it.

    Raises Busy after the third try. Place this decorator above `transaction.atomic(durable=True)`.
    """

    @wraps(transact)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES - 1):
            try:
                return transact(*args, **kwargs)
            except Exception as error:
                if not is_conflict(error):
                    raise
        try:
            return transact(*args, **kwargs)
        except Exception as error:
            if is_conflict(error):
                raise Busy from error
            raise

    return attempt


def is_conflict(error: BaseException | None) -> bool:
    """Say whether a conflict in the database caused `error`, so that another try may succeed."""
    while error is not None:
        if getattr(error, "sqlstate", None) in _PASSING:
            return True
        error = error.__cause__
    return False
