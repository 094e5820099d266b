"""Monthly statements over HTTP, in JSON and CSV. Both are written while the movements are read."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from ninja import Router

from trading.problems import answers
from trading.schemas.statements import MonthInPath, StatementAnswer
from trading.selectors.statements import MonthlyStatement, read_statement
from wallets.exceptions import NotAcceptable, NotFound
from wallets.models import Transaction
from wallets.money import COIN_PLACES, USD, USD_PLACES, plain
from wallets.runtime import clock
from wallets.schemas.transactions import TransactionAnswer
from wallets.selectors.months import follow_dollars
from wallets.web.bodies import Body
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.cells import Cell, csv_line
from wallets.web.limits import STATEMENTS
from wallets.web.long_answers import LongAnswer, name_file
from wallets.web.media_types import CSV, CSV_UTF8, JSON, offer_csv, preferred_type, vary_by_type
from wallets.web.problems import SIGNED_IN
from wallets.web.writing import Records

statements_router = Router(tags=["transactions"], auth=FreshAccessToken(limit=STATEMENTS))

_COLUMNS: Final = (
    "record", "id", "created_at", "type", "kind", "order_id", "crypto", "amount", "balance_after", "cost", "price",
    "price_at", "price_source", "value",
)  # fmt: skip
_EMPTY: Final = "]}"
_MOVEMENTS: Final = Records(TransactionAnswer)


def _line(record: str, **cells: Cell) -> str:
    return csv_line(record if column == "record" else cells.get(column) for column in _COLUMNS)


_EXAMPLE: Final = csv_line(_COLUMNS) + "opening,,2026-01-01T00:00:00.000Z,,,,,,0.00,,,,,\r\n"


@statements_router.get(
    "statements/{month}/",
    operation_id="getStatement",
    summary="Get the statement of a month",
    **offer_csv(answers({200: StatementAnswer}, *SIGNED_IN, NotFound, NotAcceptable), example=_EXAMPLE),
)
def statement(request: HttpRequest, month: MonthInPath) -> Any:
    """Returns the statement of a month of UTC, with all its movements. In CSV the column `record` says what a line is:
    `opening`, `movement`, `closing` (`interim` until the month has ended), `holding`, and `total` of the holdings.
    """
    form = preferred_type(request, offered=(JSON, CSV))
    found = read_statement(customer_id=caller(request).user_id, name=month, now=clock.now())
    movements = follow_dollars(customer_id=caller(request).user_id, month=found.month, dollars=found.dollars)
    write = _write_csv if form == CSV else _write_json
    pieces = (text.encode() for text in write(month, found, movements))
    answer = LongAnswer(pieces, content_type=CSV_UTF8 if form == CSV else JSON)
    if form == CSV:
        name_file(answer, name=f"statement-{month}.csv")
    vary_by_type(answer)
    return answer


def _write_json(name: str, found: MonthlyStatement, movements: Iterator[list[Transaction]]) -> Iterator[str]:
    head = json.dumps(StatementAnswer.model_validate(_body(name, found)).model_dump(), cls=DjangoJSONEncoder)
    assert head.endswith(_EMPTY), "movements are the last member"
    yield head.removesuffix(_EMPTY)
    between = ""
    for piece in movements:
        yield between + _MOVEMENTS.write(_movement(row, found) for row in piece)
        between = ", "
    yield _EMPTY


def _body(name: str, found: MonthlyStatement) -> Body:
    dollars, month = found.dollars, found.month
    return {
        "month": name,
        "currency": USD,
        "begins_at": month.begins_at,
        "ends_at": month.ends_at,
        "as_of": found.as_of,
        "is_final": month.is_final,
        "opening": dollars.opening,
        "incoming": dollars.incoming,
        "outgoing": dollars.outgoing,
        "closing": dollars.closing,
        "holdings": found.holdings,
        "holdings_cost": found.holdings_cost,
        "holdings_value": found.holdings_value,
        "movements": [],
    }


def _movement(row: Transaction, found: MonthlyStatement) -> Body:
    return {
        "id": row.pk,
        "type": _direction(row, found),
        "kind": row.kind,
        "amount": row.amount,
        "balance_after": row.balance_after,
        "order_id": row.order_id,
        "created_at": row.created_at,
    }


def _direction(row: Transaction, found: MonthlyStatement) -> str:
    return "deposit" if row.destination_id == found.dollars.wallet_id else "withdrawal"


def _write_csv(_: str, found: MonthlyStatement, movements: Iterator[list[Transaction]]) -> Iterator[str]:
    dollars, month = found.dollars, found.month
    yield csv_line(_COLUMNS) + _line("opening", created_at=month.begins_at, balance_after=_usd(dollars.opening))
    for piece in movements:
        yield "".join(_movement_line(row, found) for row in piece)
    last = "closing" if month.is_final else "interim"
    yield _line(last, created_at=found.as_of, balance_after=_usd(dollars.closing))
    for holding in found.holdings:
        yield _line(
            "holding",
            crypto=holding.crypto,
            amount=plain(holding.amount, places=COIN_PLACES),
            cost=_usd(holding.cost),
            price=None if holding.price is None else f"{holding.price.normalize():f}",
            price_at=holding.price_at,
            price_source=holding.price_source,
            value=_usd(holding.value),
        )
    yield _line("total", cost=_usd(found.holdings_cost), value=_usd(found.holdings_value))


def _movement_line(row: Transaction, found: MonthlyStatement) -> str:
    return _line(
        "movement",
        id=row.pk,
        created_at=row.created_at,
        type=_direction(row, found),
        kind=row.kind,
        order_id=row.order_id,
        amount=_usd(row.amount),
        balance_after=_usd(row.balance_after),
    )


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount, places=USD_PLACES)
