"""Admin pages of wallets and movements."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from wallets.admin.actions import DollarsForm, Question, ask_for_reason, ask_staff, reported
from wallets.admin.proposals import ask_about
from wallets.admin.records import RecordAdmin, badge, find_customers, is_id, link_to, link_to_list
from wallets.exceptions import NotCorrectable, NotFound
from wallets.models import Transaction, Wallet
from wallets.money import USD
from wallets.services.correcting import find_correctable
from wallets.services.money_kinds import CORRECTION, GOODWILL


class AssetFilter(admin.SimpleListFilter):
    """Offers only the assets of house wallets: reading these few rows is cheap; the filtered tables have millions."""

    title = "asset"
    parameter_name = "asset"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        assets = Wallet.objects.filter(owner=None).values_list("asset", flat=True).distinct().order_by("asset")
        return [(asset, asset) for asset in assets]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(asset=self.value()) if self.value() else queryset


@admin.register(Wallet)
class WalletAdmin(RecordAdmin):
    list_display = ("id", "holder", "asset", "role", "balance", "standing", "movements")
    list_filter = (AssetFilter, "role", "frozen")
    list_select_related = ("owner",)
    search_fields = ("owner",)
    search_help_text = "The whole username of the owner, or an id"
    actions = ("give_goodwill",)
    object_actions = actions
    fields = ("holder", "asset", "role", "balance", "standing", "created_at", "movements")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        found = Q(owner_id__in=find_customers(term))
        return found | Q(pk=int(term)) if is_id(term) else found

    def fits(self, record: Wallet, action: str) -> bool:
        return record.owner_id is not None and record.asset == USD

    def has_give_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.give_goodwill")

    @admin.action(description="Give goodwill", permissions=["give"])
    def give_goodwill(self, request: HttpRequest, queryset: QuerySet[Wallet]) -> HttpResponse | None:
        """Ask that the owners of the chosen dollar wallets are given dollars of the house."""
        question = Question(action="give_goodwill", title="Give these customers goodwill", form_class=DollarsForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        for wallet in queryset:
            with reported(page=self, request=request, item=wallet):
                if wallet.owner_id is None or wallet.asset != USD:
                    raise NotFound("This is no customer's dollar wallet.")
                payload = GOODWILL.payload_of(customer_id=wallet.owner_id, amount=given["amount"])
                kind, reason = GOODWILL.name, given["reason"]
                ask_about(page=self, request=request, record=wallet, kind=kind, payload=payload, reason=reason)
        return None

    @admin.display(description="Owner")
    def holder(self, wallet: Wallet) -> SafeString | str:
        return link_to("wallets_user", wallet.owner_id, wallet.owner) if wallet.owner_id else "the house"

    @admin.display(description="Standing")
    def standing(self, wallet: Wallet) -> SafeString | str:
        return badge("frozen" if wallet.frozen else "active")

    @admin.display(description="Movements")
    def movements(self, wallet: Wallet) -> SafeString | str:
        if wallet.owner_id is None:
            return "-"
        return link_to_list(
            "wallets_transaction", "transactions", customer__id__exact=wallet.owner_id, asset=wallet.asset
        )


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = ("id", "created_at", "kind", "asset", "amount", "of", "balance_after", "order", "reference")
    list_filter = ("kind", AssetFilter)
    list_select_related = ("customer",)
    search_fields = ("reference",)
    search_help_text = "The whole username or reference, the id of an order, or the id of a transaction"
    actions = ("correct",)
    object_actions = actions
    fields = (
        "created_at",
        "kind",
        "asset",
        "amount",
        "from_wallet",
        "to_wallet",
        "of",
        "balance_after",
        "order",
        "reference",
        "correction_of",
        "idempotency_key",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        rows: QuerySet[Transaction] = ModelAdmin.get_queryset(self, request)
        is_page = request.resolver_match is not None and request.resolver_match.kwargs.get("object_id")
        return rows.select_related("source__owner", "destination__owner", "customer") if is_page else rows

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term)) | Q(order_id=int(term))
        customers = find_customers(term)
        return Q(customer_id__in=customers) if customers else Q(reference=term)

    def fits(self, record: Transaction, action: str) -> bool:
        try:
            find_correctable(movement_id=record.pk)
        except NotCorrectable:
            return False
        return True

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.correct_movement")

    @admin.action(description="Correct", permissions=["correct"])
    def correct(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> HttpResponse | None:
        """Ask that the chosen movements are reversed, because staff booked them wrongly."""
        title = "Reverse these movements"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="correct", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for row in queryset:
            with reported(page=self, request=request, item=row):
                payload = CORRECTION.payload_of(movement_id=row.pk, note=reason)
                kind = CORRECTION.name
                ask_about(page=self, request=request, record=row, kind=kind, payload=payload, reason=reason)
        return None

    @admin.display(description="Customer")
    def of(self, row: Transaction) -> SafeString | str:
        return link_to("wallets_user", row.customer_id, row.customer)

    @admin.display(description="Order")
    def order(self, row: Transaction) -> SafeString | str:
        return link_to("trading_order", row.order_id)

    @admin.display(description="From")
    def from_wallet(self, row: Transaction) -> SafeString | str:
        return link_to("wallets_wallet", row.source_id, row.source)

    @admin.display(description="To")
    def to_wallet(self, row: Transaction) -> SafeString | str:
        return link_to("wallets_wallet", row.destination_id, row.destination)

    @admin.display(description="Correction of")
    def correction_of(self, row: Transaction) -> SafeString | str:
        return link_to("wallets_transaction", row.reverses_id)
