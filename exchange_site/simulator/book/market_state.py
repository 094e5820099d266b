"""The state of one market: what its bid, ask and depth are made of, and what they are at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from exchange_site.simulator.levels import (
    DOWN,
    ENDLESS,
    NEAREST,
    UP,
    Level,
    read_depth,
    round_price,
    times,
    write_depth,
)
from exchange_site.simulator.tapes import Position, Tape, find_position, read_tape, write_tape

_SHOWN_QUANTITY: Final = Decimal("1000.0")
_PRICES: Final = ("bid", "ask", "last")


@dataclass(frozen=True, kw_only=True)
class Ticker:
    """What a ticker shows: prices in the quote asset, coins at the ask, and its time in milliseconds.

    Without anybody who sells, the ask and its quantity are zero.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal
    ask_quantity: Decimal
    at: int


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a market beside its middle, which is the price that was set.

    `bid`, `ask` and `last` are None while they follow the middle. `depth` is None for one endless level; its first
    level stands for the ask, and the others move with it. `eaten` are the coins that orders took from the levels. After
    `refill_seconds` they are there again, or never if it is None. `frozen` is what a frozen ticker goes on showing.
    `average` is the average price that filters go by, None for that of the trades. Each order is filled in `fills`
    trades, or in one a level if it is None.
    """

    spread: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    depth: tuple[Level, ...] | None = None
    refill_seconds: Decimal | None = Decimal(0)
    eaten: tuple[Decimal, ...] = ()
    eaten_at: int = 0
    tape: Tape | None = None
    started_at: int = 0
    frozen: Ticker | None = None
    average: Decimal | None = None
    fills: int | None = None


@dataclass(frozen=True, kw_only=True)
class Market:
    """A market: its middle, its tick, the spread that holds if its state names none, and its state."""

    middle: Decimal
    tick: Decimal
    spread: Decimal
    state: State

    def now(self, now: int) -> Ticker:
        """Return the prices that an order meets at a moment."""
        return self._ticker(self._factor(now), now=now, at=now)

    def shown(self, now: int) -> Ticker:
        """Return what the ticker shows at a moment, which may have been frozen."""
        position = self.position(now)
        if self.state.frozen:
            return self.state.frozen
        if position is None or position.seen_at is None:
            return self.now(now)
        return self._ticker(position.shown_factor, now=now, at=position.seen_at)

    def ask(self, now: int) -> Decimal:
        """Return the price of the first level at a moment, also if nothing is left of it."""
        return self._ask(self._factor(now))

    def position(self, now: int) -> Position | None:
        """Return where the tape is, or None without a tape."""
        tape = self.state.tape
        return find_position(tape, started_at=self.state.started_at, now=now) if tape else None

    def levels(self, now: int) -> list[Level]:
        """Return the levels that an order meets, also those of which nothing is left."""
        return self._levels(self._factor(now), now=now)

    def middle_now(self, now: int) -> Decimal:
        """Return the middle at a moment."""
        return times(self.middle, self._factor(now), tick=self.tick, rounding=NEAREST)

    def without_tape(self, now: int) -> "Market":
        """Return the market with its tape ended at a moment. The prices stay where the tape has brought them."""
        ticker, state = self.now(now), self.state
        if not state.tape:
            return self
        return replace(
            self,
            middle=self.middle_now(now),
            state=replace(
                state,
                tape=None,
                bid=ticker.bid if state.bid is not None else None,
                ask=self._ask(self._factor(now)) if state.ask is not None else None,
                last=ticker.last if state.last is not None else None,
            ),
        )

    def elsewhere(self, *, middle: Decimal | None) -> "Market":
        """Return the market as another exchange has it: with a middle of its own or this one, and endless."""
        if middle is None:
            return replace(self, state=replace(self.state, depth=None, frozen=None))
        return replace(self, middle=middle, state=State(spread=self.state.spread))

    def eat(self, taken: Sequence[Decimal], *, now: int) -> State:
        """Return the state after an order took coins from the first levels."""
        if self.state.depth is None or self.state.refill_seconds == 0:
            return self.state
        eaten = [old + new for old, new in zip_longest(self._eaten(now), taken, fillvalue=Decimal(0))]
        return replace(self.state, eaten=tuple(eaten), eaten_at=now)

    def _factor(self, now: int) -> Decimal:
        position = self.position(now)
        return position.factor if position else Decimal(1)

    def _ticker(self, factor: Decimal, *, now: int, at: int) -> Ticker:
        state = self.state
        best = next((level for level in self._levels(factor, now=now) if level.quantity), None)
        bid, ratio = (state.bid, factor) if state.bid is not None else (self.middle, factor * (1 - self.spread_rate))
        last = self.middle if state.last is None else state.last
        quantity = best.quantity if best else Decimal(0)
        return Ticker(
            bid=times(bid, ratio, tick=self.tick, rounding=DOWN),
            ask=best.price if best else Decimal(0),
            last=times(last, factor, tick=self.tick, rounding=NEAREST),
            ask_quantity=_SHOWN_QUANTITY if quantity == ENDLESS else quantity,
            at=at,
        )

    def _ask(self, factor: Decimal) -> Decimal:
        state = self.state
        base, ratio = (state.ask, factor) if state.ask is not None else (self.middle, factor * (1 + self.spread_rate))
        return times(base, ratio, tick=self.tick, rounding=UP)

    def _levels(self, factor: Decimal, *, now: int) -> list[Level]:
        ask, depth = self._ask(factor), self.state.depth
        if depth is None:
            return [Level(price=ask, quantity=ENDLESS)]
        return [
            Level(price=self._moved(level.price, ask=ask), quantity=level.quantity - eaten)
            for level, eaten in zip(depth, self._eaten(now), strict=True)
        ]

    def _moved(self, price: Decimal, *, ask: Decimal) -> Decimal:
        """Return where a level's price is while the first level is at `ask`."""
        first = (self.state.depth or ())[0].price
        if first in {ask, price}:
            return ask if price == first else price
        return round_price(price * ask / first, tick=self.tick, rounding=UP)

    def _eaten(self, now: int) -> tuple[Decimal, ...]:
        state, nothing = self.state, (Decimal(0),) * len(self.state.depth or ())
        is_full = state.refill_seconds is not None and now >= state.eaten_at + state.refill_seconds * 1000
        return nothing if is_full or not state.eaten else state.eaten

    @property
    def spread_rate(self) -> Decimal:
        """Return how far bid and ask are from the middle, as a part of it, while they follow it."""
        return self.spread if self.state.spread is None else self.state.spread


