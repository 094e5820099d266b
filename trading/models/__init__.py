"""Every table of the shop."""

from trading.models.coins import ClosedMarket, Coin, PoolPolicy, Shop, UnclearCoin, is_coin_name
from trading.models.headroom import Headroom, SalesLimit
from trading.models.losses import DayLoss, SalesStop
from trading.models.orders import PAID_AND_OPEN, WAITING, Order, OrderState
from trading.models.price_rules import PriceRule
from trading.models.prices import CoinPrice, PriceChange, Suspension, SuspensionEnd
from trading.models.reviews import Review, ReviewDecision, RiskRule

__all__ = [
    "PAID_AND_OPEN",
    "WAITING",
    "ClosedMarket",
    "Coin",
    "CoinPrice",
    "DayLoss",
    "Headroom",
    "Order",
    "OrderState",
    "PoolPolicy",
    "PriceChange",
    "PriceRule",
    "Review",
    "ReviewDecision",
    "RiskRule",
    "SalesLimit",
    "SalesStop",
    "Shop",
    "Suspension",
    "SuspensionEnd",
    "UnclearCoin",
    "is_coin_name",
]
