"""The words on the wire: amounts are JSON numbers, and an order's answer says no more than its state."""

from decimal import Decimal

from rest_framework import serializers


class WalletSerializer(serializers.Serializer):
    balance = serializers.DecimalField(max_digits=20, decimal_places=2)
    updated_at = serializers.DateTimeField()


class OrderInput(serializers.Serializer):
    crypto = serializers.CharField(max_length=16)
    amount = serializers.DecimalField(max_digits=30, decimal_places=8, min_value=Decimal("0.00000001"))


class OrderOutput(serializers.Serializer):
    id = serializers.IntegerField()
    crypto = serializers.CharField(source="coin.name")
    amount = serializers.DecimalField(max_digits=30, decimal_places=8)
    total = serializers.DecimalField(max_digits=20, decimal_places=2)
    status = serializers.CharField()
