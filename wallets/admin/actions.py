"""The page on which staff give a reason before an action of the admin runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

MAX_CHOSEN = 200


def acts_on_chosen(request: HttpRequest) -> bool:
    """Say whether the request acts on records chosen by id. The list's default filter must not hide such records."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


class ReasonForm(forms.Form):
    """Asks staff for the reason of an action; subclasses add fields."""

    reason = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"size": 60, "autofocus": True}))


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
