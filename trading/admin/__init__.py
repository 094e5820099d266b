"""Admin pages of the shop; importing this package registers them."""

from trading.admin import coins, debts, headroom, losses, orders, price_rules, reviews, suspensions  # noqa: F401  see above
