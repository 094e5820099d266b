from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import Attempt, Batch, Finding, Intervention, InterventionAction, Pause
from settlement.services.findings import close_finding
from settlement.services.intervening import Figures, request_intervention
from settlement.services.pausing import lift_pause, pause_buying
from trading.models import Coin
from wallets.admin.actions import Question, ReasonForm, acts_on_chosen, ask_for_reason, ask_staff
from wallets.admin.records import BoundedPaginator, QuickAdmin, RecordAdmin, badge, link_to, link_to_list
from wallets.exceptions import DomainError
from wallets.models import User


@admin.register(Batch)
class BatchAdmin(RecordAdmin):
    list_display = ("id", "status", "coin", "orders_count", "needed", "charged", "reserved", "created_at", "reason")
    list_filter = ("state", "coin")
    list_select_related = ("coin",)
    search_fields = ("id",)
    search_help_text = "The id of a batch"
    actions = ("look_again", "retry", "refund", "mark_filled", "mark_not_placed")
    object_actions = actions
    fields = (
        "status",
        "reason",
        "coin",
        "orders_count",
        "needed",
        "charged",
        "reserved",
        "created_at",
        "closed_at",
        "orders",
        "attempts_",
        "interventions_",
    )
    readonly_fields = fields

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_batch")

    @admin.display(description="State")
    def status(self, batch: Batch) -> SafeString | str:
        return badge(batch.state)

    @admin.display(description="Orders")
    def orders(self, batch: Batch) -> SafeString:
        return link_to_list("trading_order", "orders", batch_id=batch.pk)

    @admin.display(description="Attempts")
    def attempts_(self, batch: Batch) -> SafeString:
        return link_to_list("settlement_attempt", "attempts", batch__id__exact=batch.pk)

    @admin.display(description="Interventions")
    def interventions_(self, batch: Batch) -> SafeString:
        return link_to_list("settlement_intervention", "interventions", batch__id__exact=batch.pk)

    @admin.action(description="Ask the exchange again", permissions=["operate"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        return self._intervene(request, queryset, InterventionAction.LOOK_AGAIN)

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

    def _intervene(
        self,
        request: HttpRequest,
        chosen: QuerySet[Batch],
        action: InterventionAction,
        form_class: type[ReasonForm] = ReasonForm,
    ) -> HttpResponse | None:
        """Ask why, and hand it to a worker: only workers talk to the exchange."""
        title = f"{action.label.capitalize()}: these batches"
        question = Question(action=action.value, title=title, form_class=form_class)
        given = ask_staff(page=self, request=request, chosen=chosen, question=question)
        if isinstance(given, HttpResponse):
            return given
        reason = given.pop("reason")
        for batch in chosen:
            try:
                request_intervention(
                    batch=batch,
                    action=action,
                    reason=reason,
                    requested_by=cast("User", request.user),
                    now=timezone.now(),
                    figures=Figures(**given) if given else None,
                )
            except DomainError as error:
                self.message_user(request, f"{batch}: {error}", messages.ERROR)
            else:
                self.log_change(request, batch, f"{action.label}: {reason}")
                self.message_user(request, f"{batch}: a worker does it; see its interventions for what came of it.")
        return None


class _FiguresForm(ReasonForm):
    quantity = forms.DecimalField(max_digits=38, decimal_places=8, min_value=Decimal("0.00000001"), help_text="Coins")
    cost = forms.DecimalField(
        max_digits=38, decimal_places=8, min_value=Decimal("0.00000001"), help_text="In the quote asset"
    )
    commission = forms.DecimalField(
        max_digits=38, decimal_places=8, min_value=0, initial=0, help_text="What was taken in the coin itself"
    )


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = (
        "id",
        "status",
        "batch_link",
        "coin",
        "quantity",
        "executed",
        "cost",
        "lookups",
        "created_at",
        "reason",
    )
    list_filter = ("state", "coin")
    list_select_related = ("coin", "batch")
    search_fields = ("client_order_id",)
    search_help_text = "The client order id, or the exchange's own"

    def find(self, term: str) -> Q:
        return Q(client_order_id=term) | Q(venue_order_id=term)

    @admin.display(description="State")
    def status(self, attempt: Attempt) -> SafeString | str:
        return badge(attempt.state)

    @admin.display(description="Batch")
    def batch_link(self, attempt: Attempt) -> SafeString | str:
        return link_to("settlement_batch", attempt.batch_id)


@admin.register(Intervention)
class InterventionAdmin(RecordAdmin):
    list_display = ("id", "action", "batch_link", "reason", "requested_by", "requested_at", "status", "detail")
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


class _OpenFindingsFilter(admin.SimpleListFilter):
    """What is open, unless staff ask for more."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "Open"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


@admin.register(Finding)
class FindingAdmin(RecordAdmin):
    list_display = ("id", "kind", "subject", "ours", "theirs", "amount", "found_at", "seen_at", "closed_at", "note")
    list_filter = (_OpenFindingsFilter, "kind")
    list_select_related = ("coin", "attempt")
    search_help_text = "The id of a finding"
    search_fields = ("id",)
    actions = ("close",)
    object_actions = ("close",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settlement.change_finding")

    @admin.action(description="Close", permissions=["operate"])
    def close(self, request: HttpRequest, queryset: QuerySet[Finding]) -> HttpResponse | None:
        note = ask_for_reason(page=self, request=request, chosen=queryset, action="close", title="Close these findings")
        if isinstance(note, HttpResponse):
            return note
        for finding in queryset:
            if close_finding(finding=finding, closed_by=cast("User", request.user), note=note, now=timezone.now()):
                self.log_change(request, finding, f"Closed: {note}")
                self.message_user(request, f"{finding} is closed.")
            else:
                self.message_user(request, f"{finding} is closed already.", messages.ERROR)
        return None


class _PauseForm(forms.ModelForm):  # type: ignore[type-arg]  # of a pause
    coin = forms.ModelChoiceField(Coin.objects.all(), required=False, empty_label="everything at the exchange")
    reason = forms.CharField(max_length=200)

    class Meta:
        model = Pause
        fields = ("coin", "reason")


@admin.register(Pause)
class PauseAdmin(QuickAdmin):
    """Adding one stops buying; orders go on being taken. The venue's own pauses end by themselves."""

    list_display = ("__str__", "until", "reason", "times", "set_by", "set_at")
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
        pause_buying(coin=obj.coin, reason=obj.reason, set_by=cast("User", request.user), now=timezone.now())
        obj.pk = Pause.objects.get(coin=obj.coin).pk

    @admin.action(description="Lift", permissions=["operate"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            self.log_change(request, pause, "Lifted.")
            lift_pause(pause=pause)
            self.message_user(request, f"The {pause} is lifted.")


admin.site.unregister(ProcrastinateJob)


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    """Procrastinate's own pages without what may undo a promise.

    A job may be run again once it has failed. None is cancelled or aborted here: the sweep would start it
    anew, or an order would wait.
    """

    list_filter = ["status", "queue_name", "task_name"]
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50
    actions = ["retry_failed"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(description="Retry failed jobs", permissions=["operate"])
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        failed = queryset.filter(status="failed")
        count = len(failed)
        super().retry(request, failed)
        self.message_user(request, f"{count} jobs are run again.")
