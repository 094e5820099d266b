"""The rows of the to-do page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

MAX_PER_KIND: Final = 200


class ConcernKind(Enum):
    """Why a row is on the to-do page; the most urgent reason first."""

    BREAK_GLASS = "break_glass"
    DATABASE = "database"
    PARKED = "parked"
    UNKNOWN = "unknown"
    FINDING = "finding"
    OPENING = "opening"
    SETTLING = "settling"
    WAITING = "waiting"
    PENDING = "pending"
    POOL = "pool"
    FLOAT = "float"
    VENUE = "venue"
    HEADROOM = "headroom"
    LOSS = "loss"
    PAUSE = "pause"
    SUSPENDED = "suspended"
    JUMP = "jump"
    FAILING = "failing"
    INTERVENTION = "intervention"
    STATEMENT = "statement"
    UNASSIGNED = "unassigned"
    PAYOUT_REQUEST = "payout_request"
    PAYOUT_EXPORT = "payout_export"
    PAYOUT_ANSWER = "payout_answer"
    PAYOUT_LINE = "payout_line"
    DEBIT = "debit"
    RETURN = "return"
    DEBT = "debt"
    HELD = "held"
    PROPOSAL = "proposal"
    JOB = "job"
    NAME = "name"
    STAFF_WALLET = "staff_wallet"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The record that a row links to: `model` (app_model) and its key `pk`, or `filters` for a list of records."""

    model: str
    pk: object = None
    filters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Concern:
    """One row of the page. It stands for `count` orders or records; the oldest has waited since `since`.

    Without a `target` the row links to nothing.
    """

    kind: ConcernKind
    subject: str
    since: datetime
    reason: str
    target: Target | None
    count: int = 1
