"""The query parameters of lists over HTTP, and the link to the next page."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from wallets.runtime.paging import DEFAULT_LIMIT, MAX_LIMIT

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


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


class ListQuery(BaseModel):
    """Parameters of every list. Times need an offset, such as `2026-01-31T12:00:00Z`."""

    model_config = ConfigDict(extra="forbid")

    created_after: Annotated[Moment | None, Field(description="Only records created later; needs an offset.")] = None
    created_before: Annotated[Moment | None, Field(description="Only records created earlier; needs an offset.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="The largest number of records.")] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=512, description="The cursor in the previous page's Link.")] = None


def refuse_unknown_parameters(request: HttpRequest, *, known: type[BaseModel]) -> None:
    """Raise ValidationError for unknown query parameters. Ninja ignores them: a misspelt filter would list too much."""
    unknown = sorted(request.GET.keys() - known.model_fields.keys())
    if unknown:
        raise ValidationError([{"loc": ("query", name), "msg": "is not a parameter of this list"} for name in unknown])


def refuse_parameters(request: HttpRequest, *, names: Iterable[str]) -> None:
    """Raise ValidationError for query parameters that mean nothing in the form of answer that the caller prefers."""
    given = [name for name in names if name in request.GET]
    if given:
        raise ValidationError([{"loc": ("query", name), "msg": "is not a parameter of this form"} for name in given])


def link_next(request: HttpRequest, response: HttpResponse, *, cursor: str | None) -> None:
    """Add a link to the next page (RFC 8288)."""
    if cursor is None:
        return
    query = request.GET.copy()
    query["cursor"] = cursor
    url = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    response["Link"] = f'<{url}>; rel="next"'
