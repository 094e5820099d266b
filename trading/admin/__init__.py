"""Admin pages of the shop; importing them registers them."""

from trading.admin import coins, orders, reviews  # noqa: F401  see above
