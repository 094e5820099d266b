"""Base classes and helpers of admin pages: read-only records, bounded queries, links, coloured states."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import DecimalField, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from wallets.models import StatementLine, User

MAX_COUNT = 10_000


class WordsFilter(admin.ChoicesFieldListFilter):
    """Shows the values of a field in one way on all pages: with a capital at the beginning, as `All` has one."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        return ({**each, "display": _begin_large(str(each["display"]))} for each in super().choices(changelist))


def _begin_large(words: str) -> str:
    return words if words.isupper() else words.replace("_", " ").capitalize()


admin.FieldListFilter.register(lambda field: bool(field.flatchoices), WordsFilter, take_priority=True)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # for any model
    """Counts at most ten thousand rows: a COUNT(*) over millions would make the page too slow.

    Staff find older rows by filters and search.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:MAX_COUNT].count())


class _PlainNumber(forms.NumberInput):
    """Shows a number without an exponent and without zeros at its end: 0.00000001, where Django's own shows 1E-8."""

    def format_value(self, value: Any) -> str | None:
        if isinstance(value, Decimal):
            return f"{value.normalize():f}"
        shown: str | None = super().format_value(value)
        return shown


class QuickAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # for any model
    """Bounds the number and the cost of a page's queries, and forbids deletion."""

    paginator = BoundedPaginator
    show_full_result_count = False
    sortable_by: ClassVar[tuple[str, ...]] = ()  # newest first by primary key; any other order would sort millions
    show_facets = admin.ShowFacets.NEVER  # facets need a COUNT(*) for each choice of each filter
    list_per_page = 50
    formfield_overrides: ClassVar[Any] = {DecimalField: {"widget": _PlainNumber}}
    change_form_template = "wallets/record_change_form.html"
    object_actions: ClassVar[tuple[str, ...]] = ()
    """List actions that the page of a single record offers too."""

    class Media:
        css = {"all": ["wallets/records.css"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def find(self, term: str) -> Q:
        """Return the condition for a search term. Overrides must use indexed columns only."""
        return Q(pk=int(term)) if is_id(term) else Q(pk__in=[])

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(self.find(term)) if term else queryset), False

    def fits(self, record: Any, action: str) -> bool:
        """Say whether the page of a record offers an action. Overrides leave out what would only be refused."""
        return True

    def is_for(self, person: User, record: Any, action: str) -> bool:
        """Say whether the page of a record offers an action to a person, who has the action's permission."""
        return True

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        record = self.get_object(request, object_id) if self.object_actions else None
        offered = [
            {"name": name, "title": action[2]}
            for name, action in self.get_actions(request).items()
            if action and name in self.object_actions and record is not None and self._offers(request, record, name)
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "object_actions": offered})

    def _offers(self, request: HttpRequest, record: Any, action: str) -> bool:
        return self.fits(record, action) and self.is_for(cast("User", request.user), record, action)


class RecordAdmin(QuickAdmin):
    """Shows records of money as read-only, because only services may change them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def is_id(term: str) -> bool:
    """Say whether a search term can be a primary key."""
    return term.isdecimal() and term.isascii() and int(term) < 2**63


def find_customers(term: str) -> list[int]:
    """Return the ids of the customers of this name in any spelling: one, or two where one is from before keys."""
    return list(User.objects.spelt(term).values_list("pk", flat=True))


def badge(state: str | None, text: str | None = None) -> SafeString | str:
    """Return `state` as a coloured badge that says `text`, by default the state; records.css has the colours."""
    return format_html('<span class="badge badge-{}">{}</span>', state, text or state) if state else "-"


def amount(value: Decimal | None, unit: object) -> str:
    """Return an amount with its unit, without an exponent and without zeros at its end, or a dash for none."""
    return f"{value.normalize():,f} {unit}" if value is not None else "-"


def dollars(value: Decimal | None) -> str:
    """Return US dollars with all the places that count, but at least two, or a dash for none."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if value == round(value, 2) else f"{value.normalize():,f}"


def moment(at: datetime | None) -> str:
    """Return a point in time as the fields of the admin's pages show it, for columns that are methods."""
    return date_format(localtime(at), "DATETIME_FORMAT") if at else "-"


def link_to(model: str, pk: object, text: object | None = None) -> SafeString | str:
    """Return a link to the admin page of a record; `model` has the form `trading_order`."""
    if pk is None:
        return "-"
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{model}_change", args=[pk]), pk if text is None else text)


def link_to_lines(lines: QuerySet[StatementLine], **filters: object) -> SafeString | str:
    """Return a link to the line of a bank statement, or to the list of several by `filters`; a dash without any."""
    found = list(lines.order_by("id")[:2])
    if len(found) == 1:
        return link_to("wallets_statementline", found[0].pk, found[0])
    return link_to_list("wallets_statementline", "several lines", **filters) if found else "-"


def link_to_list(model: str, text: str, **filters: object) -> SafeString:
    """Return a link to an admin list filtered by `filters`; `model` has the form `trading_order`."""
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), urlencode(filters), text)
