"""The form of what a page about a code says."""

from dataclasses import dataclass
from enum import Enum


class Repeat(Enum):
    """Whether it helps to send the same request again."""

    NEVER = "No. The same request would be refused again: change it first."
    AFTER_CAUSE = "Yes, unchanged, when the cause is gone. Until then it would be refused again."
    LATER = "Yes, unchanged, after the seconds in Retry-After, if the answer has it. Wait longer each time."


class Effect(Enum):
    """Whether the request may have had an effect."""

    NONE = "Nothing. The request was refused as a whole."
    UNKNOWN = (
        "Nobody knows. A request with an Idempotency-Key is safe to send again under the same key: it has its effect"
        " once. Without a key, read first what has happened."
    )


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the page about a code says. `advice` is a list of steps, in the order to try them."""

    meaning: str
    advice: tuple[str, ...]
    repeat: Repeat
    effect: Effect = Effect.NONE
