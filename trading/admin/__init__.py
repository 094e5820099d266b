"""Admin pages of the shop; importing this package registers them."""

from trading.admin import coins, orders, reviews  # noqa: F401  see above
