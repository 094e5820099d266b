"""Admin pages of the losses by day, and of the stops of sales that staff may end."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from trading.loss_rules import day_of
from trading.models import DayLoss, SalesStop
from trading.services.proposing.kinds import SALES_GO_ON
from wallets.admin.actions import Question, ReasonForm, ask_staff, reported
from wallets.admin.proposals import ask_to_do
from wallets.admin.records import RecordAdmin, amount, dollars
from wallets.runtime import clock


@admin.register(DayLoss)
class DayLossAdmin(RecordAdmin):
    list_display = ("day", "coin", "coins_", "cost_", "charge_", "loss_", "counted_at")
    list_filter = ("day",)
    list_select_related = ("coin",)
    ordering = ("-day", "coin")
    search_fields = ("id",)
    search_help_text = "The id of a row"
    fields = list_display
    readonly_fields = list_display

    @admin.display(description="Delivered")
    def coins_(self, loss: DayLoss) -> str:
        return amount(loss.coins, loss.coin)

    @admin.display(description="Cost (USD)")
    def cost_(self, loss: DayLoss) -> str:
        return dollars(loss.cost)

    @admin.display(description="Paid by their orders (USD)")
    def charge_(self, loss: DayLoss) -> str:
        return dollars(loss.charge)

    @admin.display(description="Loss (USD)")
    def loss_(self, loss: DayLoss) -> str:
        return dollars(loss.loss)


class _FurtherForm(ReasonForm):
    further = forms.DecimalField(
        label="Further loss until sales stop again (USD)", max_digits=12, decimal_places=2, min_value=Decimal("0.01")
    )


@admin.register(SalesStop)
class SalesStopAdmin(RecordAdmin):
    """Stops of sales. They end by themselves at 00:00 UTC; staff may end them earlier."""

    list_display = ("__str__", "loss_", "ceiling_", "stopped_at", "resumed_at", "resumed_by", "reason")
    fields = ("day", "coin", "loss_", "ceiling_", "stopped_at", "resumed_at", "resumed_by", "reason")
    readonly_fields = fields
    list_filter = ("day",)
    list_select_related = ("coin", "resumed_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a stop"
    actions = ("let_sales_go_on",)
    object_actions = ("let_sales_go_on",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_salesstop")

    @admin.display(description="Loss then (USD)")
    def loss_(self, stop: SalesStop) -> str:
        return dollars(stop.loss)

    @admin.display(description="Sales stop at (USD)")
    def ceiling_(self, stop: SalesStop) -> str:
        return dollars(stop.ceiling)

    def fits(self, record: SalesStop, action: str) -> bool:
        return record.stopped_at is not None and record.day == day_of(clock.now())

    @admin.action(description="Let sales go on", permissions=["operate"])
    def let_sales_go_on(self, request: HttpRequest, queryset: QuerySet[SalesStop]) -> HttpResponse | None:
        """End the chosen stop until the day has lost further dollars."""
        stop = queryset.select_related("coin").first()
        if stop is None or queryset.count() > 1:
            self.message_user(request, "Choose one stop.", messages.ERROR)
            return None
        question = Question(action="let_sales_go_on", title=f"End the {stop}", form_class=_FurtherForm)
        given: Any = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        with reported(page=self, request=request, item=stop):
            payload = SALES_GO_ON.payload_of(stop=stop, **given)
            proposal = ask_to_do(
                page=self, request=request, kind=SALES_GO_ON.name, payload=payload, reason=given["reason"]
            )
            if proposal.needs_two:
                self.log_change(request, stop, f"Asked for {proposal}: {given['reason']}")
            else:
                stop.refresh_from_db()
                self.log_change(request, stop, f"Sales go on until a loss of {stop.ceiling:.2f} USD: {given['reason']}")
                self.message_user(request, proposal.record.detail)
        return None
