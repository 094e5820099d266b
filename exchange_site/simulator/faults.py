"""Rules that make the venue misbehave: on one of the OCCASIONS below, or on any request if a rule names none.

Time and symbol requests have no occasion: only a rule that names none hits them. The second source is another exchange:
only rules that name it hit it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.inputs import read_number, read_object, read_text, read_whole
from exchange_site.simulator.lying import LIE, check_lie

OCCASIONS: Final = frozenset({"place", "query", "list", "trades", "ticker", "account", "second_source"})
ACTIONS: Final = frozenset(
    {
        "reject",
        "rate_limit",
        "drop",
        "accept_then_drop",
        "accept_then_hang",
        "accept_then_500",  # answers 502, as a proxy in front of a failing venue does
        "garbage",
        "delay",
        "partial",
        "not_found",
        "down",
        LIE,  # changes parts of the answer, see `lying`; on `trades`, of the list of trades
    }
)
_KEYS: Final = frozenset(
    {
        "action",
        "changes",
        "on",
        "symbol",
        "times",
        "seconds",
        "wait",
        "fraction",
        "depth",
        "code",
        "msg",
        "retry_after",
        "status",
    }
)


@dataclass(kw_only=True)
class Fault:
    """One rule: its action, and limits by occasion, symbol, number of times, and seconds in force.

    `partial` fills a `fraction` of an order, or at most `depth` coins of each order, as a thin market does. A fraction
    above one fills more than was ordered.
    `rate_limit` answers with `status` (429, or 418 for a ban) and `retry_after`, which may be any text.
    """

    action: str
    on: str | None = None
    symbol: str | None = None
    times: int | None = None
    seconds: float | None = None
    wait: float | None = None
    fraction: Decimal = Decimal("0.5")
    depth: Decimal | None = None
    code: int = -1121
    msg: str = "Invalid symbol."
    retry_after: str = "1"
    status: int = 429
    changes: dict[str, Any] = field(default_factory=dict)
    applied: int = 0
    since: float = field(default_factory=time.monotonic)

    def fillable(self, *, quantity: Decimal) -> Decimal:
        """Return the share of an order of `quantity` coins that is filled at most."""
        if self.action != "partial":
            return Decimal(1)
        return self.fraction if self.depth is None else min(self.depth / quantity, Decimal(1))

    def applies(self, *, occasion: str | None, symbol: str | None) -> bool:
        if self.times is not None and self.applied >= self.times:
            return False
        if self.seconds is not None and time.monotonic() > self.since + self.seconds:
            return False
        return self.on in {None, occasion} and self.symbol in {None, symbol}


class Faults:
    """The rules in force: those of the control API, then `standing` ones, which it neither shows nor replaces.

    Only one event loop uses them, so counting needs no lock.
    """

    def __init__(self, *, standing: Sequence[Fault] = ()) -> None:
        self.rules: list[Fault] = []
        self._standing = tuple(standing)

    @property
    def in_force(self) -> tuple[Fault, ...]:
        return (*self.rules, *self._standing)

    def replace(self, data: Any) -> None:
        """Replace all rules of the control API. Raises ValueError for a malformed rule."""
        self.rules = read_rules(data)

    def take(self, *, occasion: str | None, symbol: str | None) -> Fault | None:
        """Return the first rule that applies, and count its use."""
        for rule in self.in_force:
            if rule.applies(occasion=occasion, symbol=symbol):
                rule.applied += 1
                return rule
        return None

    def take_named(self, *, occasion: str, symbol: str | None) -> Fault | None:
        """Return the first rule that names this occasion and applies, and count its use."""
        for rule in self.in_force:
            if rule.on == occasion and rule.applies(occasion=occasion, symbol=symbol):
                rule.applied += 1
                return rule
        return None


def read_rules(data: Any) -> list[Fault]:
    """Read rules as the control API takes them. Raises ValueError for a malformed rule."""
    if not isinstance(data, list):
        raise ValueError("a list of rules is needed")
    return [_read(entry) for entry in data]


def _read(entry: Any) -> Fault:
    given = read_object(entry, name="a rule", known=_KEYS)
    action, occasion = given.get("action"), given.get("on")
    if not isinstance(action, str) or action not in ACTIONS:
        raise ValueError(f"a rule needs an action of {', '.join(sorted(ACTIONS))}")
    if occasion is not None and (not isinstance(occasion, str) or occasion not in OCCASIONS):
        raise ValueError(f"on is one of {', '.join(sorted(OCCASIONS))}")
    symbol, fraction = given.get("symbol"), read_number(given.get("fraction", "0.5"), name="fraction")
    seconds = {name: float(read_number(given[name], name=name)) for name in ("seconds", "wait") if name in given}
    return Fault(
        action=action,
        on=occasion,
        symbol=None if symbol is None else read_text(symbol, name="symbol"),
        times=read_whole(given["times"], name="times") if "times" in given else None,
        seconds=seconds.get("seconds"),
        wait=seconds.get("wait"),
        fraction=fraction,
        depth=read_number(given["depth"], name="depth") if "depth" in given else None,
        code=read_whole(given.get("code", -1121), name="code", at_least=-(10**6)),
        status=read_whole(given.get("status", 429), name="status", at_least=200, at_most=599),
        msg=str(given.get("msg", "Invalid symbol.")),
        retry_after=str(given.get("retry_after", "1")),
        changes=check_lie(given.get("changes")) if action == LIE else {},
    )
