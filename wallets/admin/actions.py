"""The page on which staff give a reason before an action of the admin runs."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from wallets.exceptions import DomainError

logger = logging.getLogger(__name__)

MAX_CHOSEN = 200


def acts_on_chosen(request: HttpRequest) -> bool:
    """Say whether the request acts on records chosen by id. The list's default filter must not hide such records."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


@contextmanager
def reported(*, page: "admin.ModelAdmin[Any]", request: HttpRequest, item: object) -> Iterator[None]:
    """Act on one of the chosen records. Show a refusal or a failure to staff, and go on with the other records."""
    try:
        yield
    except DomainError as error:
        page.message_user(request, f"{item}: {error}", messages.ERROR)
    except Exception:
        logger.exception("an action of the admin failed for %s", item)
        page.message_user(request, f"{item}: this failed; the log has the error.", messages.ERROR)


class ReasonForm(forms.Form):
    """Asks staff for the reason of an action; subclasses add fields."""

    reason = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"size": 60, "autofocus": True}))


class DollarsForm(ReasonForm):
    """Asks staff for an amount of US dollars too."""

    amount = forms.DecimalField(max_digits=38, decimal_places=2, min_value=Decimal("0.01"), help_text="US dollars")
    field_order: tuple[str, ...] = ("amount", "reason")


@dataclass(frozen=True, kw_only=True)
class Question:
    """The page shown to staff before an action: its title, and its form with initial values."""

    action: str
    title: str
    form_class: type[ReasonForm] = ReasonForm
    initial: dict[str, Any] | None = None


def ask_for_reason(
    *, page: "admin.ModelAdmin[Any]", request: HttpRequest, chosen: QuerySet[Any], action: str, title: str
) -> str | HttpResponse:
    """Return the reason that staff gave for an action, or the page that asks for a reason."""
    question = Question(action=action, title=title)
    given = ask_staff(page=page, request=request, chosen=chosen, question=question)
    return given if isinstance(given, HttpResponse) else str(given["reason"])


def ask_staff(
    *, page: "admin.ModelAdmin[Any]", request: HttpRequest, chosen: QuerySet[Any], question: Question
) -> dict[str, Any] | HttpResponse:
    """Return the values that staff entered for an action, or the page with the form."""
    if chosen.count() > MAX_CHOSEN:
        page.message_user(request, f"Choose at most {MAX_CHOSEN}.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
    form = question.form_class(request.POST if "reason" in request.POST else None, initial=question.initial)
    if form.is_valid():
        return form.cleaned_data
    context: Mapping[str, Any] = {
        **page.admin_site.each_context(request),
        "title": question.title,
        "opts": page.model._meta,  # noqa: SLF001  Django's own name for it
        "form": form,
        "chosen": list(chosen),
        "action": question.action,
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "wallets/reason.html", dict(context))
