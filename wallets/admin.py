from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from wallets.models import Transaction, User, Wallet


class RecordAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # for records of any model
    """Records of money are looked at, never edited: what changes them are the services."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Wallet)
class WalletAdmin(RecordAdmin):
    list_display = ("id", "owner", "asset", "role", "balance", "frozen")
    list_filter = ("asset", "role", "frozen")
    search_fields = ("owner__username",)
    list_select_related = ("owner",)


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = (
        "id",
        "created_at",
        "kind",
        "asset",
        "amount",
        "customer",
        "balance_after",
        "order_id",
        "reference",
    )
    list_filter = ("kind", "asset")
    search_fields = ("reference", "customer__username")
    list_select_related = ("customer",)


admin.site.register(User, UserAdmin)
