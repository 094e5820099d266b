"""Attempts, and what the venue did beyond their requests; read-only."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from settlement.models import AbsentMarket, Attempt, Excess
from wallets.admin.records import RecordAdmin, amount, badge, dollars, link_to, link_to_list


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = (
        "id",
        "status",
        "batch_link",
        "coin",
        "venue",
        "quantity_",
        "executed_",
        "cost_",
        "lookups",
        "created_at",
        "reason",
    )
    list_filter = ("state", "coin", "venue")
    list_select_related = ("coin", "batch")
    fields = (
        "status",
        "reason",
        "batch_link",
        "number",
        "coin",
        "venue",
        "asks",
        "client_order_id",
        "venue_order_id",
        "quantity_",
        "limit_price_",
        "budget_",
        "executed_",
        "cost_",
        "commission_",
        "excess_",
        "answer",
        "absent_market_",
        "findings_",
        "signed_at",
        "valid_until",
        "clock_offset_",
        "lookups",
        "not_found",
        "next_step_at",
        "excused",
        "recheck_at",
        "created_at",
        "ended_at",
    )
    readonly_fields = fields
    search_fields = ("client_order_id",)
    search_help_text = "The client order id or the venue's order id"

    def find(self, term: str) -> Q:
        return Q(client_order_id=term) | Q(venue_order_id=term)

    @admin.display(description="State")
    def status(self, attempt: Attempt) -> SafeString | str:
        return badge(attempt.state)

    @admin.display(description="Batch")
    def batch_link(self, attempt: Attempt) -> SafeString | str:
        return link_to("settlement_batch", attempt.batch_id)

    @admin.display(description="Quantity")
    def quantity_(self, attempt: Attempt) -> str:
        return amount(attempt.quantity, attempt.coin)

    @admin.display(description="Limit price (USD)")
    def limit_price_(self, attempt: Attempt) -> str:
        return dollars(attempt.limit_price)

    @admin.display(description="Budget (USD)")
    def budget_(self, attempt: Attempt) -> str:
        """The most that it may cost. This much of the account is set aside until the attempt ends."""
        return dollars(attempt.budget)

    @admin.display(description="Executed")
    def executed_(self, attempt: Attempt) -> str:
        return amount(attempt.executed, attempt.coin)

    @admin.display(description="Cost (USD)")
    def cost_(self, attempt: Attempt) -> str:
        return dollars(attempt.cost)

    @admin.display(description="Commission, taken in the coin")
    def commission_(self, attempt: Attempt) -> str:
        return amount(attempt.commission, attempt.coin)

    @admin.display(description="Beyond the request")
    def excess_(self, attempt: Attempt) -> SafeString | str:
        excess = Excess.objects.filter(attempt=attempt).first()
        return link_to("settlement_excess", excess.pk, excess) if excess else "-"

    @admin.display(description="Lists of markets without the coin")
    def absent_market_(self, attempt: Attempt) -> str:
        return str(AbsentMarket.objects.filter(attempt=attempt).first() or "-")

    @admin.display(description="Findings")
    def findings_(self, attempt: Attempt) -> SafeString:
        return link_to_list("settlement_finding", "findings", attempt__id__exact=attempt.pk, state="all")

    @admin.display(description="Venue's clock less ours")
    def clock_offset_(self, attempt: Attempt) -> str:
        return "-" if attempt.clock_offset is None else f"{attempt.clock_offset.total_seconds():.3f} s"


@admin.register(Excess)
class ExcessAdmin(RecordAdmin):
    """What venues did beyond a request, and staff approved. The coins are the house's surplus."""

    list_display = ("id", "attempt_link", "quantity_", "cost_", "commission_", "intervention_", "booked_at")
    list_select_related = ("attempt__coin",)
    fields = ("attempt_link", "quantity_", "cost_", "commission_", "intervention_", "booked_at")
    readonly_fields = fields
    search_fields = ("id",)
    search_help_text = "The id of an excess"

    @admin.display(description="Attempt")
    def attempt_link(self, excess: Excess) -> SafeString | str:
        return link_to("settlement_attempt", excess.attempt_id, excess.attempt)

    @admin.display(description="Quantity")
    def quantity_(self, excess: Excess) -> str:
        return amount(excess.quantity, excess.attempt.coin)

    @admin.display(description="Cost (USD)")
    def cost_(self, excess: Excess) -> str:
        return dollars(excess.cost)

    @admin.display(description="Commission, taken in the coin")
    def commission_(self, excess: Excess) -> str:
        return amount(excess.commission, excess.attempt.coin)

    @admin.display(description="Approved by intervention")
    def intervention_(self, excess: Excess) -> SafeString | str:
        return link_to("settlement_intervention", excess.intervention_id)
