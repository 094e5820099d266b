"""Rules that make the venue misbehave: on an occasion of those below, or on any request where a rule names none.

Time and symbols are no occasion of their own: only such a rule strikes them.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

OCCASIONS: Final = frozenset({"place", "query", "ticker"})
ACTIONS: Final = frozenset(
    {
        "reject",
        "rate_limit",
        "drop",
        "accept_then_drop",
        "accept_then_hang",
        "accept_then_500",  # a 502, as the proxy before a venue in trouble sends it
        "garbage",
        "delay",
        "partial",
        "not_found",
        "down",
    }
)


@dataclass(kw_only=True)
class Fault:
    """One rule: on which occasion, for which symbol, what, how often and for how long (seconds)."""

    action: str
    on: str | None = None
    symbol: str | None = None
    times: int | None = None
    seconds: float | None = None
    wait: float | None = None
    fraction: Decimal = Decimal("0.5")
    code: int = -1121
    msg: str = "Invalid symbol."
    applied: int = 0
    since: float = field(default_factory=time.monotonic)

    def applies(self, *, occasion: str | None, symbol: str | None) -> bool:
        if self.times is not None and self.applied >= self.times:
            return False
        if self.seconds is not None and time.monotonic() > self.since + self.seconds:
            return False
        return self.on in {None, occasion} and self.symbol in {None, symbol}


class Faults:
    """The rules in force; all on one event loop, so counting needs no lock."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def replace(self, data: Any) -> None:
        """Take new rules in place of all. Raises ValueError."""
        if not isinstance(data, list):
            raise ValueError("a list of rules is needed")
        self.rules = [_read(entry) for entry in data]

    def take(self, *, occasion: str | None, symbol: str | None) -> Fault | None:
        """The first rule that applies, counted as applied."""
        for rule in self.rules:
            if rule.applies(occasion=occasion, symbol=symbol):
                rule.applied += 1
                return rule
        return None


def _read(entry: Any) -> Fault:
    if not isinstance(entry, dict) or entry.get("action") not in ACTIONS:
        raise ValueError(f"a rule needs an action of {', '.join(sorted(ACTIONS))}")
    if entry.get("on") not in OCCASIONS | {None}:
        raise ValueError(f"on is one of {', '.join(sorted(OCCASIONS))}")
    unknown = entry.keys() - {"action", "on", "symbol", "times", "seconds", "wait", "fraction", "code", "msg"}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    try:
        values: dict[str, Any] = {
            "times": int(entry["times"]) if "times" in entry else None,
            "seconds": float(entry["seconds"]) if "seconds" in entry else None,
            "wait": float(entry["wait"]) if "wait" in entry else None,
            "fraction": Decimal(str(entry.get("fraction", "0.5"))),
            "code": int(entry.get("code", -1121)),
        }
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError("a number of the rule makes no sense") from error
    return Fault(
        action=entry["action"],
        on=entry.get("on"),
        symbol=entry.get("symbol"),
        msg=str(entry.get("msg", "Invalid symbol.")),
        **values,
    )
