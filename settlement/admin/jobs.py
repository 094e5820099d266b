"""Procrastinate's jobs."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

from wallets.admin.actions import reported
from wallets.admin.records import BoundedPaginator
from wallets.runtime import sql

admin.site.unregister(ProcrastinateJob)


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    """Procrastinate's own pages, with one action: run failed jobs again.

    Staff cannot cancel or abort a job here: the sweep would start its work again, or an order would wait without a job.
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
        """Run each job again, with all its attempts before it: staff have mended the cause of its failures.

        A job that cannot wait beside its twin, under the same queueing lock, stays as it is.
        """
        count = 0
        for job in queryset.filter(status="failed"):
            with reported(page=self, request=request, item=f"job {job.pk}"), transaction.atomic():
                super().retry(request, queryset.filter(pk=job.pk))
                sql.execute("settlement.forget_attempts", job_id=job.pk)
                count += 1
        self.message_user(request, f"{count} jobs are run again.")
