"""Lists are written as Ninja would write them: validated by their schema, taken apart, and given to its encoder."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ninja.responses import NinjaJSONEncoder
from pydantic import BaseModel

from trading.schemas.coins import CoinAnswer
from trading.schemas.holdings import HoldingAnswer
from trading.schemas.orders import OrderAnswer
from wallets.schemas.accounts import SessionAnswer
from wallets.schemas.deposits import DepositAnswer
from wallets.schemas.payouts import PayeeAnswer, PayoutAnswer
from wallets.schemas.transactions import TransactionAnswer
from wallets.web.writing import Records

RECORDS = [
    OrderAnswer, TransactionAnswer, DepositAnswer, PayoutAnswer, PayeeAnswer, SessionAnswer, CoinAnswer, HoldingAnswer,
]  # fmt: skip
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))
WHOLE_SECONDS = TIMES.map(lambda time: time.replace(microsecond=0))
VALUES = {
    int: st.integers(min_value=0, max_value=2**63 - 1),
    bool: st.booleans(),
    str: st.text(),
    datetime: st.one_of(TIMES, WHOLE_SECONDS),
    Decimal: st.decimals(min_value=0, max_value=10**11, places=18),
    UUID: st.uuids(),
}


def values_of(annotation):
    """Return a strategy for the values of a member."""
    if get_origin(annotation) is Annotated:
        return values_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return st.one_of(*map(values_of, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is NoneType:
        return st.none()
    return rows_of(annotation) if issubclass(annotation, BaseModel) else VALUES[annotation]


def rows_of(record):
    fields = record.model_fields.items()
    return st.fixed_dictionaries({name: values_of(field.annotation) for name, field in fields})


def by_ninja(record, row):
    return json.dumps(record.model_validate(row).model_dump(), cls=NinjaJSONEncoder)


@pytest.mark.parametrize("record", RECORDS)
class TestRecords:
    @given(data=st.data())
    def test_are_written_as_ninja_would(self, record, data):
        row = data.draw(rows_of(record))
        assert Records(record).write_one(row) == by_ninja(record, row)

    @given(data=st.data())
    def test_are_written_in_the_order_of_the_schema_whatever_else_a_row_has(self, record, data):
        row = data.draw(rows_of(record))
        turned = {"other": object(), **dict(reversed(row.items()))}
        assert Records(record).write([turned, turned]) == f"{by_ninja(record, row)}, {by_ninja(record, row)}"

    @given(data=st.data())
    def test_are_refused_if_a_member_is_missing(self, record, data):
        row = data.draw(rows_of(record))
        del row[data.draw(st.sampled_from(list(row)))]
        with pytest.raises(KeyError):
            Records(record).write_one(row)

    def test_may_be_none(self, record):
        assert Records(record).write([]) == ""


class Timed(BaseModel):
    id: int
    at: datetime
    ended_at: datetime | None


@given(st.one_of(TIMES, WHOLE_SECONDS))
def test_a_time_that_postgres_has_written_is_written_as_ninja_would(time):
    whole, _, fraction = time.replace(tzinfo=None).isoformat(" ").partition(".")
    text = f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
    written = Records(Timed, texts=True).write_one({"id": 1, "at": f"{text}+00", "ended_at": None})
    assert written == by_ninja(Timed, {"id": 1, "at": time, "ended_at": None})


def test_a_time_that_postgres_has_written_for_another_zone_is_written_in_utc():
    row = {"id": 1, "at": "2026-01-31 17:30:00.31+05:30", "ended_at": "2026-01-31 12:00:00+02"}
    written = '{"id": 1, "at": "2026-01-31T12:00:00.310Z", "ended_at": "2026-01-31T10:00:00Z"}'
    assert Records(Timed, texts=True).write_one(row) == written


def test_a_time_of_another_zone_is_written_in_utc():
    noon = datetime(2026, 1, 31, 12, 0, 0, 310_999, tzinfo=timezone(timedelta(hours=2)))
    written = Records(Timed).write_one({"id": 1, "at": noon, "ended_at": None})
    assert written == '{"id": 1, "at": "2026-01-31T10:00:00.310Z", "ended_at": null}'


@pytest.mark.parametrize("kind", [float, int | str, list[int], dict[str, int], Decimal])
def test_a_schema_with_another_kind_of_member_is_refused(kind):
    """A decimal too: only its unit says how many places are written."""

    class Record(BaseModel):
        id: int
        member: kind

    with pytest.raises(TypeError, match="nothing writes"):
        Records(Record)
