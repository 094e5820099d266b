"""The two endpoints that are measured."""

from rest_framework.generics import get_object_or_404
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.views import APIView

from .models import Coin, Wallet
from .serializers import OrderInput, OrderOutput, WalletSerializer
from .services import place_order


class WalletView(APIView):
    def get(self, request):
        wallet = Wallet.objects.get(user=request.user)
        return Response(WalletSerializer(wallet).data)


class OrdersView(APIView):
    def post(self, request):
        serializer = OrderInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        coin = get_object_or_404(Coin, name=serializer.validated_data["crypto"], is_active=True)
        order = place_order(user=request.user, coin=coin, amount=serializer.validated_data["amount"])
        return Response(OrderOutput(order).data, status=HTTP_201_CREATED)
