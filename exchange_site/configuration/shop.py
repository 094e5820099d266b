"""The shop: pools, prices, and the orders that are held for staff."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, CountOrZero, Dollars, Seconds
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Pools(Group):
    title: ClassVar[str] = "Shop"

    threshold: Dollars = variable(
        "ORDER_AGGREGATION_THRESHOLD", "10.00", "smaller orders are pooled; the venue's minimum", unit="US dollars"
    )
    max_age: Seconds = variable(
        "POOL_MAX_AGE_SECONDS",
        "3600",
        "after which a small order's pool is bought or refunded as it is",
        unit="seconds",
    )


@dataclass(frozen=True, config=PARSED)
class Prices(Group):
    title: ClassVar[str] = "Shop"

    max_age: Seconds = variable(
        "PRICE_MAX_AGE_SECONDS",
        "60",
        "nothing is sold at an older price; more if they are read less often",
        unit="seconds",
    )
    cache_seconds: Count = variable("PRICE_CACHE_SECONDS", "5", "how long Redis keeps a coin's offer", unit="seconds")
    deviation_limit: Annotated[Decimal, Field(gt=0)] = variable(
        "PRICE_DEVIATION_LIMIT",
        "0.20",
        "a price that jumps further suspends the coin; larger for wild coins",
        unit="share",
    )
    refresh_cron: str = variable(
        "PRICE_REFRESH_CRON", "* * * * * */10", "when prices are read; six fields, seconds last", unit="cron"
    )
    keep_days: Count = variable("PRICE_KEEP_DAYS", "30", "of price history", unit="days")


@dataclass(frozen=True, config=PARSED)
class Risk(Group):
    title: ClassVar[str] = "Risk"
    intro: ClassVar[str] = (
        "An order that makes more than this of one customer within the window is held for staff."
        " Lower for new or small shops."
    )

    window: Seconds = variable("RISK_WINDOW_SECONDS", "3600", "how far back the rules look", unit="seconds")
    max_orders: Count = variable(
        "RISK_MAX_ORDERS", "200", "placed; every order reads up to as many rows", unit="orders"
    )
    max_cancels: CountOrZero = variable("RISK_MAX_CANCELS", "20", "cancelled", unit="orders")
    max_value: Dollars = variable("RISK_MAX_VALUE", "50000.00", "spent", unit="US dollars")
