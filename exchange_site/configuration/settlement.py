"""Settlement: the venue, purchases and their sweeps, jobs, and the limits of the to-do page."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import (
    Count,
    Dollars,
    DollarsOrZero,
    Hours,
    Milliseconds,
    Seconds,
    SecondsAsNumber,
    SecondsOrZero,
    Share,
)
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Venue(Group):
    title: ClassVar[str] = "Settlement"
    intro: ClassVar[str] = (
        "The variables `EXCHANGE_…` describe the first venue. `VENUE_<NAME>_API_KEY`, `…_API_SECRET`, `…_API_PASSWORD`"
        " (each also as `…_FILE`), `…_URL`, `…_SANDBOX`, `…_QUOTE_ASSET` and `…_TAKER_RATE` describe a further one, for"
        " example `VENUE_KRAKEN_API_KEY`: what they leave out is as for the first, except for its address, keys and"
        " sandbox. A further venue buys nothing until staff put it in use, on the page of the venues."
    )

    id: str = variable(
        "EXCHANGE_ID", "binance", "the venue: binance, binanceus, bybit, coinbase, kraken, kucoin or okx"
    )
    url: str = variable("EXCHANGE_URL", "", "the exchange simulator's address; empty for the venue itself", unit="URL")
    api_key: str = variable(
        "EXCHANGE_API_KEY", "", "for workers only; the key may trade and must not withdraw", secret=True
    )
    api_secret: str = variable("EXCHANGE_API_SECRET", "", secret=True)
    api_password: str = variable("EXCHANGE_API_PASSWORD", "", "for venues whose keys have a password", secret=True)
    sandbox: bool = variable("EXCHANGE_SANDBOX", "False", "uses the venue's own sandbox", unit="switch")
    quote_asset: str = variable(
        "EXCHANGE_QUOTE_ASSET", "USDT", "the asset that pays for coins; booked one to one as US dollars", unit="asset"
    )
    recv_window: Annotated[Milliseconds, Field(ge=timedelta(milliseconds=500), le=timedelta(minutes=1))] = variable(
        "EXCHANGE_RECV_WINDOW_MS",
        "5000",
        "the venue refuses a request that arrives later than this after its timestamp; 500 to 60000",
        unit="milliseconds",
    )
    connect_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_CONNECT_TIMEOUT_SECONDS", "3", "timeout for a connection to the venue", unit="seconds"
    )
    read_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_READ_TIMEOUT_SECONDS",
        "10",
        "timeout for the whole answer, or for a list's next part; a purchase without an answer is looked up",
        unit="seconds",
    )
    call_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_CALL_TIMEOUT_SECONDS",
        "15",
        "longest time of a call about an order, an ask or the time: all its requests with their connections",
        unit="seconds",
    )
    list_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_LIST_TIMEOUT_SECONDS",
        "30",
        "longest time of a call for the venue's markets or the prices of all coins",
        unit="seconds",
    )
    history_timeout_seconds: SecondsAsNumber = variable(
        "EXCHANGE_HISTORY_TIMEOUT_SECONDS",
        "600",
        "longest time in which reconciliation reads all our orders of a coin, page by page",
        unit="seconds",
    )
    markets_max_age_seconds: SecondsAsNumber = variable(
        "EXCHANGE_MARKETS_MAX_AGE_SECONDS",
        "30",
        "how long the venue's list of markets is used; a closed market is noticed after this time at the latest",
        unit="seconds",
    )
    max_wait_seconds: SecondsAsNumber = variable(
        "EXCHANGE_MAX_WAIT_SECONDS",
        "300",
        "the longest wait that the venue may ask for; after it one call finds out whether the venue answers again",
        unit="seconds",
    )
    check_id: str = variable(
        "PRICE_CHECK_VENUE_ID",
        "okx",
        "the second source: a venue of ccxt with public prices in dollars and with times, which confirms prices that"
        " have jumped; if empty, only staff do. The simulator answers as okx",
        in_production="",
    )
    taker_rate: Share = variable(
        "EXCHANGE_TAKER_RATE", "0.001", "the venue's commission; purchases are enlarged to cover it", unit="share"
    )


@dataclass(frozen=True, config=PARSED)
class Settlement(Group):
    title: ClassVar[str] = "Settlement"

    max_loss: Share = variable(
        "MAX_LOSS",
        "0.05",
        "by how much a purchase may cost more than its customers paid; beyond this its batch waits for a while",
        unit="share",
    )
    max_loss_of_an_order: Share = variable(
        "MAX_LOSS_OF_AN_ORDER",
        "0.01",
        "an order whose purchase would cost so much more than it paid, its spread included, is refunded with"
        " price_moved",
        unit="share",
    )
    buy_slack: Share = variable(
        "BUY_SLACK",
        "0.01",
        "by how much the limit of a purchase may be above the ask that was read just before",
        unit="share",
    )
    max_beside_unknown: DollarsOrZero = variable(
        "OPEN_BESIDE_UNKNOWN_MAX",
        "1000.00",
        "how much of a coin may be on its way at other venues while the outcome of a purchase of it is unknown; with 0"
        " the coin waits until it is known",
        unit="US dollars",
    )
    max_top_up: Dollars = variable(
        "TOP_UP_MAX",
        "5.00",
        "by how much the venue's minimum or step may enlarge the purchases of a batch; beyond this nothing is bought",
        unit="US dollars",
    )
    float_max_age: Seconds = variable(
        "FLOAT_MAX_AGE_SECONDS",
        "60",
        "how long a reading of the venue account's funds sizes batches, without which the venue's refusal pauses"
        " buying; and how long a count of what may still be sold is believed without Redis",
        unit="seconds",
    )
    float_cron: str = variable(
        "FLOAT_REFRESH_CRON",
        "* * * * * */5",
        "when the venue account's funds are read, and counted what may still be sold; six fields, the last is seconds",
        unit="cron",
    )
    batch_max_orders: Count = variable("BATCH_MAX_ORDERS", "5000", "maximum that one purchase settles", unit="orders")
    max_attempts: Count = variable(
        "MAX_ATTEMPTS", "10", "attempts that may buy nothing before a batch is parked for staff", unit="attempts"
    )
    lookup_first_wait_seconds: SecondsAsNumber = variable(
        "LOOKUP_FIRST_WAIT_SECONDS",
        "1",
        "wait between the first look-ups of a purchase; doubles each time",
        unit="seconds",
    )
    lookup_max_wait_seconds: SecondsAsNumber = variable(
        "LOOKUP_MAX_WAIT_SECONDS", "60", "longest wait between two look-ups", unit="seconds"
    )
    not_found_margin: SecondsOrZero = variable(
        "NOT_FOUND_MARGIN_SECONDS",
        "2",
        'how long after the end of a request\'s window the answer "not found" begins to count',
        unit="seconds",
    )
    not_found_times: Count = variable(
        "NOT_FOUND_TIMES",
        "3",
        'number of answers "not found" after which a purchase is presumed not placed',
        unit="answers",
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
        "wait before an attempt that was presumed not placed is looked up again; the wait grows",
        unit="seconds",
    )
    recheck_for: Hours = variable(
        "RECHECK_HOURS", "24", "how long an attempt that was presumed not placed is looked up", unit="hours"
    )
    reconcile_cron: str = variable(
        "RECONCILE_CRON", "23 2 * * *", "when our books are compared with the venue's", unit="cron"
    )
    reconcile_days: Count = variable("RECONCILE_DAYS", "2", "how far back reconciliation looks", unit="days")
    sweep_cron: str = variable(
        "SWEEP_CRON", "* * * * * */15", "when the sweep looks for stalled orders and attempts", unit="cron"
    )
    sweep_after: SecondsOrZero = variable(
        "SWEEP_AFTER_SECONDS", "10", "time without progress after which an order or attempt is stalled", unit="seconds"
    )


@dataclass(frozen=True, config=PARSED)
class ToDo(Group):
    title: ClassVar[str] = "To do"
    intro: ClassVar[str] = "The to-do page lists orders, purchases and pools that stay in a state for longer than this."

    pending_limit: Seconds = variable(
        "PENDING_LIMIT_SECONDS", "120", "for an order that no batch has claimed", unit="seconds"
    )
    settling_limit: Seconds = variable(
        "SETTLING_LIMIT_SECONDS", "600", "for an order that is being bought", unit="seconds"
    )
    unknown_limit: Seconds = variable(
        "UNKNOWN_LIMIT_SECONDS", "900", "for a purchase with an unknown outcome", unit="seconds"
    )
    held_limit: Seconds = variable("HELD_LIMIT_SECONDS", "86400", "for an order that is held for staff", unit="seconds")
    pool_limit: Seconds = variable("POOL_LIMIT_SECONDS", "120", "for a pool, after its settle-by time", unit="seconds")
    payout_request_limit: Seconds = variable(
        "PAYOUT_REQUEST_LIMIT_SECONDS", "3600", "for a payout that waits for approval", unit="seconds"
    )
    payout_export_limit: Seconds = variable(
        "PAYOUT_EXPORT_LIMIT_SECONDS", "86400", "for an approved payout that is not exported", unit="seconds"
    )
    payout_answer_limit: Seconds = variable(
        "PAYOUT_ANSWER_LIMIT_SECONDS", "432000", "for a payout that was sent, until the bank's answer", unit="seconds"
    )


@dataclass(frozen=True, config=PARSED)
class Jobs(Group):
    title: ClassVar[str] = "Jobs"

    rescue_cron: str = variable(
        "RESCUE_CRON", "* * * * * */30", "when the jobs of dead workers are found and run again", unit="cron"
    )
    stalled_worker_seconds: Count = variable(
        "STALLED_WORKER_SECONDS",
        "60",
        "time without a heartbeat after which a worker is considered dead, and its jobs are run again",
        unit="seconds",
    )
    standstill_seconds: Count = variable(
        "WORKER_STANDSTILL_SECONDS",
        "90",
        "a worker whose event loop stands still, or that takes and ends no job although some are due, ends after this",
        unit="seconds",
    )
    max_attempts: Count = variable(
        "JOB_MAX_ATTEMPTS",
        "8",
        "number of runs after which a failing job is given up; the sweep then finds its work",
        unit="runs",
    )
    retry_max_wait_seconds: Count = variable(
        "JOB_RETRY_MAX_WAIT_SECONDS",
        "60",
        "longest wait between two runs of a failing job; a random part, up to half of it, is added",
        unit="seconds",
    )
    keep_hours: Count = variable(
        "JOB_KEEP_HOURS",
        "72",
        "how long failed and cancelled jobs are kept; successful jobs are deleted at once",
        unit="hours",
    )
