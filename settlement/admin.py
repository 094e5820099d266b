from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.exceptions import BatchNotRetryable
from settlement.models import Attempt, Batch
from settlement.services.parking import retry_parked_batch
from wallets.record_admin import BoundedPaginator, RecordAdmin, ask_for_reason, badge, link_to, link_to_list


@admin.register(Batch)
class BatchAdmin(RecordAdmin):
    list_display = ("id", "status", "coin", "orders_count", "needed", "charged", "reserved", "created_at", "reason")
    list_filter = ("state", "coin")
    list_select_related = ("coin",)
    search_fields = ("id",)
    search_help_text = "The id of a batch"
    actions = ("retry",)
    object_actions = ("retry",)
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

    @admin.action(description="Retry", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse | None:
        """Buy again what a parked batch still needs, where nothing of it can have been bought unseen."""
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="retry", title="Retry these batches"
        )
        if isinstance(reason, HttpResponse):
            return reason
        for batch in queryset:
            try:
                retry_parked_batch(batch_id=batch.pk)
            except BatchNotRetryable as error:
                self.message_user(request, f"{batch}: {error}", messages.ERROR)
            else:
                self.log_change(request, batch, f"Retried: {reason}")
                self.message_user(request, f"{batch} is bought again.")
        return None


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
