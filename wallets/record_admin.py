"""What every admin page of records shares: read-only, quick over millions of rows, linked, with coloured states."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from wallets.models import User

LONGEST_COUNT = 10_000
MOST_CHOSEN = 200


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # of any model
    """Counts to ten thousand and no further: COUNT(*) over millions takes longer than a page may.

    Older rows are reached by filters and search.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:LONGEST_COUNT].count())


class QuickAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # of any model
    """Lists whose pages take a bounded number of bounded queries, and nothing to delete."""

    paginator = BoundedPaginator
    show_full_result_count = False
    sortable_by: ClassVar[tuple[str, ...]] = ()  # newest first, by the primary key: any other order would sort millions
    show_facets = admin.ShowFacets.NEVER  # a COUNT(*) for each choice of each filter
    list_per_page = 50
    change_form_template = "wallets/record_change_form.html"
    object_actions: ClassVar[tuple[str, ...]] = ()
    """Actions of the list that the page of one record offers too."""

    class Media:
        css = {"all": ["wallets/records.css"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def find(self, term: str) -> Q:
        """The rows that a search is for; by indexed columns alone."""
        return Q(pk=int(term)) if is_id(term) else Q(pk__in=[])

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(self.find(term)) if term else queryset), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        offered = [
            {"name": name, "title": action[2]}
            for name, action in self.get_actions(request).items()
            if action and name in self.object_actions
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "object_actions": offered})


class RecordAdmin(QuickAdmin):
    """Records of money are looked at, never edited: what changes them are the services."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def acts_on_chosen(request: HttpRequest) -> bool:
    """Whether this is an action on records that were named: they need not be in the list that is shown."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


def is_id(term: str) -> bool:
    """Whether a search may be for a primary key."""
    return term.isdecimal() and term.isascii() and int(term) < 2**63


def find_customers(term: str) -> list[int]:
    """The ids of the customers of this name, in any case: one at most."""
    named = User.objects.annotate(lower=Lower("username")).filter(lower=term.lower())
    return list(named.values_list("pk", flat=True))


def badge(state: str | None) -> SafeString | str:
    """A state in its colour (see records.css)."""
    return format_html('<span class="badge badge-{}">{}</span>', state, state) if state else "-"


def link_to(model: str, pk: object, text: object | None = None) -> SafeString | str:
    """A link to the admin page of a record; `model` is app_model."""
    if pk is None:
        return "-"
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{model}_change", args=[pk]), pk if text is None else text)


def link_to_list(model: str, text: str, **filters: object) -> SafeString:
    """A link to a filtered admin list."""
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), query, text)


class ReasonForm(forms.Form):
    """What staff are asked before an action; subclasses ask for more."""

    reason = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"size": 60, "autofocus": True}))


def ask_for_reason(
    *, page: "admin.ModelAdmin[Any]", request: HttpRequest, chosen: QuerySet[Any], action: str, title: str
) -> str | HttpResponse:
    """The reason that staff gave for an action, or the page that asks for it."""
    given = ask_staff(page=page, request=request, chosen=chosen, action=action, title=title, form_class=ReasonForm)
    return given if isinstance(given, HttpResponse) else str(given["reason"])


def ask_staff(
    *,
    page: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    chosen: QuerySet[Any],
    action: str,
    title: str,
    form_class: type[ReasonForm],
    initial: dict[str, Any] | None = None,
) -> dict[str, Any] | HttpResponse:
    """What staff filled in for an action, or the page that asks for it."""
    if chosen.count() > MOST_CHOSEN:
        page.message_user(request, f"That is for {MOST_CHOSEN} at once at most.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
    form = form_class(request.POST if "reason" in request.POST else None, initial=initial)
    if form.is_valid():
        return form.cleaned_data
    context: Mapping[str, Any] = {
        **page.admin_site.each_context(request),
        "title": title,
        "opts": page.model._meta,  # noqa: SLF001  Django's own name for it
        "form": form,
        "chosen": list(chosen),
        "action": action,
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "wallets/reason.html", dict(context))


def describe(records: list[Model]) -> str:
    """The records by name, for a message to staff."""
    return ", ".join(map(str, records)) or "nothing"
