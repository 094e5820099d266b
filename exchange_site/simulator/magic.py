"""The markets of a sandbox: each misbehaves by itself, always in the same way, and no other market notices.

They are for developers of clients, who cannot reach the control API. The simulator has them if its command line says
`--magic`. `PUT /control/faults` neither shows nor replaces their rules; a rule of it for the same market goes first.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.faults import Fault, read_rules
from exchange_site.simulator.markets import QUOTE_ASSET

# A copy of the seeder's prices, because the simulator imports nothing of the project. A test compares the two.
_PRICE: Final = "20.00"
_OTHER_PRICES: Final = {"MOVED": "21.00"}  # 5 % above what its customers pay
_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "REFUSE": {"action": "reject"},
    "LOST": {"action": "accept_then_drop"},
    "PARTLY": {"action": "partial", "fraction": "0.5"},
    "SLOW": {"action": "delay", "wait": "3"},  # within the shortest window of a request, which is 5 seconds
}
_COINS: Final = ("HOLD", "LOST", "MOVED", "PARTLY", "REFUSE", "SLOW", "SOLDOUT", "TIMEOUT", "WHOLE")


def magic_prices() -> dict[str, Decimal]:
    """Return the markets of a sandbox beside the usual ones, with their prices."""
    return {f"{coin}{QUOTE_ASSET}": Decimal(_OTHER_PRICES.get(coin, _PRICE)) for coin in _COINS}


def magic_rules() -> list[Fault]:
    """Return the rules by which orders of these markets suffer."""
    return read_rules([{"on": "place", "symbol": f"{coin}{QUOTE_ASSET}", **rule} for coin, rule in _RULES.items()])
