"""The paths, which are those of this project, so that one load fits both."""

from django.http import HttpResponse
from django.urls import path

from .views import OrdersView, WalletView

urlpatterns = [
    path("health/", lambda request: HttpResponse()),
    path("api/v1/accounts/wallet/", WalletView.as_view()),
    path("api/v1/orders/", OrdersView.as_view()),
]
