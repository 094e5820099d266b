"""The two endpoints that are measured."""

from rest_framework import generics

from .models import Order, Wallet
from .serializers import OrderSerializer, WalletSerializer
from .services import place_order


class WalletView(generics.RetrieveAPIView):
    serializer_class = WalletSerializer

    def get_object(self):
        return generics.get_object_or_404(Wallet.objects.select_related("user"), user=self.request.user)


class OrdersView(generics.ListCreateAPIView):
    serializer_class = OrderSerializer
    throttle_scope = "orders"

    def get_queryset(self):
        return Order.objects.filter(user=self.request.user).select_related("coin")

    def perform_create(self, serializer):
        serializer.instance = place_order(user=self.request.user, **serializer.validated_data)