def write_state(state: State) -> dict[str, Any]:
    """Write a state to members that JSON knows."""
    return {
        **{name: _text(getattr(state, name)) for name in ("spread", *_PRICES, "refill_seconds")},
        "depth": None if state.depth is None else write_depth(state.depth),
        "eaten": [f"{eaten:f}" for eaten in state.eaten],
        "eaten_at": state.eaten_at,
        "tape": state.tape and write_tape(state.tape),
        "started_at": state.started_at,
        "frozen": state.frozen and write_ticker(state.frozen),
        "average": _text(state.average),
        "fills": state.fills,
    }


def read_state(data: Mapping[str, Any]) -> State:
    """Read what `write_state` wrote."""
    return State(
        **{name: _decimal(data[name]) for name in ("spread", *_PRICES, "refill_seconds")},
        depth=None if data["depth"] is None else read_depth(data["depth"]),
        eaten=tuple(Decimal(eaten) for eaten in data["eaten"]),
        eaten_at=data["eaten_at"],
        tape=data["tape"] and read_tape(data["tape"]),
        started_at=data["started_at"],
        frozen=data["frozen"] and _read_ticker(data["frozen"]),
        average=_decimal(data.get("average")),  # books from before it have none
        fills=data.get("fills"),
    )


def write_ticker(ticker: Ticker) -> dict[str, Any]:
    """Write a ticker to members that JSON knows: prices and quantities are texts."""
    names = (*_PRICES, "ask_quantity")
    return {**{name: f"{getattr(ticker, name):f}" for name in names}, "at": ticker.at}


def _read_ticker(data: Mapping[str, Any]) -> Ticker:
    return Ticker(**{name: Decimal(data[name]) for name in (*_PRICES, "ask_quantity")}, at=data["at"])


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
