"""The admin page of the venues: their rank, and whether they are in use."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from settlement.models import VenueAccount, VenueEntry
from settlement.services.proposals_of_venues import VENUE
from wallets.admin.proposals import SavedByProposal, ask_to_save
from wallets.admin.records import QuickAdmin, amount, badge, link_to_list


class _VenueForm(forms.ModelForm):  # type: ignore[type-arg]  # of a venue
    reason = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"size": 60}))

    class Meta:
        model = VenueEntry
        fields = ("priority", "state")


@admin.register(VenueEntry)
class VenueEntryAdmin(SavedByProposal, QuickAdmin):
    """Coins are bought at the venue in use with the lowest priority number that can buy them; of several, at the lowest
    ask. A worker adds the venues that its environment describes. To stop buying at one for a while, pause it.
    """

    form = _VenueForm
    list_display = ("name", "priority", "status", "free", "pauses", "added_at")
    fields = ("name", "priority", "state", "free", "pauses", "added_at", "reason")
    readonly_fields = ("name", "free", "pauses", "added_at")
    search_fields = ("name",)
    search_help_text = "The name"
    ordering = ("priority", "name")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: VenueEntry, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        payload = VENUE.payload_of(venue=VenueEntry.objects.get(pk=obj.pk), priority=obj.priority, state=obj.state)
        reason = form.cleaned_data["reason"]
        proposal = ask_to_save(page=self, request=request, kind=VENUE.name, payload=payload, reason=reason)
        form.waiting = [proposal] if proposal.needs_two else []

    @admin.display(description="State")
    def status(self, venue: VenueEntry) -> SafeString | str:
        return badge("active" if venue.state == "in_use" else "off", venue.get_state_display())

    @admin.display(description="Free")
    def free(self, venue: VenueEntry) -> str:
        account = VenueAccount.objects.filter(venue=venue.name).first()
        return amount(account.free, account.asset) if account else "not read yet"

    @admin.display(description="Pauses")
    def pauses(self, venue: VenueEntry) -> SafeString | str:
        return link_to_list("settlement_pause", "pauses", venue__exact=venue.name)
