"""The shop: pools, prices, and the risk rules that hold orders for staff."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, CountOrZero, Dollars, DollarsOfCoins, DollarsOrNone, Seconds
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Pools(Group):
    title: ClassVar[str] = "Shop"

    threshold: Dollars = variable(
        "ORDER_AGGREGATION_THRESHOLD",
        "10.00",
        "smaller orders are pooled; set it to the venue's minimum",
        unit="US dollars",
    )
    max_age: Seconds = variable(
        "POOL_MAX_AGE_SECONDS",
        "3600",
        "how long a small order waits in its pool, until the pool is bought or refunded although it is not full",
        unit="seconds",
    )


@dataclass(frozen=True, config=PARSED)
class Prices(Group):
    title: ClassVar[str] = "Shop"

    max_age: Seconds = variable(
        "PRICE_MAX_AGE_SECONDS",
        "60",
        "nothing is sold at an older price; raise it if prices are read less often",
        unit="seconds",
    )
    cache_seconds: Count = variable(
        "PRICE_CACHE_SECONDS",
        "5",
        "how long Redis keeps the list of coins and prices; a signed list is not believed for longer",
        unit="seconds",
    )
    valid_for: Seconds = variable(
        "PRICE_VALID_SECONDS",
        "15",
        "an order that is claimed or sent later than this is compared with the ask of that moment first; a quote needs"
        " an ask that is not older; while the ask moves by more than the spread, a coin is sold at the highest of this"
        " time",
        unit="seconds",
    )
    frozen_for: Seconds = variable(
        "PRICE_FROZEN_SECONDS",
        "60",
        "a book that is the same for so long is asked for by itself, if the venue does not say the time of its prices",
        unit="seconds",
    )
    jump_limit: Annotated[Decimal, Field(gt=0)] = variable(
        "PRICE_JUMP_LIMIT",
        "0.05",
        "a larger jump suspends the coin, until three readings and a second source agree, or staff accept the price;"
        " twice as much after ten minutes without a reading",
        unit="share",
    )
    deviation_limit: Annotated[Decimal, Field(gt=0)] = variable(
        "PRICE_DEVIATION_LIMIT",
        "0.20",
        "beyond it only staff accept a price, and nothing is bought at it; raise it for volatile coins",
        unit="share",
    )
    refresh_cron: str = variable(
        "PRICE_REFRESH_CRON", "* * * * * */10", "when prices are read; six fields, the last is seconds", unit="cron"
    )
    order_maximum: Dollars = variable(
        "ORDER_MAXIMUM",
        "1000000.00",
        "the largest order of a coin that has no maximum of its own, at the price of the moment and without the fee",
        unit="US dollars",
    )
    keep_days: Count = variable("PRICE_KEEP_DAYS", "30", "how long price changes are kept", unit="days")


@dataclass(frozen=True, config=PARSED)
class Quotes(Group):
    title: ClassVar[str] = "Quotes"
    intro: ClassVar[str] = (
        "A quote is a firm price, and so a free option of the customer against the house: the house loses at most the"
        " share by which the market price rises, until the quote expires or is withdrawn."
    )

    ttl: Seconds = variable("QUOTE_TTL_SECONDS", "10", "how long a quote is firm", unit="seconds")
    max_per_minute: Dollars = variable(
        "QUOTE_MAX_PER_MINUTE",
        "50000.00",
        "dollars quoted to one customer within a minute; a quote beyond them is refused with 429, and with 422 one that"
        " is larger by itself",
        unit="US dollars",
    )


@dataclass(frozen=True, config=PARSED)
class Risk(Group):
    title: ClassVar[str] = "Risk"
    intro: ClassVar[str] = (
        "An order is held for staff if it takes its customer over one of these limits within the window."
        " Lower the limits for a new or small shop."
    )

    window: Seconds = variable("RISK_WINDOW_SECONDS", "3600", "how far back the rules look", unit="seconds")
    max_orders: Count = variable(
        "RISK_MAX_ORDERS", "200", "orders placed; placing an order reads up to as many rows", unit="orders"
    )
    max_cancels: CountOrZero = variable("RISK_MAX_CANCELS", "20", "orders cancelled", unit="orders")
    max_value: Dollars = variable("RISK_MAX_VALUE", "50000.00", "dollars spent", unit="US dollars")
    max_value_of_coins: DollarsOfCoins = variable(
        "RISK_MAX_VALUE_OF_COINS",
        "",
        "the largest order of a coin that is not held, for coins that are new or thin, as in `PEPE=100.00,BONK=0`",
        unit="US dollars",
    )
    max_held: Count = variable(
        "RISK_MAX_HELD",
        "5",
        "orders of one customer that may wait for staff; a further order that would be held is refused",
        unit="orders",
    )


@dataclass(frozen=True, config=PARSED)
class Losses(Group):
    title: ClassVar[str] = "Losses"
    intro: ClassVar[str] = (
        "The loss of a UTC day is the cost of the coins delivered less what their orders paid. At 80 % of a ceiling the"
        " to-do page and an alert say so; at 100 % sales stop until 00:00 UTC, or until staff let them go on."
    )

    per_day: DollarsOrNone = variable(
        "HOUSE_LOSS_PER_DAY",
        "",
        "the loss of all coins together at which all sales stop; empty for no ceiling, which production refuses",
        unit="US dollars",
        such_as="1000.00",
    )
    per_day_and_coin: DollarsOrNone = variable(
        "HOUSE_LOSS_PER_DAY_AND_COIN",
        "",
        "the loss of one coin at which sales of that coin stop; empty for no ceiling",
        unit="US dollars",
        such_as="200.00",
    )
