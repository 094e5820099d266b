"""Admin pages for batches and for staff's interventions."""

from decimal import Decimal

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from settlement.models import Batch, Intervention, InterventionAction
from settlement.services.intervening.requests import Figures
from settlement.services.proposals import INTERVENTION
from wallets.admin.actions import Question, ReasonForm, ask_staff, reported
from wallets.admin.proposals import ask_to_do
from wallets.admin.records import RecordAdmin, amount, badge, dollars, link_to, link_to_list


@admin.register(Batch)
class BatchAdmin(RecordAdmin):
    list_display = ("id", "status", "coin", "orders_count", "needed_", "charge_", "reserved_", "created_at", "reason")
    list_filter = ("state", "coin")
    list_select_related = ("coin",)
    search_fields = ("id",)
    search_help_text = "The id of a batch"
    actions = ("look_up", "retry", "refund", "mark_filled", "mark_not_placed", "book_excess")
    object_actions = actions
    fields = (
        "status",
        "reason",
        "coin",
        "orders_count",
        "needed_",
        "charge_",
        "reserved_",
        "created_at",
        "closed_at",
        "orders",
        "attempts_",
        "interventions_",
    )
    readonly_fields = fields

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_batch")

    def fits(self, record: Batch, action: str) -> bool:
        """Offer no purchase and no refund for a batch that is closed. Its attempts may still be in doubt."""
        return record.closed_at is None or action not in {"retry", "refund"}

    @admin.display(description="State")
    def status(self, batch: Batch) -> SafeString | str:
        return badge(batch.state)

    @admin.display(description="Needed")
    def needed_(self, batch: Batch) -> str:
        return amount(batch.needed, batch.coin)

    @admin.display(description="Charge (USD)")
    def charge_(self, batch: Batch) -> str:
        return dollars(batch.charge)

    @admin.display(description="Reserved")
    def reserved_(self, batch: Batch) -> str:
        return amount(batch.reserved, batch.coin)

    @admin.display(description="Orders")
    def orders(self, batch: Batch) -> SafeString:
        return link_to_list("trading_order", "orders", batch_id=batch.pk)

    @admin.display(description="Attempts")
    def attempts_(self, batch: Batch) -> SafeString:
        return link_to_list("settlement_attempt", "attempts", batch__id__exact=batch.pk)

    @admin.display(description="Interventions")
    def interventions_(self, batch: Batch) -> SafeString:
        return link_to_list("settlement_intervention", "interventions", batch__id__exact=batch.pk)

    @admin.action(description="Look up at the venue again", permissions=["operate"])
    def look_up(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.LOOK_UP)

    @admin.action(description="Buy again", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.RETRY)

    @admin.action(description="Refund", permissions=["operate"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.REFUND)

    @admin.action(description="Mark as filled", permissions=["operate"])
    def mark_filled(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.MARK_FILLED, form_class=_FiguresForm)

    @admin.action(description="Mark as not placed", permissions=["operate"])
    def mark_not_placed(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.MARK_NOT_PLACED)

    @admin.action(description="Book what the venue did beyond the request", permissions=["operate"])
    def book_excess(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.BOOK_EXCESS)

    def _intervene(
        self,
        request: HttpRequest,
        chosen: QuerySet[Batch],
        action: InterventionAction,
        form_class: type[ReasonForm] = ReasonForm,
    ) -> HttpResponse | None:
        """Ask staff for a reason, and enqueue the interventions: only workers talk to the venue."""
        question = Question(
            action=action.name.lower(), title=f"{action.label.capitalize()}: these batches", form_class=form_class
        )
        given = ask_staff(page=self, request=request, chosen=chosen, question=question)
        if isinstance(given, HttpResponse):
            return given
        reason = given.pop("reason")
        for batch in chosen:
            with reported(page=self, request=request, item=batch):
                figures = Figures(**given) if given else None
                payload = INTERVENTION.payload_of(batch=batch, action=action, reason=reason, figures=figures)
                proposal = ask_to_do(page=self, request=request, kind=INTERVENTION.name, payload=payload, reason=reason)
                self.log_change(request, batch, f"{action.label}: {reason}")
                if not proposal.needs_two:
                    self.message_user(request, f"{batch}: queued; see Interventions.")
        return None


class _FiguresForm(ReasonForm):
    quantity = forms.DecimalField(max_digits=38, decimal_places=8, min_value=Decimal("0.00000001"), help_text="Coins")
    cost = forms.DecimalField(
        max_digits=38, decimal_places=8, min_value=Decimal("0.00000001"), help_text="In the quote asset"
    )
    commission = forms.DecimalField(
        max_digits=38, decimal_places=8, min_value=0, initial=0, help_text="Commission taken in the coin"
    )


@admin.register(Intervention)
class InterventionAdmin(RecordAdmin):
    list_display = ("id", "action", "batch_link", "status", "detail", "reason", "requested_by", "requested_at")
    list_filter = ("action", "outcome")
    list_select_related = ("batch", "requested_by")
    search_help_text = "The id of an intervention"
    search_fields = ("id",)

    @admin.display(description="Outcome")
    def status(self, intervention: Intervention) -> SafeString | str:
        return badge(intervention.outcome or "undecided")

    @admin.display(description="Batch")
    def batch_link(self, intervention: Intervention) -> SafeString | str:
        return link_to("settlement_batch", intervention.batch_id)
