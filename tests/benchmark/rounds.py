"""The measures of a stack, and how those of one or two stacks are taken, in turns."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connection
from rich.console import Console

from tests.benchmark import frozen, turns
from tests.benchmark.customers import NOBODY, PASSWORD, SIGNERS, Customers
from tests.benchmark.flood import read_beside_sign_ins, read_during_flood
from tests.benchmark.limit import run_pgbench, write_script
from tests.benchmark.load import Call, put_load
from tests.benchmark.servers import Stack
from tests.benchmark.settling import measure_completion, place_and_settle, wait_until_settled
from tests.benchmark.steady import place_steadily
from tests.benchmark.turns import TakeTurn
from trading.models import Coin

SEVERAL: Final = ("ABAN", "BULK", "OTHER", "FURTHER")
COINS: Final = (*SEVERAL, "POOL")
WALLET: Final = "/api/v1/accounts/wallet/"
_SIGN_IN: Final = f'{{"username": "{NOBODY}", "password": "{PASSWORD}"}}'
_FULL_LOAD: Final = 32  # clients

Measures = Mapping[str, TakeTurn]


@dataclass(frozen=True, kw_only=True)
class Extent(turns.Extent):
    """The size of a benchmark; also the orders of the backlog, and how many times as long as in other turns orders come
    at each steady rate.
    """

    backlog: int
    steady: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that a measurement needs."""

    stack: Stack
    extent: Extent
    customers: Customers
    coins: Mapping[str, Coin]
    console: Console

    def order(self, *coins: str, amount: str = "3", **how: Any) -> Call:
        bodies = tuple(f'{{"crypto": "{coin}", "amount": "{amount}"}}' for coin in coins or ("ABAN",))
        return Call(method="POST", path="/api/v1/orders/", bodies=bodies, tokens=self.customers.tokens, **how)

    def read(self, path: str, *, tokens: Path | None = None) -> Call:
        return Call(method="GET", path=path, tokens=tokens or self.customers.tokens)

    def read_anonymously(self, path: str) -> Call:
        return Call(method="GET", path=path)

    def script(self, coin: str) -> Path:
        return write_script(customers=self.customers, coin=coin, into=self.stack.folder / f"{coin}.sql")

    def loading(self, call: Call, *, clients: int) -> TakeTurn:
        return lambda seconds: asdict(put_load(call=call, url=self.stack.url, clients=clients, seconds=seconds))


def orders_of(bench: Bench) -> Measures:
    """Return the measures of placing orders; those that are compared follow each other."""
    yardsticks = {name: frozen.yardstick(postgres=bench.stack.postgres, **how) for name, how in frozen.MEASURES.items()}
    recorded = _recorded(bench)
    large = {clients: bench.loading(bench.order(), clients=clients) for clients in (8, 32, 64)}
    return {
        "frozen script, 8 clients": yardsticks["frozen script, 8 clients"],
        "pgbench, 8 clients": recorded(8),
        "large order, 8 clients": large[8],
        "large order with a key": bench.loading(bench.order(keyed=True), clients=8),
        "small order": bench.loading(bench.order("POOL", amount="0.5"), clients=8),
        "frozen script, hot wallet": yardsticks["frozen script, hot wallet"],
        "large order, hot wallet": bench.loading(bench.order(streak=turns.HOT_STREAK), clients=8),
        "frozen script, 32 clients": yardsticks["frozen script, 32 clients"],
        "pgbench, 32 clients": recorded(32),
        "large order, 32 clients": large[32],
        "large order, 64 clients": large[64],
        "large orders of several coins": bench.loading(bench.order(*SEVERAL), clients=32),
    }


def _recorded(bench: Bench) -> Callable[[int], TakeTurn]:
    script, environment = bench.script("ABAN"), bench.stack.environment

    def play(clients: int) -> TakeTurn:
        return lambda seconds: {
            "rate": run_pgbench(script=script, environment=environment, clients=clients, seconds=seconds)
        }

    return play


def reads_of(bench: Bench) -> Measures:
    """Return the measures of reads that a long history could slow."""
    longest = bench.read("/api/v1/orders/?limit=200", tokens=bench.customers.readers)
    coins = bench.read_anonymously("/api/v1/exchanges/crypto-currencies/")
    return {
        "empty operation": bench.loading(bench.read_anonymously("/api/benchmark/empty/"), clients=8),
        "wallet": bench.loading(bench.read(WALLET), clients=8),
        "coin list": bench.loading(coins, clients=8),
        "order list": bench.loading(bench.read("/api/v1/orders/"), clients=8),
        "order list of 200": bench.loading(longest, clients=8),
    }


