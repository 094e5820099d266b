"""Admin pages for pauses of buying, which staff set and lift."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from settlement.models import Pause, PauseKind, VenueEntry
from settlement.services.proposals_of_venues import LIFT_PAUSE, PAUSE
from trading.models import Coin
from wallets.admin.actions import ask_for_reason, reported
from wallets.admin.proposals import ShowsRefusals, ask_to_do, ask_to_save
from wallets.admin.records import QuickAdmin


class _PauseForm(forms.ModelForm):  # type: ignore[type-arg]  # of a pause
    coin = forms.ModelChoiceField(Coin.objects.all(), required=False, empty_label="every coin")
    venue = forms.ModelChoiceField(
        VenueEntry.objects.order_by("name"), required=False, to_field_name="name", empty_label="every venue"
    )
    reason = forms.CharField(max_length=200)

    class Meta:
        model = Pause
        fields = ("coin", "venue", "reason")

    def clean_venue(self) -> str:
        chosen = self.cleaned_data["venue"]
        return chosen.name if chosen else ""


@admin.register(Pause)
class PauseAdmin(ShowsRefusals, QuickAdmin):
    """Adding a pause stops buying; orders are still accepted. Automatic pauses stand beside it and end alone."""

    list_filter = ("venue",)
    list_display = ("__str__", "kind", "until", "reason", "times", "set_by", "set_at")
    list_select_related = ("coin", "set_by")
    search_fields = ("id",)
    search_help_text = "The id of a pause"
    actions = ("lift",)
    object_actions = ("lift",)
    form = _PauseForm

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_pause")

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        payload = PAUSE.payload_of(coin=obj.coin, reason=obj.reason, venue=obj.venue)
        ask_to_save(page=self, request=request, kind=PAUSE.name, payload=payload, reason=obj.reason)
        obj.pk = Pause.objects.get(coin=obj.coin, venue=obj.venue, kind=PauseKind.STAFF).pk

    @admin.action(description="Lift", permissions=["operate"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Pause]) -> HttpResponse | None:
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="lift", title="Lift these pauses")
        if isinstance(reason, HttpResponse):
            return reason
        for pause in queryset:
            with reported(page=self, request=request, item=pause):
                payload = LIFT_PAUSE.payload_of(pause=pause)
                proposal = ask_to_do(page=self, request=request, kind=LIFT_PAUSE.name, payload=payload, reason=reason)
                self.log_change(request, pause, f"{'Asked to lift' if proposal.needs_two else 'Lifted'}: {reason}")
                if not proposal.needs_two:
                    self.message_user(request, proposal.record.detail)
        return None
