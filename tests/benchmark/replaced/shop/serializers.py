"""The words on the wire."""

from decimal import Decimal

from rest_framework import serializers

from .models import Coin, Order, Wallet


class WalletSerializer(serializers.ModelSerializer):
    username = serializers.CharField(source="user.username", read_only=True)
    currency = serializers.SerializerMethodField()

    class Meta:
        model = Wallet
        fields = ["id", "username", "balance", "currency", "created_at", "updated_at"]

    def get_currency(self, wallet):
        return "USD"


class OrderSerializer(serializers.ModelSerializer):
    """Reads an order's coin and amount, and writes the order back as it was placed."""

    crypto = serializers.SlugRelatedField(
        source="coin", slug_field="name", queryset=Coin.objects.filter(is_active=True)
    )
    amount = serializers.DecimalField(max_digits=30, decimal_places=8, min_value=Decimal("0.00000001"))

    class Meta:
        model = Order
        fields = ["id", "crypto", "amount", "price", "total", "status", "created_at", "updated_at"]
        read_only_fields = ["price", "total", "status"]
