from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.forms import AdminPasswordChangeForm as OwnPasswordChangeForm
from django.contrib.admin.options import ModelAdmin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from wallets.exceptions import DomainError
from wallets.models import Transaction, User, Wallet
from wallets.money import USD
from wallets.record_admin import (
    QuickAdmin,
    RecordAdmin,
    ask_for_reason,
    badge,
    find_customers,
    is_id,
    link_to,
    link_to_list,
)
from wallets.services.accounts import freeze_customer, open_dollar_wallet, unfreeze_customer


class AssetFilter(admin.SimpleListFilter):
    """Assets as the house's wallets have them: few rows, where the records have millions."""

    title = "asset"
    parameter_name = "asset"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        assets = Wallet.objects.filter(owner=None).values_list("asset", flat=True).distinct().order_by("asset")
        return [(asset, asset) for asset in assets]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(asset=self.value()) if self.value() else queryset


class _EndsTokens:
    """A new password ends every token handed out before."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  Django's signature
        self.user.token_version += 1  # type: ignore[attr-defined]  # Django's forms have it
        return super().save(commit)  # type: ignore[misc]


class PasswordForm(_EndsTokens, AdminPasswordChangeForm):  # type: ignore[type-arg]  # of our user
    """Of another user, set by staff."""


class OwnPasswordForm(_EndsTokens, OwnPasswordChangeForm):
    """Of whoever is signed in to the admin."""


@admin.register(User)
class CustomerAdmin(QuickAdmin, UserAdmin):  # type: ignore[type-arg]  # of our user
    list_display = ("username", "email", "wallet", "standing", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_help_text = "The whole username or email address, or an id"
    actions = ("freeze", "unfreeze")
    object_actions = ("freeze", "unfreeze")
    change_password_form = PasswordForm
    readonly_fields = ("wallet", "standing", "records", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "wallet", "standing", "records")}),
        *(UserAdmin.fieldsets or ())[1:],
    )
    change_form_template = "wallets/record_change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        dollars = Wallet.objects.filter(owner=OuterRef("pk"), asset=USD)
        users: QuerySet[User] = super().get_queryset(request)
        return users.annotate(
            balance=Subquery(dollars.values("balance")),
            wallet_id=Subquery(dollars.values("pk")),
            is_frozen=Exists(dollars.filter(frozen=True)),
        )

    def find(self, term: str) -> Q:
        found = Q(pk__in=find_customers(term))
        if is_id(term):
            found |= Q(pk=int(term))
        return found | Q(email=term) if "@" in term else found

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if not change:
            open_dollar_wallet(owner=obj)

    @admin.display(description="Wallet (USD)")
    def wallet(self, user: Any) -> SafeString | str:
        return link_to("wallets_wallet", user.wallet_id, f"{user.balance:,.2f}" if user.wallet_id else None)

    @admin.display(description="Standing")
    def standing(self, user: Any) -> SafeString | str:
        if not user.is_active:
            return badge("disabled")
        return badge("frozen" if user.is_frozen else "active")

    @admin.display(description="Records")
    def records(self, user: User) -> SafeString:
        return format_html(
            "{} · {} · {}",
            link_to_list("trading_order", "orders", customer__id__exact=user.pk),
            link_to_list("wallets_transaction", "transactions", customer__id__exact=user.pk),
            link_to_list("wallets_wallet", "wallets", owner__id__exact=user.pk),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff are changed by superusers: who may change a customer must not give himself more."""
        is_above = obj is not None and (obj.is_staff or obj.is_superuser)
        return super().has_change_permission(request, obj) and (not is_above or _is_superuser(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        powers = () if _is_superuser(request) else ("is_staff", "is_superuser", "groups", "user_permissions")
        return (*self.readonly_fields, *powers)

    def has_freeze_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.freeze_user")

    @admin.action(description="Freeze", permissions=["freeze"])
    def freeze(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Stop all movements of the customers' money, at once."""
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="freeze", title="Freeze these customers"
        )
        return self._set_frozen(request, queryset, reason, frozen=True)

    @admin.action(description="Unfreeze", permissions=["freeze"])
    def unfreeze(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="unfreeze", title="Unfreeze these customers"
        )
        return self._set_frozen(request, queryset, reason, frozen=False)

    def _set_frozen(
        self, request: HttpRequest, chosen: QuerySet[User], reason: str | HttpResponse, *, frozen: bool
    ) -> HttpResponse | None:
        if isinstance(reason, HttpResponse):
            return reason
        done = "Frozen" if frozen else "Unfrozen"
        for user in chosen:
            try:
                (freeze_customer if frozen else unfreeze_customer)(owner_id=user.pk)
            except DomainError as error:
                self.message_user(request, f"{user}: {error}", messages.ERROR)
            else:
                self.log_change(request, user, f"{done}: {reason}")
                self.message_user(request, f"{done}: {user}")
        return None


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


@admin.register(Wallet)
class WalletAdmin(RecordAdmin):
    list_display = ("id", "holder", "asset", "role", "balance", "standing", "movements")
    list_filter = (AssetFilter, "role", "frozen")
    list_select_related = ("owner",)
    search_fields = ("owner",)
    search_help_text = "The whole username of the owner, or an id"
    fields = ("holder", "asset", "role", "balance", "standing", "created_at", "movements")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        found = Q(owner_id__in=find_customers(term))
        return found | Q(pk=int(term)) if is_id(term) else found

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
