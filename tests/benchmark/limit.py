"""The limit: the statements that placing an order runs, played by pgbench on the same tables.

The statements are not copied here. One order is placed and what it sends is written down, with variables in the
places of what differs from order to order; so the limit is always that of the code that is measured. Orders may be placed
together when several wait. What is recorded is one order that waits alone, so the limit is that of one order a transaction.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from exchange_site.database.owner import as_owner
from exchange_site.stack.binaries import postgres_binary
from tests.benchmark.customers import Customers
from tests.benchmark.load import BenchmarkFailed
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Wallet
from wallets.money import USD
from wallets.selectors.accounts import Principal

_COLON: Final = re.compile(r"':(\w+)'")  # pgbench would take `:charge` in a text for a variable
_COMMENT: Final = re.compile(r"(?:^|\s)--\s.*$", re.MULTILINE)
_LIMITED: Final = re.compile(r"\b(?:LIMIT|OFFSET)\s+:\w+", re.IGNORECASE)
_HIGH: Final = 10**12
_FIRST_IDS: Final = {7 * _HIGH: "wallets_user", 8 * _HIGH: "wallets_wallet", 9 * _HIGH: "trading_order"}
_LEAST_SECONDS: Final = 2  # connecting counts, and pgbench says no rate without a transaction
_RATE: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Statement:
    sql: str
    values: Mapping[str, Any] | tuple[Any, ...]


def spread_ids() -> None:
    """Start the tables' ids so high that no other number in a statement, such as a limit, can be one of them."""
    with as_owner(), connection.cursor() as cursor:
        for first, table in _FIRST_IDS.items():
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first])


def write_script(*, customers: Customers, coin: str, into: Path) -> Path:
    """Place an order and write down how, as a script for pgbench that places such orders for all customers.

    Raises BenchmarkFailed if a variable or an id stands where it cannot belong.
    """
    now = timezone.now()
    statements: list[Statement] = []
    principal = Principal(user_id=customers.spare, token_version=0)
    with _recording(statements.append):
        request = OrderRequest(coin_name=coin, amount=Decimal(3), total=None)
        order = place_order(buyer=principal, order_request=request, now=now).order
    render = renderer(order=order, now=now)
    lines = [
        f"\\set n random(0, {customers.count - 1})",
        f"\\set customer {customers.first} + :n",
        f"\\set wallet {customers.first_wallet} + :n",
        "BEGIN;",
        *(written(statement, render) for statement in statements),
        "COMMIT;",
    ]
    into.write_text("\n".join(lines) + "\n")
    return into


def _recording(keep: Callable[[Statement], None]) -> AbstractContextManager[None]:
    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001  Django's signature
        keep(Statement(sql=sql, values=params or ()))
        return execute(sql, params, many, context)

    return connection.execute_wrapper(record)


def renderer(*, order: Order, now: datetime) -> Callable[[Any], str]:
    """Return a function that writes a value of the statements that placed `order`, at `now`, as pgbench reads it."""
    wallet = Wallet.objects.get(owner_id=order.customer_id, asset=USD)
    variables: dict[int, str] = {
        order.customer_id: ":customer::bigint",
        wallet.pk: ":wallet::bigint",
    }

    def render(value: Any) -> str:
        if type(value) is int and value in variables:
            return variables[value]
        if type(value) is int and value == order.pk:
            raise BenchmarkFailed("the id of the recorded order is in a statement, so no other order can be placed so")
        if isinstance(value, datetime):
            return f"(now() + {(value - now).total_seconds()} * interval '1 second')"
        if isinstance(value, date):
            return f"'{value.isoformat()}'::date"
        if isinstance(value, list | tuple):
            return f"ARRAY[{', '.join(map(render, value))}]" if value else "'{}'"
        return _literal(value)

    return render


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"'{value:f}'::numeric"
        case int():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
    raise BenchmarkFailed(f"{type(value)} in a statement: say how pgbench writes it")


def written(statement: Statement, render: Callable[[Any], str]) -> str:
    """Return a statement with its values. Raises BenchmarkFailed if one of them cannot be right."""
    values = statement.values
    sql = _COMMENT.sub("", statement.sql)
    rendered: Any = (
        {name: render(value) for name, value in values.items()}
        if isinstance(values, Mapping)
        else tuple(map(render, values))
    )
    text = " ".join((sql % rendered).split())
    if wrong := _LIMITED.search(text):
        raise BenchmarkFailed(f"`{wrong[0]}` in a recorded statement: a number was taken for an id")
    return _COLON.sub(r"chr(58) || '\1'", text) + ";"


def run_pgbench(*, script: Path, environment: Mapping[str, str], clients: int, **how: float) -> float:
    """Transactions a second, for `seconds`, two at least, or of `transactions` by each client."""
    length = (
        ["-T", f"{max(how['seconds'], _LEAST_SECONDS):.0f}"]
        if "seconds" in how
        else ["-t", f"{how['transactions']:.0f}"]
    )
    command = [
        *(str(postgres_binary("pgbench")), "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(2, clients))),
        *(*length, "-f", str(script), "-h", environment["POSTGRES_HOST"], "-p", environment["POSTGRES_PORT"]),
        *("-U", environment["POSTGRES_USER"], environment["POSTGRES_DB"]),
    ]
    done = subprocess.run(
        command,
        env={**environment, "PGPASSWORD": environment["POSTGRES_PASSWORD"]},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _RATE.search(done.stdout)
    if done.returncode or not found:
        raise BenchmarkFailed(f"pgbench failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return float(found.group(1))
