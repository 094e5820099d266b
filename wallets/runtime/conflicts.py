"""Retries database transactions that Postgres aborted over a conflict, or whose connection was lost."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from wallets.exceptions import Busy
from wallets.runtime.idempotency import IdempotencyKey
from wallets.runtime.lost_connections import is_lost, may_be_committed, was_silent

P = ParamSpec("P")
R = TypeVar("R")

# PostgreSQL, Appendix A: serialization_failure, deadlock_detected, lock_not_available.
_PASSING = frozenset({"40001", "40P01", "55P03"})
_TRIES = 3


def retried_on_conflict(transact: Callable[P, R]) -> Callable[P, R]:
    """Run `transact`, a whole database transaction, up to three times while conflicts abort it.

    Run it once more if its connection was lost before COMMIT. If the connection was lost during COMMIT, the
    transaction may have been committed: then it runs again only if the call has an idempotency key, which finds what
    the first run wrote.

    Raises Busy after the third conflict, CommitUnknown, and the error of the second lost connection. Place this
    decorator above `transaction.atomic(durable=True)`.
    """

    @wraps(transact)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        conflicts, losses = 0, 0
        while True:
            try:
                return transact(*args, **kwargs)
            except Exception as error:
                if is_conflict(error):
                    conflicts += 1
                    if conflicts == _TRIES:
                        raise Busy from error
                elif losses == 0 and is_lost(error) and may_run_again(error, has_key=_has_key(kwargs)):
                    losses += 1
                else:
                    raise

    return attempt


def is_conflict(error: BaseException | None) -> bool:
    """Say whether a conflict in the database caused `error`, so that another try may succeed."""
    while error is not None:
        if getattr(error, "sqlstate", None) in _PASSING:
            return True
        error = error.__cause__
    return False


def may_run_again(error: BaseException | None, *, has_key: bool) -> bool:
    """Say whether a database transaction that raised `error`, before or during its COMMIT, may run once more.

    It may if it was not committed, or if an idempotency key finds what it wrote; not if the caller has waited for long
    already.
    """
    return not was_silent(error) and (has_key or not may_be_committed(error))


def _has_key(arguments: dict[str, Any]) -> bool:
    """Say whether an argument is an idempotency key or a request with one."""
    return any(isinstance(getattr(value, "key", value), IdempotencyKey) for value in arguments.values())
