"""The measures, and how they are taken: one after another, in rounds, so that background load affects all equally."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
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
from tests.benchmark.settling import wait_until_settled
from trading.models import Coin
from wallets.runtime.progress import make_progress

SEVERAL: Final = ("ABAN", "BULK", "OTHER", "FURTHER")
COINS: Final = (*SEVERAL, "POOL")
WALLET: Final = "/api/v1/accounts/wallet/"
_SIGN_IN: Final = f'{{"username": "{NOBODY}", "password": "{PASSWORD}"}}'
_HOT_STREAK: Final = 100  # orders of a customer: production's rule of 200 an hour holds more

Round = dict[str, Any]
Rounds = dict[str, list[Round]]
Measure = Callable[[float], Round]
"""A function that measures for the given number of seconds."""


@dataclass(frozen=True, kw_only=True)
class Extent(turns.Extent):
    """The size of a benchmark; also the orders of the backlog, and for how many seconds orders come at each steady rate."""

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

    def loading(self, call: Call, *, clients: int) -> Measure:
        return lambda seconds: asdict(put_load(call=call, url=self.stack.url, clients=clients, seconds=seconds))


def orders_of(bench: Bench) -> dict[str, Measure]:
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
        "large order, hot wallet": bench.loading(bench.order(streak=_HOT_STREAK), clients=8),
        "frozen script, 32 clients": yardsticks["frozen script, 32 clients"],
        "pgbench, 32 clients": recorded(32),
        "large order, 32 clients": large[32],
        "large order, 64 clients": large[64],
        "large orders of several coins": bench.loading(bench.order(*SEVERAL), clients=32),
    }


def _recorded(bench: Bench) -> Callable[[int], Measure]:
    script, environment = bench.script("ABAN"), bench.stack.environment

    def play(clients: int) -> Measure:
        return lambda seconds: {
            "rate": run_pgbench(script=script, environment=environment, clients=clients, seconds=seconds)
        }

    return play


def reads_of(bench: Bench) -> dict[str, Measure]:
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


def sign_ins_of(bench: Bench) -> dict[str, Measure]:
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


def take_rounds(
    benches: Sequence[Bench],
    *,
    taken: Sequence[Rounds],
    measures_of: Callable[[Bench], dict[str, Measure]],
    extent: Extent,
) -> Iterator[None]:
    """Take each measure of each bench, one after another, round after round, into `taken`; yield after each round.

    The workers are stopped during a round, and settle the orders between rounds.
    """
    sides = []
    for bench in benches:
        with looking_at(bench.stack):
            sides.append(measures_of(bench))
    names = list(sides[0])
    with _progress(benches[0].console, total=(extent.rounds + 1) * len(names) * len(sides)) as advance:
        for number in range(extent.rounds + 1):
            with _all_settled(benches):
                for name, (side, rounds) in product(names, zip(sides, taken, strict=True)):
                    figures = side[name](extent.seconds if number else 1)  # the first round only warms
                    if number:
                        rounds.setdefault(name, []).append(figures)
                    advance()
            if number:
                turns.tell_log(benches[0].console, f"Round {number} of {extent.rounds} is taken.")
                yield


@contextmanager
def _all_settled(benches: Sequence[Bench]) -> Iterator[None]:
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


@contextmanager
def _progress(console: Console, *, total: int) -> Iterator[Callable[[], None]]:
    with make_progress(console) as progress:
        task = progress.add_task("turns", total=total)
        yield lambda: progress.advance(task)