def sign_ins_of(bench: Bench) -> Measures:
    """Return the measures of sign-ins, and of reads beside them."""
    sign_in = Call(method="POST", path="/api/v1/accounts/auth/login/", bodies=(_SIGN_IN,))
    wallet, url = bench.read(WALLET), bench.stack.url
    return {
        "wallet, 8 sign in beside it": lambda seconds: read_beside_sign_ins(
            call=wallet, url=url, clients=8, seconds=seconds, usernames=SIGNERS, password=PASSWORD
        ),
        "wallet, strangers sign in beside it": lambda seconds: read_during_flood(
            call=wallet, url=url, clients=8, seconds=seconds, username=NOBODY, password=PASSWORD
        ),
        "sign-in": bench.loading(sign_in, clients=1),
    }


def completions_of(bench: Bench) -> Measures:
    """Return the measures of the time to completion: of orders that come scattered, and of those of as many clients as can."""
    call, url = bench.order(), bench.stack.url
    full_load = bench.loading(call, clients=_FULL_LOAD)
    tokens = bench.customers.tokens.read_text().split()

    def place(rate: int, seconds: float) -> object:
        return place_steadily(
            url=url, tokens=tokens, body=call.bodies[0], orders=round(rate * seconds), rate=rate, scattered=True
        )

    def taking(place: Callable[[float], object]) -> TakeTurn:
        return lambda seconds: asdict(measure_completion(stack=bench.stack, place=lambda: place(seconds)))

    def steadily(rate: int, stretch: float) -> TakeTurn:
        return taking(lambda seconds: place(rate, seconds * stretch))

    return {
        **{f"{rate} orders a second": steadily(rate, stretch) for rate, stretch in bench.extent.steady.items()},
        f"{_FULL_LOAD} clients": taking(lambda seconds: full_load(seconds * 2)),
    }


def sustained_of(bench: Bench) -> Measures:
    """Return the measures of placing orders without a worker and of placing them while they are settled."""
    call, stack = bench.order(), bench.stack
    load = bench.loading(call, clients=8)

    def place_alone(seconds: float) -> turns.Turn:
        wait_until_settled(stack)
        with stack.without_workers():
            return load(seconds)

    return {
        "placed alone": place_alone,
        "placed and settled": lambda seconds: asdict(
            place_and_settle(stack=stack, call=call, clients=8, seconds=seconds)
        ),
    }


def take_rounds(
    benches: Mapping[str, Bench],
    *,
    found: dict[str, Any],
    measures_of: Callable[[Bench], Measures],
    extent: Extent,
    while_settling: bool = False,
) -> Iterator[None]:
    """Take each measure of each bench in turns, and add it to `found`, by the bench's name; yield after each round.

    Unless `while_settling`, the workers are stopped during a round, and settle the orders between rounds.
    """
    taking: dict[str, Measures] = {}
    for name, bench in benches.items():
        found.setdefault(name, {})
        with looking_at(bench.stack):
            taking[name] = measures_of(bench)
    [first, *_], [measures, *_] = benches.values(), taking.values()
    schedule = {measure: {name: taking[name][measure] for name in benches} for measure in measures}
    settled = nullcontext if while_settling else lambda: _all_settled(benches.values())
    for taken in turns.take_rounds(schedule, settled=settled, extent=extent, console=first.console):
        for measure, turn_of in taken.items():
            for name, turn in turn_of.items():
                found[name].setdefault(measure, []).append(turn)
        yield


@contextmanager
def _all_settled(benches: Collection[Bench]) -> Iterator[None]:
    """Wait until all orders are settled, and stop the workers for the `with` block."""
    with ExitStack() as standing:
        for bench in benches:
            with looking_at(bench.stack):
                wait_until_settled(bench.stack)
            standing.enter_context(bench.stack.without_workers())
        yield


@contextmanager
def looking_at(stack: Stack) -> Iterator[None]:
    """Connect Django's models in this process to the database of `stack`."""
    before, wanted = connection.settings_dict["NAME"], stack.environment["POSTGRES_DB"]
    _point_to(wanted)
    try:
        yield
    finally:
        _point_to(before)


def _point_to(database: str) -> None:
    if connection.settings_dict["NAME"] != database:
        close_connections()
        connection.settings_dict["NAME"] = database


def close_connections() -> None:
    """Close this process's connections, so that the database can be copied."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of Postgres
