"""An honest venue in this process, at a moment that the test sets: its markets are those of the exchange simulator.

So an hour of a market takes seconds, and every price is the simulator's own arithmetic of levels, tapes and freezes.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from exchange_site.simulator.book.market_state import Market, State
from exchange_site.simulator.levels import EIGHT_PLACES, take
from settlement.venues.protocol import (
    Executed,
    MarketRules,
    OrderNotFound,
)
from settlement.venues.quotes import Quoted, SecondPrice
from wallets.runtime import clock as database_clock

NOTHING = timedelta(0)


@dataclass
class Clock:
    """The time of a test: Postgres' as the services see it, and the venue's."""

    now: datetime

    @property
    def milliseconds(self):
        return int(self.now.timestamp() * 1000)

    def rule(self, patched):
        """Let every service that asks for the time get this one."""
        patched.setattr(database_clock, "now", lambda: self.now)
        patched.setattr(database_clock, "database_now", lambda: self.now)


def make_market(middle, *, tick="0.00000001", spread="0.0002", **state):
    """Return a market of the simulator, with its default spread."""
    return Market(middle=Decimal(middle), tick=Decimal(tick), spread=Decimal(spread), state=State(**state))


def make_rules(**changes):
    """Return filters like those of the simulator's markets."""
    rules = {
        "quantity_step": Decimal("0.00001"),
        "quantity_minimum": Decimal("0.00001"),
        "quantity_maximum": Decimal(10) ** 15,
        "price_tick": Decimal("0.00000001"),
        "notional_minimum": Decimal(5),
    }
    return MarketRules(**rules | changes)


@dataclass
class HonestVenue:
    """Does what it is asked for at its markets' prices. `travel` is how long a purchase is under way to it."""

    clock: Clock
    markets: dict = field(default_factory=dict)
    rules: dict = field(default_factory=dict)
    commission_rate: Decimal = Decimal("0.001")
    takes_quote: bool = False
    travel: timedelta = NOTHING
    purchases: list = field(default_factory=list)
    requests_expire = True
    name = "second"

    def ticker(self, coin):
        """Return what an order would meet at this moment."""
        return self.markets[coin].now(self.clock.milliseconds)

    def read_rules(self, *, coin):
        return self.rules[coin]

    def read_ask(self, *, coin):
        return self.ticker(coin).ask

    def read_time(self):
        return self.clock.now

    def read_prices(self, *, coins):
        return {coin: self._quoted(coin) for coin in coins}

    def read_price(self, *, coin):
        """Answer as a second source does: with the middle of bid and ask."""
        ticker = self.ticker(coin)
        return SecondPrice(value=(ticker.bid + ticker.ask) / 2, source_time=self.clock.now)

    def _quoted(self, coin):
        shown = self.markets[coin].shown(self.clock.milliseconds)
        told_at = datetime.fromtimestamp(shown.at / 1000, tz=UTC)
        return Quoted(bid=shown.bid, ask=shown.ask, last=shown.last, venue_time=told_at)

    def look_up(self, *, coin, client_order_id):
        return OrderNotFound()

    def buy(self, *, purchase):
        """Fill an order, immediate or cancel, from the levels within its limit."""
        self.purchases.append(purchase)
        market = self.markets[purchase.coin]
        arrives_at = self.clock.milliseconds + self.travel // timedelta(milliseconds=1)
        levels = [level for level in market.levels(arrives_at) if level.price <= purchase.limit_price]
        taken = take(levels, quantity=purchase.quantity, step=self.rules[purchase.coin].quantity_step)
        cost = sum(
            ((level.price * part).quantize(EIGHT_PLACES) for level, part in zip(levels, taken, strict=True)), Decimal(0)
        )
        return self._executed(purchase, quantity=sum(taken, Decimal(0)), cost=cost)

    def _executed(self, purchase, *, quantity, cost):
        commission = quote_commission = Decimal(0)
        if self.takes_quote:
            quote_commission = (cost * self.commission_rate).quantize(EIGHT_PLACES, rounding=ROUND_UP)
        else:
            commission = (quantity * self.commission_rate).quantize(EIGHT_PLACES, rounding=ROUND_DOWN)
        return Executed(
            venue_order_id=str(len(self.purchases)),
            status="closed" if quantity == purchase.quantity else "expired",
            final=True,
            quantity=quantity,
            cost=cost + quote_commission,
            commission=commission,
            quote_commission=quote_commission,
            asked=purchase.quantity,
            limit_price=purchase.limit_price,
        )
