"""Limits that production refuses because they are so high that they protect nothing. LOAD_TEST=True allows them."""

# ruff: noqa: PLR2004  each number stands beside its sentence

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from croniter import croniter  # Procrastinate reads the crons with it

from exchange_site.configuration.customers import Limits
from exchange_site.configuration.rules import Rule, is_real_venue, rule

if TYPE_CHECKING:
    from exchange_site.configuration import Configuration

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_CALLS_A_SECOND: Final = 10_000
_WITH_A_REAL_VENUE: Final = {
    "RATE_LIMIT_LOGIN": 1,
    "RATE_LIMIT_LOGIN_ACCOUNT": 1,
    "RATE_LIMIT_LOGIN_ADDRESS": 10,
    "RATE_LIMIT_REGISTER": 10,
}


def _calls_a_second(rate: str) -> float:
    count, period = rate.split("/")
    return int(count) / _SECONDS[period]


def _rule_of(field: str, variable: str) -> Rule:
    most = _WITH_A_REAL_VENUE.get(variable, 100)

    def refuses(given: "Configuration") -> bool:
        calls = _calls_a_second(getattr(given.limits, field))
        return calls > (most if is_real_venue(given) else _MOST_CALLS_A_SECOND)

    return rule(
        variable,
        f"must be at most {most} calls a second with a real venue, and {_MOST_CALLS_A_SECOND} at all.",
        refuses,
    )


def _longest_interval(cron: str) -> timedelta:
    """Return the longest time between two runs, of the first thousand of a year; none if it is no cron expression."""
    if not croniter.is_valid(cron):
        return timedelta(0)
    times = croniter(cron, datetime(2026, 1, 1, tzinfo=UTC))
    moments = [times.get_next(float) for _ in range(1000)]
    return timedelta(seconds=max(after - before for before, after in pairwise(moments)))


def _seconds_rule(variable: str, group: str, field: str, most: int) -> Rule:
    return rule(
        variable,
        f"must be at most {most}: paid orders would wait as long.",
        lambda given: getattr(getattr(given, group), field) > most,
    )


