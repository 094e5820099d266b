"""Admin page of deposits."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from wallets.admin.records import RecordAdmin, badge, dollars, find_customers, is_id, link_to
from wallets.models import Deposit


@admin.register(Deposit)
class DepositAdmin(RecordAdmin):
    list_display = ("id", "created_at", "standing", "value", "of", "source", "reference", "received_at", "note")
    list_filter = ("state",)
    list_select_related = ("customer",)
    search_fields = ("reference",)
    search_help_text = "The whole username or reference, or the id of a deposit"
    fields = (
        "standing",
        "value",
        "of",
        "source",
        "reference",
        "received_at",
        "created_at",
        "note",
        "decided_by",
        "approved_by",
        "decided_at",
    )
    readonly_fields = fields

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term)) | Q(reference=term)
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(reference=term)

    @admin.display(description="State")
    def standing(self, deposit: Deposit) -> SafeString | str:
        return badge(deposit.state, deposit.get_state_display())

    @admin.display(description="USD")
    def value(self, deposit: Deposit) -> str:
        return dollars(deposit.amount)

    @admin.display(description="Customer")
    def of(self, deposit: Deposit) -> SafeString | str:
        return link_to("wallets_user", deposit.customer_id, deposit.customer)
