"""The rows of the to-do page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

MAX_PER_KIND: Final = 200


class ConcernKind(Enum):
    """The reasons for which a row is on the page, the most pressing first."""

    PARKED = "parked"
    UNKNOWN = "unknown"
    FINDING = "finding"
    SETTLING = "settling"
    PENDING = "pending"
    POOL = "pool"
    PAUSE = "pause"
    SUSPENDED = "suspended"
    INTERVENTION = "intervention"
    HELD = "held"
    JOB = "job"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The record that a row is about: `model` as app_model, and its key; or the filters of a list of them."""

    model: str
    pk: object = None
    filters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Concern:
    """One row. `count` orders or records are in it, the oldest since `since`."""

    kind: ConcernKind
    subject: str
    since: datetime
    reason: str
    target: Target
    count: int = 1
