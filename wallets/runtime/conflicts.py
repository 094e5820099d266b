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
    """Run `transact`, a whole transaction, up to three times while locks or deadlocks defeat it.

    Raises Busy after the last try. To be written outside of `transaction.atomic(durable=True)`.
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
    """Say whether the database error behind `error` passes by itself."""
    while error is not None:
        if getattr(error, "sqlstate", None) in _PASSING:
            return True
        error = error.__cause__
    return False
