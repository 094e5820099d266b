"""Tapes: the course of a market's prices, made from a seed, with jumps and freezes.

A tape says by which factor the prices have changed since it began. Its course depends on nothing but its seed,
volatility and step, so the same tape gives the same prices at any speed and after a restart.
"""

import math
import random
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final

from exchange_site.simulator.inputs import read_list, read_number, read_object, read_whole

_YEAR_SECONDS: Final = 365 * 86_400
_MOST_STEPS: Final = 1_000_000
_MOST_EVENTS: Final = 1000
_STEEPEST: Final = 40.0
_MOST_FACTOR: Final = Decimal(10**12)
_LEAST_RATE: Final = Decimal("-0.999999")
_NORMAL: Final = NormalDist()
_KEYS: Final = frozenset({"seed", "volatility", "speed", "step_seconds", "seconds", "jumps", "freezes"})


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A change of the price by `rate` (0.1 is 10 % up, -0.9 is 90 % down), so many seconds after the tape's begin."""

    at: float
    rate: Decimal


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A time in which the ticker stands still, prices and clock. The market below goes on."""

    at: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Tape:
    """A course of prices. All times in it are the tape's own: at a speed of 60 an hour of them takes a minute.

    `volatility` is the standard deviation of a year's logarithmic return. After `seconds` the prices stay.
    """

    seed: int
    volatility: float
    speed: float
    step_seconds: float
    seconds: float
    jumps: tuple[Jump, ...]
    freezes: tuple[Freeze, ...]


@dataclass(frozen=True, kw_only=True)
class Position:
    """A moment of a tape: its seconds, the market's factor, and what the ticker shows of it.

    `seen_at` is the time of what is shown, in milliseconds, while the ticker stands still, else None.
    """

    seconds: float
    factor: Decimal
    shown_factor: Decimal
    seen_at: int | None


def read_tape(data: object) -> Tape:
    """Read a tape as in `{"seed": 1, "volatility": 1.0, "speed": 60}`. Raises ValueError."""
    given = read_object(data, name="a tape", known=_KEYS)
    step = float(_number(given, "step_seconds", 1, at_least=Decimal("0.01"), at_most=86_400))
    return Tape(
        seed=read_whole(given.get("seed", 0), name="seed"),
        volatility=float(_number(given, "volatility", 0, at_most=100)),
        speed=float(_number(given, "speed", 1, at_least=Decimal("0.001"), at_most=100_000)),
        step_seconds=step,
        seconds=float(_number(given, "seconds", step * _MOST_STEPS, at_most=Decimal(str(step * _MOST_STEPS)))),
        jumps=tuple(_read_jump(entry) for entry in _events(given, "jumps")),
        freezes=tuple(_read_freeze(entry) for entry in _events(given, "freezes")),
    )


def write_tape(tape: Tape) -> dict[str, Any]:
    """Write a tape as `read_tape` reads it."""
    return {
        "seed": tape.seed,
        "volatility": tape.volatility,
        "speed": tape.speed,
        "step_seconds": tape.step_seconds,
        "seconds": tape.seconds,
        "jumps": [{"at": jump.at, "rate": f"{jump.rate:f}"} for jump in tape.jumps],
        "freezes": [{"at": freeze.at, "seconds": freeze.seconds} for freeze in tape.freezes],
    }


def find_position(tape: Tape, *, started_at: int, now: int) -> Position:
    """Return where a tape is that began at `started_at`. Both times are in milliseconds."""
    seconds = min(max(now - started_at, 0) / 1000 * tape.speed, tape.seconds)
    freeze = next((freeze for freeze in tape.freezes if freeze.at <= seconds < freeze.at + freeze.seconds), None)
    factor = _factor(tape, seconds, walk=_walk(tape, started_at, "market"))
    if freeze is None:
        return Position(seconds=seconds, factor=factor, shown_factor=factor, seen_at=None)
    return Position(
        seconds=seconds,
        factor=factor,
        shown_factor=_factor(tape, freeze.at, walk=_walk(tape, started_at, "ticker")),
        seen_at=started_at + int(freeze.at / tape.speed * 1000),
    )


class _Walk:
    """A random walk of the price's logarithm. It goes forward step by step, and begins anew to go back."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._begin()

    def at(self, step: int) -> float:
        """Return the logarithm of the factor after so many steps."""
        if step < self._step:
            self._begin()
        years = self._tape.step_seconds / _YEAR_SECONDS
        spread, drift = self._tape.volatility * math.sqrt(years), self._tape.volatility**2 * years / 2
        while self._step < step:
            # Not gauss(), whose way of drawing may differ between Python's versions.
            self._value += spread * _NORMAL.inv_cdf(self._random.random() or 0.5) - drift
            self._step += 1
        return self._value

    def _begin(self) -> None:
        self._random = random.Random(self._tape.seed)  # noqa: S311  a course to be repeated, no secret
        self._step, self._value = 0, 0.0


@lru_cache(maxsize=256)
def _walk(tape: Tape, started_at: int, reader: str) -> _Walk:
    """Return the walk of one reader of a tape, who goes forward at a pace of their own."""
    return _Walk(tape)


def _factor(tape: Tape, seconds: float, *, walk: _Walk) -> Decimal:
    logarithm = walk.at(int(seconds / tape.step_seconds)) if tape.volatility else 0.0
    factor = Decimal(str(math.exp(max(-_STEEPEST, min(logarithm, _STEEPEST)))))
    for jump in tape.jumps:
        if jump.at <= seconds:
            factor *= 1 + jump.rate
    return min(max(factor, 1 / _MOST_FACTOR), _MOST_FACTOR)


def _events(given: Any, name: str) -> list[Any]:
    return read_list(given.get(name, []), name=name, at_most=_MOST_EVENTS)


def _read_jump(entry: object) -> Jump:
    given = read_object(entry, name="a jump", known={"at", "rate"})
    rate = read_number(given.get("rate"), name="the rate of a jump", at_least=_LEAST_RATE, at_most=1_000_000)
    return Jump(at=float(_number(given, "at", None)), rate=rate)


def _read_freeze(entry: object) -> Freeze:
    given = read_object(entry, name="a freeze", known={"at", "seconds"})
    return Freeze(at=float(_number(given, "at", None)), seconds=float(_number(given, "seconds", None)))


def _number(
    given: Any, name: str, default: float | None, *, at_least: Decimal | int = 0, at_most: Decimal | int = 10**9
) -> Decimal:
    return read_number(given.get(name, default), name=name, at_least=at_least, at_most=at_most)
