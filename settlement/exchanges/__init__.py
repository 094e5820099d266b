"""The international exchange that coins are bought on."""

from settlement.exchanges.connection import get_exchange, load_markets

__all__ = ["get_exchange", "load_markets"]
