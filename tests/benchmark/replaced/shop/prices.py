"""Prices, which a periodic task of the shop writes to the cache."""

from decimal import Decimal

from django.core.cache import caches
from rest_framework.exceptions import APIException


class PriceUnavailable(APIException):
    status_code = 503
    default_detail = "The coin has no price right now."


def read_price(coin_name):
    """Return a coin's price in dollars. Raises PriceUnavailable."""
    price = caches["prices"].get(f"price:{coin_name}")
    if price is None:
        raise PriceUnavailable
    return Decimal(price)


def write_price(coin_name, price):
    caches["prices"].set(f"price:{coin_name}", str(price), timeout=None)
