"""Settlement: the venue, purchases and their sweeps, jobs, and the limits of the to-do page."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, Hours, Milliseconds, Seconds, SecondsAsNumber, SecondsOrZero, Share
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Venue(Group):
    title: ClassVar[str] = "Settlement"

    id: str = variable("EXCHANGE_ID", "binance", "the venue, by its name in ccxt")
    url: str = variable("EXCHANGE_URL", "", "the simulator's address; none is the venue itself", unit="URL")
    api_key: str = variable(
        "EXCHANGE_API_KEY", "", "for workers only; with the right to trade and none to withdraw", secret=True
    )
    api_secret: str = variable("EXCHANGE_API_SECRET", "", secret=True)
    api_password: str = variable("EXCHANGE_API_PASSWORD", "", "for venues that want one", secret=True)
    sandbox: bool = variable("EXCHANGE_SANDBOX", "False", "uses the venue's own sandbox", unit="switch")
    quote_asset: str = variable(
        "EXCHANGE_QUOTE_ASSET", "USDT", "coins are bought with it; booked one to one as US dollars", unit="asset"
    )
    recv_window: Annotated[Milliseconds, Field(ge=timedelta(milliseconds=500), le=timedelta(minutes=1))] = variable(
        "EXCHANGE_RECV_WINDOW_MS",
        "5000",
        "the venue refuses a request that arrives later; 500 to 60000",
        unit="milliseconds",
    )
    connect_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_CONNECT_TIMEOUT_SECONDS", "3", "to reach the venue", unit="seconds"
    )
    read_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_READ_TIMEOUT_SECONDS", "10", "for its answer; after that, a purchase is looked up", unit="seconds"
    )
    taker_rate: Share = variable(
        "EXCHANGE_TAKER_RATE", "0.001", "the commission to buy for; the venue's own", unit="share"
    )


@dataclass(frozen=True, config=PARSED)
class Settlement(Group):
    title: ClassVar[str] = "Settlement"

    max_loss: Share = variable(
        "MAX_LOSS",
        "0.05",
        "by which a purchase may cost more than its customers paid; a dearer one is parked",
        unit="share",
    )
    batch_max_orders: Count = variable("BATCH_MAX_ORDERS", "5000", "settled by one purchase", unit="orders")
    max_attempts: Count = variable(
        "MAX_ATTEMPTS", "10", "that bought nothing before a batch is parked for staff", unit="attempts"
    )
    lookup_first_wait_seconds: SecondsAsNumber = variable(
        "LOOKUP_FIRST_WAIT_SECONDS",
        "1",
        "between the first look-ups of a purchase; doubles each time",
        unit="seconds",
    )
    lookup_max_wait_seconds: SecondsAsNumber = variable(
        "LOOKUP_MAX_WAIT_SECONDS", "60", "between the last ones", unit="seconds"
    )
    not_found_margin: SecondsOrZero = variable(
        "NOT_FOUND_MARGIN_SECONDS", "2", '"not found" counts that long after the request\'s window', unit="seconds"
    )
    not_found_times: Count = variable(
        "NOT_FOUND_TIMES", "3", 'of "not found" that make a purchase not placed', unit="answers"
    )
    pause_max_seconds: SecondsAsNumber = variable(
        "PAUSE_MAX_SECONDS",
        "60",
        "the longest automatic pause of buying when the venue is in trouble; the venue may ask for a longer one",
        unit="seconds",
    )
    recheck_first_wait: Seconds = variable(
        "RECHECK_FIRST_WAIT_SECONDS",
        "30",
        "before an attempt that was given up is looked up again; then growing",
        unit="seconds",
    )
    recheck_for: Hours = variable("RECHECK_HOURS", "24", "for which it is looked up", unit="hours")
    reconcile_cron: str = variable(
        "RECONCILE_CRON", "23 2 * * *", "when our books are compared with the venue's", unit="cron"
    )
    reconcile_days: Count = variable("RECONCILE_DAYS", "2", "back to which that looks", unit="days")
    sweep_cron: str = variable(
        "SWEEP_CRON", "* * * * * */15", "when orders and attempts that stand still are looked for", unit="cron"
    )
    sweep_after: SecondsOrZero = variable(
        "SWEEP_AFTER_SECONDS", "10", "how long they stand still first", unit="seconds"
    )


@dataclass(frozen=True, config=PARSED)
class ToDo(Group):
    title: ClassVar[str] = "To do"
    intro: ClassVar[str] = "An order, purchase or pool that stays in a state for longer is on the to-do page."

    pending_limit: Seconds = variable(
        "PENDING_LIMIT_SECONDS", "120", "for an order that is not claimed", unit="seconds"
    )
    settling_limit: Seconds = variable(
        "SETTLING_LIMIT_SECONDS", "600", "for an order that is being bought", unit="seconds"
    )
    unknown_limit: Seconds = variable(
        "UNKNOWN_LIMIT_SECONDS", "900", "for a purchase without an answer", unit="seconds"
    )
    held_limit: Seconds = variable("HELD_LIMIT_SECONDS", "86400", "for an order that waits for staff", unit="seconds")
    pool_limit: Seconds = variable("POOL_LIMIT_SECONDS", "120", "for a pool, beyond its time", unit="seconds")


@dataclass(frozen=True, config=PARSED)
class Jobs(Group):
    title: ClassVar[str] = "Jobs"

    rescue_cron: str = variable(
        "RESCUE_CRON", "* * * * * */30", "when jobs of dead workers are looked for", unit="cron"
    )
    stalled_worker_seconds: Count = variable(
        "STALLED_WORKER_SECONDS",
        "60",
        "without a heartbeat, after which a worker is taken for dead",
        unit="seconds",
    )
    max_attempts: Count = variable(
        "JOB_MAX_ATTEMPTS", "8", "of a job that fails; the sweep takes over then", unit="runs"
    )
    retry_max_wait_seconds: Count = variable(
        "JOB_RETRY_MAX_WAIT_SECONDS",
        "60",
        "between two runs at most, and by chance up to half as long again",
        unit="seconds",
    )
    keep_hours: Count = variable("JOB_KEEP_HOURS", "72", "that finished jobs are kept", unit="hours")
