"""Measure settlement: how fast it clears a backlog, and whether it keeps up while orders are placed."""

import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.db.models import Max, Min
from django.utils import timezone

from tests.benchmark.limit import run_pgbench
from tests.benchmark.load import BenchmarkFailed, Call, Load, put_load
from tests.benchmark.servers import Stack
from trading.models import PAID_AND_OPEN, Coin, Order, OrderState
from trading.services.coins import put_on_sale, save_coin

_PATIENCE_SECONDS = 300.0
_PLACERS = 8


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The settlement of `orders` that waited for workers. `seconds` is from the first claim to the last completion."""

    orders: int
    seconds: float
    purchases: int
    other_coin_seconds: float


@dataclass(frozen=True, kw_only=True)
class Sustained:
    """Rates of placing and settling at the same time, and the number of open orders at the start and the end."""

    placed: Load
    settled_rate: float
    open_before: int
    open_after: int


def offer_coin(*, name: str, price: str, venue: str) -> Coin:
    """Sell a coin at a fixed price, which is also the venue's."""
    httpx.put(f"{venue}/control/prices", json={f"{name}USDT": price}).raise_for_status()
    coin = put_on_sale(name=name)
    coin.fixed_price = price
    save_coin(coin=coin)
    return coin


def settle_backlog(*, stack: Stack, orders: int, script: Path, coin: Coin, other: Call) -> Backlog:
    """Place `orders` without workers, start the workers, and place an order of another coin at once."""
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
    """Measure placing and settling while the workers run."""
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


def wait_until_settled(stack: Stack) -> None:
    """Wait until no order is open, except those in pools. Raises BenchmarkFailed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _count_open():
        if time.monotonic() > deadline:
            words = "\n".join(map(stack.last_words, range(len(stack.workers))))
            raise BenchmarkFailed(f"{_count_open()} orders are still open after {_PATIENCE_SECONDS:.0f} s:\n{words}")
        stack.revive_workers()
        time.sleep(0.1)


def _count_open() -> int:
    """Count state by state, so that each query uses a partial index and hardly disturbs the measurement."""
    states = set(PAID_AND_OPEN) - {OrderState.POOLED}
    return sum(Order.objects.filter(state=state).count() for state in states)


def _place(stack: Stack, call: Call) -> int:
    assert call.tokens is not None
    assert call.body is not None
    token = call.tokens.read_text().split()[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{stack.url}{call.path}", content=call.body, headers=headers, timeout=30)
    placed: int = answer.raise_for_status().json()["id"]
    return placed
