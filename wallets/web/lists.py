"""The query parameters of lists over HTTP, the link to the next page, and the two forms of a list: array and page."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from wallets.runtime.paging import DEFAULT_LIMIT, MAX_LIMIT
from wallets.web.bodies import Body, Response
from wallets.web.writing import Records

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_PLAIN_INTEGER = re.compile(r"-?[0-9]+")


def _is_rfc_3339(value: object) -> object:
    """Refuse notations other than RFC 3339, such as seconds since 1970, which Pydantic would accept."""
    if isinstance(value, str) and not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time with its offset, such as 2026-01-31T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    """Convert to UTC, because Postgres refuses offsets of sixteen hours or more."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_is_rfc_3339), AfterValidator(_in_utc)]


def _is_true_or_false(value: object) -> object:
    """Refuse other words for a truth value, such as `yes` and `1`, which Pydantic would accept."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


def _is_plain_integer(value: object) -> object:
    """Refuse other notations of an integer, such as `1_0` and `10.0`, which Pydantic would accept."""
    if isinstance(value, str) and not _PLAIN_INTEGER.fullmatch(value):
        raise ValueError("must be an integer, such as 10")
    return value


PLAIN_INTEGER: Final = BeforeValidator(_is_plain_integer)
"""Stands last, after the bounds, which would else be missing in the document."""


class FormQuery(BaseModel):
    """The parameter of every list."""

    model_config = ConfigDict(extra="forbid")

    envelope: Annotated[
        bool,
        BeforeValidator(_is_true_or_false),
        Field(description="`true` for a page, `items` and `next`, instead of an array."),
    ] = False


class ListQuery(FormQuery):
    """Parameters of every list with pages. Times need an offset, such as `2026-01-31T12:00:00Z`."""

    created_after: Annotated[Moment | None, Field(description="Only records created later; needs an offset.")] = None
    created_before: Annotated[Moment | None, Field(description="Only records created earlier; needs an offset.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="The largest number of records."), PLAIN_INTEGER] = (
        DEFAULT_LIMIT
    )
    cursor: Annotated[str | None, Field(max_length=512, description="The cursor in the previous page's Link.")] = None


def refuse_parameters(request: HttpRequest, *, names: Iterable[str]) -> None:
    """Raise ValidationError for query parameters that mean nothing in the form of answer that the caller prefers."""
    given = [name for name in names if name in request.GET]
    if given:
        raise ValidationError([{"loc": ("query", name), "msg": "is not a parameter of this form"} for name in given])


def link_next(request: HttpRequest, response: HttpResponse, *, cursor: str | None) -> str | None:
    """Add a link to the next page (RFC 8288), and return its address; None on the last page."""
    if cursor is None:
        return None
    query = request.GET.copy()
    query["cursor"] = cursor
    url = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    response["Link"] = f'<{url}>; rel="next"'
    return url


class ListOf:
    """The list that an operation answers with: an array of records, or a page of them. `texts`: see Records."""

    def __init__(self, record: type[BaseModel], *, texts: bool = False) -> None:
        self._records = Records(record, texts=texts)
        self.schema = _list_or_page(record)

    def answer(
        self, response: HttpResponse, rows: Iterable[Body], *, query: FormQuery, following: str | None = None
    ) -> HttpResponse:
        """Write rows into `response`, in the form that the caller has asked for.

        Ninja sends a response as it is. `following` is the address of the next page.
        """
        array = f"[{self._records.write(rows)}]"
        text = f'{{"items": {array}, "next": {json.dumps(following)}}}' if query.envelope else array
        response.content = text.encode()
        return response

    def answer_one(self, response: HttpResponse, row: Body) -> HttpResponse:
        """Write one of the rows into `response`."""
        response.content = self._records.write_one(row).encode()
        return response


def _list_or_page(record: type[BaseModel]) -> Any:
    """Return the schema of a list's answer: an array of records, or a page of them."""
    page = create_model(
        f"{record.__name__.removesuffix('Answer')}Page",
        __base__=Response,
        __doc__="A page of the list, for `envelope=true`. `next` is the address of the next page, null on the last.",
        items=(list[record], ...),  # type: ignore[valid-type]  # known when this runs
        next=(str | None, ...),
    )
    either = Field(union_mode="left_to_right", json_schema_extra=_exclude_each_other)
    return Annotated[list[record] | page, either]  # type: ignore[valid-type]


def _exclude_each_other(schema: dict[str, Any]) -> None:
    schema["oneOf"] = schema.pop("anyOf")
