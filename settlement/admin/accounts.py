"""Admin pages for the account at the venue: its funds, its balances, and the openings and moves that staff book."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from settlement.models import (
    AccountMove,
    AccountMoveKind,
    BalanceReading,
    VenueAccount,
    VenueEntry,
    current_venue,
)
from settlement.selectors.balances import has_opening
from settlement.services.account_moves import ensure_opening_proposed, list_assets
from settlement.services.proposals import ACCOUNT_MOVE
from wallets.admin.actions import ask_for_reason, reported
from wallets.admin.proposals import AddedByProposal, ask_to_do, ask_to_save
from wallets.admin.records import QuickAdmin, RecordAdmin, amount, dollars


@admin.register(BalanceReading)
class BalanceReadingAdmin(RecordAdmin):
    """The latest reading of each asset. An asset without an opening is not compared yet: its reading proposes one."""

    list_display = (
        "__str__",
        "amount_",
        "expected_",
        "difference_",
        "proposed_",
        "read_at",
        "steady_since",
        "agreed_at",
    )
    fields = list_display
    readonly_fields = list_display
    search_fields = ("id",)
    search_help_text = "The id of a reading"
    actions = ("open",)
    object_actions = ("open",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.add_accountmove")

    def fits(self, record: BalanceReading, action: str) -> bool:
        return record.proposed is not None

    @admin.display(description="Read")
    def amount_(self, reading: BalanceReading) -> str:
        return amount(reading.amount, reading.asset)

    @admin.display(description="Expected by our books")
    def expected_(self, reading: BalanceReading) -> str:
        return amount(reading.expected, reading.asset)

    @admin.display(description="Read less expected")
    def difference_(self, reading: BalanceReading) -> str:
        return amount(reading.difference, reading.asset)

    @admin.display(description="Proposed opening")
    def proposed_(self, reading: BalanceReading) -> str:
        return amount(reading.proposed, reading.asset)

    @admin.action(description="Book the proposed opening", permissions=["operate"])
    def open(self, request: HttpRequest, queryset: QuerySet[BalanceReading]) -> HttpResponse | None:
        title = "Book the proposed openings"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="open", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for reading in queryset:
            with reported(page=self, request=request, item=reading):
                ensure_opening_proposed(reading=reading)
                self._open(request, reading, reason=reason)
        return None

    def _open(self, request: HttpRequest, reading: BalanceReading, *, reason: str) -> None:
        move = AccountMove(
            venue=reading.venue,
            asset=reading.asset,
            kind=AccountMoveKind.OPENING,
            amount=reading.proposed or Decimal(0),
            reason=reason,
        )
        payload = ACCOUNT_MOVE.payload_of(move=move, reading=reading)
        proposal = ask_to_do(page=self, request=request, kind=ACCOUNT_MOVE.name, payload=payload, reason=reason)
        if not proposal.needs_two:
            self.log_addition(request, _newest_of(request), reason)
            self.message_user(request, proposal.record.detail)


class _MoveForm(forms.ModelForm):  # type: ignore[type-arg]  # of a move
    venue = forms.ChoiceField(
        choices=lambda: [(name, name) for name in _list_venues()], required=False, help_text="If empty: the first."
    )
    asset = forms.ChoiceField(choices=lambda: [(name, name) for name in _list_all_assets()])
    kind = forms.ChoiceField(choices=AccountMoveKind.choices, initial=AccountMoveKind.MOVE)
    amount = forms.DecimalField(
        max_digits=38,
        decimal_places=8,
        help_text="In units of the asset. A move in is more than 0, a move out less than 0.",
    )
    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text="What was moved, when, and where the venue shows it. The row never changes, and moves no money.",
    )

    class Meta:
        model = AccountMove
        fields = ("venue", "asset", "kind", "amount", "reason")

    def clean_venue(self) -> str:
        return str(self.cleaned_data["venue"] or current_venue())

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        venue, asset = str(given.get("venue")), str(given.get("asset"))
        if asset not in list_assets(venue=venue):
            self.add_error("asset", f"Balances of {asset} are not compared at {venue}.")
        if given.get("kind") == AccountMoveKind.OPENING and has_opening(venue=venue, asset=asset):
            self.add_error("kind", "There is an opening already. Book a move instead.")
        if given.get("kind") == AccountMoveKind.MOVE and given.get("amount") == 0:
            self.add_error("amount", "A move moves something: more than 0 in, less than 0 out.")
        return given


def _list_venues() -> list[str]:
    return sorted({current_venue(), *VenueEntry.objects.values_list("name", flat=True)})


def _list_all_assets() -> list[str]:
    return list(dict.fromkeys(asset for venue in _list_venues() for asset in list_assets(venue=venue)))


@admin.register(AccountMove)
class AccountMoveAdmin(AddedByProposal, QuickAdmin):
    """Adding a row books an opening or a move. Rows never change: another move mends a wrong one."""

    list_display = ("id", "venue", "asset", "kind", "amount_", "reason", "booked_by", "booked_at")
    list_filter = ("kind",)
    list_select_related = ("booked_by",)
    search_fields = ("id",)
    search_help_text = "The id of a move"
    form = _MoveForm

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Amount")
    def amount_(self, move: AccountMove) -> str:
        return amount(move.amount, move.asset)

    def save_model(self, request: HttpRequest, obj: AccountMove, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        payload = ACCOUNT_MOVE.payload_of(move=obj)
        proposal = ask_to_save(page=self, request=request, kind=ACCOUNT_MOVE.name, payload=payload, reason=obj.reason)
        if not proposal.needs_two:
            obj.pk = _newest_of(request).pk
            obj.refresh_from_db()


def _newest_of(request: HttpRequest) -> AccountMove:
    """Return the move that was booked last by the member of staff who is signed in."""
    return AccountMove.objects.filter(booked_by=request.user.pk).latest("pk")


@admin.register(VenueAccount)
class VenueAccountAdmin(RecordAdmin):
    """What purchases can spend, and the order that could not be paid when a claim last looked."""

    list_display = ("__str__", "free_", "read_at", "short_of_", "short_coin", "short_since", "short_at")
    list_select_related = ("short_coin",)
    fields = list_display
    readonly_fields = list_display
    search_fields = ("id",)
    search_help_text = "The id of an account"

    @admin.display(description="Free")
    def free_(self, account: VenueAccount) -> str:
        return amount(account.free, account.asset)

    @admin.display(description="Order that could not be paid (USD)")
    def short_of_(self, account: VenueAccount) -> str:
        return dollars(account.short_of)
