"""The international exchange that coins are bought on."""

from settlement.exchanges.connection import get_exchange

__all__ = ["get_exchange"]
