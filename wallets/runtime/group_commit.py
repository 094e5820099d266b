"""Lets requests that wait at the same time share a database transaction: a group commit, with a leader and followers.

Nobody waits for others to come. A thread that finds nobody at work leads at once, perhaps with its own request alone.
Requests that arrive while it works form the next group, and the first of them leads it. So groups grow with the load.
A group is one process's: nothing outside of it knows of groups.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Key = TypeVar("Key")
Request = TypeVar("Request")
Result = TypeVar("Result")


class GroupFailed(Exception):
    """Nothing of a group was done, as far as its cause says. The cause is what was raised in the leader's thread."""


class TurnTooLate(Exception):
    """A request has waited for its group to begin for as long as it may. Nothing of it was done."""


@dataclass(eq=False, slots=True)
class _Member(Generic[Request, Result]):
    """A request and its answer. Its thread waits for `turn`: for its answer, or to lead."""

    request: Request
    turn: Lock = field(default_factory=Lock)
    leads: bool = False
    answer: Result | None = None
    failure: BaseException | None = None


class GroupCommit(Generic[Request, Result]):
    """Carries out requests in groups of at most `most`, one group at a time.

    `carry_out` answers a group: an answer for each request, in the group's order.
    """

    def __init__(self, carry_out: Callable[[Sequence[Request]], Sequence[Result]], *, most: int) -> None:
        self._carry_out = carry_out
        self._most = most
        self._lock = Lock()
        self._waiting: deque[_Member[Request, Result]] = deque()
        self._is_at_work = False
        self._begun_at = 0.0

    def submit(self, request: Request, *, patience: timedelta | None = None) -> Result:
        """Return the answer to a request. Raises GroupFailed if `carry_out` raised anything for its group.

        Raises TurnTooLate if its group does not begin within `patience`, and at once if the group at work has taken
        longer already; by default it waits as long as it takes.
        """
        member = _Member[Request, Result](request)
        self._enter(member, patience=patience)
        if not member.leads:
            self._wait(member, patience=patience)
        if member.leads:
            self._lead(member)
        if member.failure is not None:
            raise GroupFailed from member.failure
        assert member.answer is not None, "a group is answered as a whole"
        return member.answer

    def _enter(self, member: _Member[Request, Result], *, patience: timedelta | None) -> None:
        """Put a member into the queue, unless it can lead at once. While somebody is in the queue, somebody works."""
        with self._lock:
            member.leads = not self._is_at_work
            if member.leads:
                self._is_at_work, self._begun_at = True, monotonic()
            elif patience is not None and monotonic() - self._begun_at > patience.total_seconds():
                raise TurnTooLate  # those who wait when such a group ends would be stuck in the next one
            else:
                member.turn.acquire()  # it is free: its release is what the member's thread waits for
                self._waiting.append(member)

    def _wait(self, member: _Member[Request, Result], *, patience: timedelta | None) -> None:
        if member.turn.acquire(timeout=-1 if patience is None else patience.total_seconds()):
            return
        if self._withdraw(member):
            raise TurnTooLate
        member.turn.acquire()

    def _withdraw(self, member: _Member[Request, Result]) -> bool:
        """Take a member out of the queue, and say whether it was there: else its turn has come."""
        with self._lock:
            was_waiting = member in self._waiting
            if was_waiting:
                self._waiting.remove(member)
            return was_waiting

    def _lead(self, member: _Member[Request, Result]) -> None:
        """Carry out the member's request and those that wait. Then let the next one lead."""
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most - 1))]
        try:
            self._answer([member, *others])
        finally:
            self._hand_over()
            for other in others:
                other.turn.release()

    def _answer(self, group: Sequence[_Member[Request, Result]]) -> None:
        try:
            answers = self._carry_out([member.request for member in group])
            for member, answer in zip(group, answers, strict=True):
                member.answer = answer
        except BaseException as error:
            for member in group:
                member.failure = error
            if not isinstance(error, Exception):  # the leader's thread is to end
                raise

    def _hand_over(self) -> None:
        """Let the member lead that has waited longest."""
        with self._lock:
            if self._waiting:
                following = self._waiting.popleft()
                following.leads = True
                self._begun_at = monotonic()
                following.turn.release()
            else:
                self._is_at_work = False


class GroupCommitByKey(Generic[Key, Request, Result]):
    """Carries out the requests of each key in groups of their own, which wait for no request of another key.

    A key is remembered while requests of it are under way. If there are more than `crowd` of them, further ones wait
    for their group to begin no longer than `patience`: so one key does not keep all threads waiting.
    """

    def __init__(
        self,
        carry_out: Callable[[Sequence[Request]], Sequence[Result]],
        *,
        most: int,
        crowd: int,
        patience: timedelta,
    ) -> None:
        self._make = partial(GroupCommit[Request, Result], carry_out, most=most)
        self._crowd, self._patience = crowd, patience
        self._lock = Lock()
        self._groups: dict[Key, GroupCommit[Request, Result]] = {}
        self._under_way = Counter[Key]()

    def has(self, key: Key) -> bool:
        """Say whether requests of a key are under way. A hint: it may be wrong as soon as it is read."""
        return key in self._groups

    def submit(self, key: Key, request: Request, *, patience: timedelta) -> Result:
        """Return the answer to a request. Raises GroupFailed if `carry_out` raised anything for its group.

        Raises TurnTooLate if its group does not begin within `patience`, and at once if the group at work has taken
        longer already; of a crowded key, within the shorter `patience` of this object.
        """
        group, is_crowded = self._enter(key)
        try:
            return group.submit(request, patience=min(self._patience, patience) if is_crowded else patience)
        finally:
            self._leave(key)

    def _enter(self, key: Key) -> tuple[GroupCommit[Request, Result], bool]:
        with self._lock:
            self._under_way[key] += 1
            if key not in self._groups:
                self._groups[key] = self._make()
            return self._groups[key], self._under_way[key] > self._crowd

    def _leave(self, key: Key) -> None:
        with self._lock:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key], self._groups[key]
