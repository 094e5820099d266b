"""Lets requests that wait at the same time share a database transaction: a group commit, with a leader and followers.

Nobody waits for others to come. A thread that finds nobody at work leads at once, perhaps with its own request alone.
Requests that arrive while it works form the next group, and the first of them leads it. So groups grow with the load.
A group is one process's: nothing outside of it knows of groups.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")


class GroupFailed(Exception):
    """Nothing of a group was done, as far as its cause says. The cause is what was raised in the leader's thread."""


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

    def submit(self, request: Request) -> Result:
        """Return the answer to a request. Raises GroupFailed if `carry_out` raised anything for its group."""
        member = _Member[Request, Result](request)
        self._enter(member)
        if not member.leads:
            member.turn.acquire()
        if member.leads:
            self._lead(member)
        if member.failure is not None:
            raise GroupFailed from member.failure
        assert member.answer is not None, "a group is answered as a whole"
        return member.answer

    def _enter(self, member: _Member[Request, Result]) -> None:
        """Put a member into the queue, unless it can lead at once. While somebody is in the queue, somebody works."""
        with self._lock:
            member.leads = not self._is_at_work
            if member.leads:
                self._is_at_work = True
            else:
                member.turn.acquire()  # it is free: its release is what the member's thread waits for
                self._waiting.append(member)

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
                following.turn.release()
            else:
                self._is_at_work = False
