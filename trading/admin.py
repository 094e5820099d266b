from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from trading.models import Coin, Order
from trading.services.coins import save_coin
from wallets.admin import RecordAdmin


@admin.register(Coin)
class CoinAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class is generic for type checkers only
    list_display = (
        "name",
        "title",
        "is_sold",
        "fixed_price",
        "market_price",
        "minimum",
        "step",
        "pool_policy",
    )
    list_filter = ("is_sold", "pool_policy")
    search_fields = ("name", "title")
    list_select_related = ("market_price",)

    def save_model(self, request: HttpRequest, obj: Coin, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        save_coin(coin=obj)


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = (
        "id",
        "state",
        "customer",
        "coin",
        "amount",
        "total_price",
        "price",
        "batch_id",
        "created_at",
    )
    list_filter = ("state", "coin", "is_aggregated")
    search_fields = ("customer__username",)
    list_select_related = ("customer", "coin")
