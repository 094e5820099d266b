"""After the story: stay up until the viewer ends it, while an order every two seconds keeps the home page alive."""

import logging
import os
import random
import select
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import httpx
from rich.console import Console

from exchange_site.stack.demo.customers import CallFailed, Customer, open_account
from exchange_site.stack.demo.story import LARGE_COINS, LOST_COIN, SMALL_COINS, lose_an_answer
from exchange_site.stack.running import StackAddresses

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 2.0
_ORDERS_EACH: Final = 40  # then the next customer comes: an access token is valid for a quarter of an hour
_LOSE_EVERY: Final = 25
_MOVING_COINS: Final = ("BTC", "ETH", "SOL", "ADA", "DOGE")
_VOLATILITY: Final = 1.0  # of a year: some hundredths of a per cent in a minute
_MOVING_SECONDS: Final = 86_400


def may_stay(arguments: list[str]) -> bool:
    """Say whether somebody can watch and end the demo: at a terminal, not in CI, and not with --exit."""
    return "--exit" not in arguments and not os.environ.get("CI") and sys.stdin.isatty() and sys.stdout.isatty()


def stay(addresses: StackAddresses) -> None:
    """Place an order every few seconds until Enter is pressed. Ctrl-C ends it with KeyboardInterrupt."""
    trickle = Trickle(addresses=addresses)
    while not wait_for_enter(seconds=_PAUSE_SECONDS):
        trickle.place_one()


def let_prices_move(addresses: StackAddresses) -> None:
    """Let the venue's prices move as those of real coins do. For a stack that nobody else uses."""
    tapes = {
        f"{coin}USDT": {"tape": {"seed": seed, "volatility": _VOLATILITY, "seconds": _MOVING_SECONDS}}
        for seed, coin in enumerate(_MOVING_COINS)
    }
    httpx.put(f"{addresses.simulator}/control/market", json=tapes).raise_for_status()


def count_down(console: Console, *, seconds: int) -> None:
    """Give the viewer time to open the home page, and show how much is left. Enter ends it."""
    with console.status("") as line:
        for left in range(seconds, 0, -1):
            line.update(f"The story begins in {left} s, or when you press Enter.")
            if wait_for_enter(seconds=1):
                return


def wait_for_enter(*, seconds: float) -> bool:
    """Wait for a line, or for the end of the input. Say whether it came in time."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if ready:
        sys.stdin.readline()
    return bool(ready)


@dataclass(kw_only=True)
class Trickle:
    """Customers who come one after the other and order a little: mostly small orders, some of them large.

    A failure is logged once, not again each time it repeats.
    """

    addresses: StackAddresses
    placed: int = 0
    failure: str = ""
    customer: Customer | None = None
    chance: random.Random = field(default_factory=random.Random)

    def place_one(self) -> None:
        """Place the next order. One that is refused is left out: the next customer tries again."""
        try:
            self._place()
            self.failure = ""
        except (CallFailed, httpx.HTTPError) as error:
            self.customer = None
            self._tell(f"{type(error).__name__}: {error}")

    def _tell(self, failure: str) -> None:
        if failure != self.failure:
            logger.warning("no order was placed, the next customer tries again: %s", failure)
        self.failure = failure

    def _place(self) -> None:
        if self.customer is None or self.placed % _ORDERS_EACH == 0:
            self.customer = open_account(self.addresses.api)
        self.placed += 1
        if self.placed % _LOSE_EVERY == 0:
            lose_an_answer(self.addresses)
            self.customer.place(coin=LOST_COIN, total=Decimal(20))
        elif self.chance.random() < 0.15:  # noqa: PLR2004  one in seven is large
            self.customer.place(coin=self.chance.choice(LARGE_COINS), total=self._cents(1000, 4000))
        else:
            self.customer.place(coin=self.chance.choice(SMALL_COINS), total=self._cents(80, 350))

    def _cents(self, least: int, most: int) -> Decimal:
        return Decimal(self.chance.randint(least, most)).scaleb(-2)
