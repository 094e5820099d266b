"""Measure settlement: how fast it settles a backlog, whether it keeps up with new orders, how soon an order is completed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.db import connection
from django.db.models import Max, Min
from django.utils import timezone

from tests.benchmark.limit import run_pgbench
from tests.benchmark.load import BenchmarkFailed, Call, Load, put_load
from tests.benchmark.servers import Stack
from trading.models import PAID_AND_OPEN, Coin, Order, OrderState
from trading.services.coins import put_on_sale, save_coin

_PATIENCE_SECONDS = 300.0
_PLACERS = 8
_COMPLETION = """
    SELECT count(*), count(*) FILTER (WHERE state = %(state)s),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds),
           max(seconds)
      FROM (SELECT state, extract(epoch FROM completed_at - created_at)::float8 AS seconds
              FROM trading_order WHERE id > %(after)s) placed
"""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How fast `orders` were settled that had waited for workers: `seconds` from first claim to last completion."""

    orders: int
    seconds: float
    purchases: int
    other_coin_seconds: float


@dataclass(frozen=True, kw_only=True)
class Sustained:
    """Rates of orders that were placed and settled at the same time, and the open orders before and after."""

    placed: Load
    settled_rate: float
    open_before: int
    open_after: int


@dataclass(frozen=True, kw_only=True)
class Completion:
    """The seconds in which `orders` orders were completed: half of them, 99 of 100, and all."""

    orders: int
    median_seconds: float
    p99_seconds: float
    most_seconds: float


def offer_coin(*, name: str, price: str, venue: str) -> Coin:
    """Sell a coin at a fixed price, and set the same price at the venue."""
    httpx.put(f"{venue}/control/prices", json={f"{name}USDT": price}).raise_for_status()
    coin = put_on_sale(name=name)
    coin.fixed_price = price
    save_coin(coin=coin)
    return coin


def settle_backlog(*, stack: Stack, orders: int, script: Path, coin: Coin, other: Call) -> Backlog:
    """Place `orders` without workers, then start workers and at once place an order for another coin."""
    wait_until_settled(stack)
    with stack.without_workers():
        run_pgbench(script=script, environment=stack.environment, clients=_PLACERS, transactions=orders / _PLACERS)
        placed = Order.objects.filter(coin=coin, state=OrderState.PENDING)
        count, ids = placed.count(), (placed.earliest("id").pk, placed.latest("id").pk)
    other_id = _place(stack, other)
    wait_until_settled(stack)
    backlog = Order.objects.filter(coin=coin, id__range=ids, state=OrderState.COMPLETED)
    times = backlog.aggregate(begun=Min("settling_at"), ended=Max("completed_at"))
    behind = Order.objects.get(pk=other_id)
    if backlog.count() != count or behind.completed_at is None:
        raise BenchmarkFailed(f"{count} orders waited, {backlog.count()} were settled")
    return Backlog(
        orders=count,
        seconds=(times["ended"] - times["begun"]).total_seconds(),
        purchases=backlog.values("batch_id").distinct().count(),
        other_coin_seconds=(behind.completed_at - behind.created_at).total_seconds(),
    )


def place_and_settle(*, stack: Stack, call: Call, clients: int, seconds: float) -> Sustained:
    """Place orders while the workers settle them."""
    wait_until_settled(stack)
    before, begun = _count_open(), timezone.now()
    placed = put_load(call=call, url=stack.url, clients=clients, seconds=seconds)
    ended = timezone.now()
    settled = Order.objects.filter(completed_at__range=(begun, ended)).count()
    return Sustained(
        placed=placed,
        settled_rate=settled / (ended - begun).total_seconds(),
        open_before=before,
        open_after=_count_open(),
    )


def measure_completion(*, stack: Stack, place: Callable[[], object]) -> Completion:
    """Place orders while the workers settle them. Return how long they took from created_at to completed_at.

    Both times are Postgres' own. Raises BenchmarkFailed if an order was not completed.
    """
    wait_until_settled(stack)
    last = Order.objects.aggregate(last=Max("id"))["last"] or 0
    place()
    wait_until_settled(stack)
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETION, {"after": last, "state": OrderState.COMPLETED})
        placed, completed, *seconds = cursor.fetchone()
    if placed != completed or not placed:
        raise BenchmarkFailed(f"{completed} of {placed} orders were completed")
    return Completion(orders=placed, median_seconds=seconds[0], p99_seconds=seconds[1], most_seconds=seconds[2])


def wait_until_settled(stack: Stack) -> None:
    """Wait until only pooled orders are open. Raises BenchmarkFailed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _count_open():
        if time.monotonic() > deadline:
            words = "\n".join(map(stack.last_words, range(len(stack.workers))))
            raise BenchmarkFailed(f"{_count_open()} orders are still open after {_PATIENCE_SECONDS:.0f} s:\n{words}")
        stack.revive_workers()
        time.sleep(0.1)


def _count_open() -> int:
    """Count by state, because each state has its own partial index and this query runs during a measurement."""
    states = set(PAID_AND_OPEN) - {OrderState.POOLED}
    return sum(Order.objects.filter(state=state).count() for state in states)


def _place(stack: Stack, call: Call) -> int:
    assert call.tokens is not None
    token = call.tokens.read_text().split()[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{stack.url}{call.path}", content=call.bodies[0], headers=headers, timeout=30)
    placed: int = answer.raise_for_status().json()["id"]
    return placed