CEILINGS: Final = (
    rule(
        "PROPOSAL_HOURS",
        "must be at most 336: nobody remembers after two weeks why a deed was asked for.",
        lambda given: given.proposals.valid_for > timedelta(days=14),
    ),
    rule(
        "REQUEST_TIMEOUT_SECONDS",
        "must be at most 300: unfinished requests keep their connections as long.",
        lambda given: given.serving.request_timeout > timedelta(minutes=5),
    ),
    rule(
        "WEB_QUEUE_SECONDS",
        "must be at most 60: callers have gone long before.",
        lambda given: given.serving.queue_timeout > timedelta(minutes=1),
    ),
    rule(
        "PRICE_MAX_AGE_SECONDS",
        "must be at most 3600: customers would buy at a price that the market left long ago.",
        lambda given: given.prices.max_age > timedelta(hours=1),
    ),
    rule(
        "PRICE_CACHE_SECONDS",
        "must be at most 60, and at most PRICE_MAX_AGE_SECONDS.",
        lambda given: timedelta(seconds=given.prices.cache_seconds) > min(given.prices.max_age, timedelta(minutes=1)),
    ),
    rule(
        "PRICE_JUMP_LIMIT",
        "must be at most PRICE_DEVIATION_LIMIT.",
        lambda given: given.prices.jump_limit > given.prices.deviation_limit,
    ),
    rule(
        "PRICE_VALID_SECONDS",
        "must be at most 300: coins would be sold at the highest price of a long time.",
        lambda given: given.prices.valid_for > timedelta(minutes=5),
    ),
    rule(
        "PRICE_VALID_SECONDS",
        "must be at least 1.5 times as long as PRICE_REFRESH_CRON waits between two readings: quotes would be refused"
        " and withdrawn while everything works.",
        lambda given: given.prices.valid_for < 1.5 * _longest_interval(given.prices.refresh_cron),
    ),
    rule(
        "PRICE_FROZEN_SECONDS",
        "must be at most 3600: nobody would see that the venue's prices stand still.",
        lambda given: given.prices.frozen_for > timedelta(hours=1),
    ),
    rule(
        "PRICE_DEVIATION_LIMIT",
        "must be at most 1, a jump to twice the price.",
        lambda given: given.prices.deviation_limit > 1,
    ),
    rule(
        "ORDER_AGGREGATION_THRESHOLD",
        "must be at most 1000: larger orders would wait in pools, too.",
        lambda given: given.pools.threshold > 1000,
    ),
    rule(
        "POOL_MAX_AGE_SECONDS",
        "must be at most 604800, a week: paid orders wait as long.",
        lambda given: given.pools.max_age > timedelta(days=7),
    ),
    rule(
        "RISK_WINDOW_SECONDS",
        "must be at least 60: no customer reaches the limits of a shorter window.",
        lambda given: given.risk.window < timedelta(minutes=1),
    ),
    *(
        _seconds_rule(variable, group, field, most)
        for variable, group, field, most in (
            ("EXCHANGE_CONNECT_TIMEOUT_SECONDS", "venue", "connect_timeout_seconds", 60),
            ("EXCHANGE_READ_TIMEOUT_SECONDS", "venue", "read_timeout_seconds", 120),
            ("EXCHANGE_CALL_TIMEOUT_SECONDS", "venue", "call_timeout_seconds", 120),
            ("EXCHANGE_LIST_TIMEOUT_SECONDS", "venue", "list_timeout_seconds", 300),
            ("LOOKUP_MAX_WAIT_SECONDS", "settlement", "lookup_max_wait_seconds", 3600),
            ("PAUSE_MAX_SECONDS", "settlement", "pause_max_seconds", 3600),
            ("EXCHANGE_MAX_WAIT_SECONDS", "venue", "max_wait_seconds", 3600),
            ("EXCHANGE_MARKETS_MAX_AGE_SECONDS", "venue", "markets_max_age_seconds", 600),
            ("LOOKUP_FIRST_WAIT_SECONDS", "settlement", "lookup_first_wait_seconds", 3600),
            ("STALLED_WORKER_SECONDS", "jobs", "stalled_worker_seconds", 3600),
            ("JOB_RETRY_MAX_WAIT_SECONDS", "jobs", "retry_max_wait_seconds", 3600),
        )
    ),
    rule(
        "SWEEP_AFTER_SECONDS",
        "must be at most 3600: paid orders would wait as long.",
        lambda given: given.settlement.sweep_after > timedelta(hours=1),
    ),
    rule(
        "CLOCK_MAX_DRIFT_SECONDS",
        "must be at most 60: nobody would learn that a clock is wrong.",
        lambda given: given.clock.max_drift > timedelta(minutes=1),
    ),
    rule(
        "SECURITY_LOG_MOST_PER_MINUTE",
        "must be at most 1000: strangers would fill the table.",
        lambda given: given.security_log.most_per_minute > 1000,
    ),
    rule(
        "MAX_ATTEMPTS",
        "must be at most 1000: staff would never learn that a purchase does not succeed.",
        lambda given: given.settlement.max_attempts > 1000,
    ),
    rule(
        "QUOTE_TTL_SECONDS",
        "must be at most 60: for so long a customer may wait whether the market moves.",
        lambda given: given.quotes.ttl > timedelta(minutes=1),
    ),
    rule("RISK_MAX_ORDERS", "must be at most 10000.", lambda given: given.risk.max_orders > 10_000),
    rule("RISK_MAX_CANCELS", "must be at most 10000.", lambda given: given.risk.max_cancels > 10_000),
    rule("RISK_MAX_HELD", "must be at most 1000.", lambda given: given.risk.max_held > 1000),
    rule(
        "TOP_UP_MAX",
        "must be at most 10000: a purchase may cost so much more than its orders.",
        lambda given: given.settlement.max_top_up > 10_000,
    ),
    rule(
        "HOUSE_LOSS_PER_DAY",
        "must be set: sales stop for the rest of a UTC day on which the house has lost so many US dollars.",
        lambda given: given.losses.per_day is None,
    ),
    rule("RISK_MAX_VALUE", "must be at most 10000000.", lambda given: given.risk.max_value > 10_000_000),
    *(
        _rule_of(name, str(field.validation_alias))
        for name, field in Limits.__pydantic_fields__.items()
        if str(field.validation_alias).startswith("RATE_LIMIT_")
    ),
)
