"""Admin page of the reviews of held orders."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.models import OrderState, Review
from trading.services.proposing.kinds import REFUND_ORDER, RELEASE_ORDER
from wallets.admin.actions import acts_on_chosen, ask_for_reason, reported
from wallets.admin.proposals import ask_to_do
from wallets.admin.records import RecordAdmin, badge, find_customers, is_id, link_to, link_to_list, moment


class UndecidedFilter(admin.SimpleListFilter):
    """Shows only undecided reviews, unless staff choose another filter or act on chosen reviews."""

    title = "decision"
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("released", "Released"), ("refunded", "Refunded"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "To decide"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        if self.value() is None:  # an order that was cancelled with a return is not decided about any more
            return queryset.filter(decision=None, order__state=OrderState.HELD)
        return queryset.filter(decision=self.value())


@admin.register(Review)
class ReviewAdmin(RecordAdmin):
    list_display = ("order_link", "status", "rule", "grounds", "of", "total", "held_at", "decided_by", "note")
    list_filter = (UndecidedFilter, "rule")
    list_select_related = ("order__customer", "order__coin", "decided_by")
    search_fields = ("order",)
    search_help_text = "The whole username of the customer, or the id of the order"
    actions = ("release", "refund")
    object_actions = ("release", "refund")
    fields = (
        "order_link",
        "of",
        "total",
        "rule",
        "grounds",
        "held_at",
        "status",
        "decided_by",
        "decided_at",
        "note",
        "other_orders",
    )
    readonly_fields = fields

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_review")

    def find(self, term: str) -> Q:
        found = Q(order__customer_id__in=find_customers(term))
        return found | Q(pk=int(term)) if is_id(term) else found

    @admin.display(description="Order")
    def order_link(self, review: Review) -> SafeString | str:
        return link_to("trading_review", review.pk, review.order)

    @admin.display(description="Decision")
    def status(self, review: Review) -> SafeString | str:
        return badge(review.decision or "undecided")

    @admin.display(description="Customer")
    def of(self, review: Review) -> SafeString | str:
        return link_to("wallets_user", review.order.customer_id, review.order.customer)

    @admin.display(description="Order of")
    def total(self, review: Review) -> SafeString | str:
        order = review.order
        text = f"{order.amount.normalize():f} {order.coin} for {order.charge} USD"
        return link_to("trading_order", order.pk, text)

    @admin.display(description="Held since")
    def held_at(self, review: Review) -> str:
        return moment(review.order.held_at)

    @admin.display(description="The customer's orders")
    def other_orders(self, review: Review) -> SafeString:
        return format_html("{}", link_to_list("trading_order", "orders", customer__id__exact=review.order.customer_id))

    @admin.action(description="Release", permissions=["decide"])
    def release(self, request: HttpRequest, queryset: QuerySet[Review]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="release", title="Release these orders"
        )
        if isinstance(reason, HttpResponse):
            return reason
        for review in queryset:
            with reported(page=self, request=request, item=review.order):
                payload = RELEASE_ORDER.payload_of(order_id=review.pk, note=reason)
                proposal = ask_to_do(
                    page=self, request=request, kind=RELEASE_ORDER.name, payload=payload, reason=reason
                )
                if not proposal.needs_two:
                    self.message_user(request, proposal.record.detail)
        return None

    @admin.action(description="Refund", permissions=["decide"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Review]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="refund", title="Refund these orders"
        )
        if isinstance(reason, HttpResponse):
            return reason
        for review in queryset:
            with reported(page=self, request=request, item=review.order):
                payload = REFUND_ORDER.payload_of(order_id=review.pk, note=reason)
                proposal = ask_to_do(page=self, request=request, kind=REFUND_ORDER.name, payload=payload, reason=reason)
                self.message_user(request, proposal.record.detail)
        return None
