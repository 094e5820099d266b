"""The kinds of proposals of the shop, as each process registers them once."""

from typing import Final

from trading.services.proposing.coins import COIN_KINDS, SalesLimitKind
from trading.services.proposing.debts import RepurchaseKind
from trading.services.proposing.orders import RefundKind, ReleaseKind
from trading.services.proposing.prices import PriceRuleKind, SuspectPriceKind
from trading.services.proposing.sales import CloseShopKind, OpenShopKind, SalesGoOnKind, StopSellingKind
from wallets.services.proposals import register

PRICE_RULE: Final = PriceRuleKind()
SUSPECT_PRICE: Final = SuspectPriceKind()
SALES_LIMIT: Final = SalesLimitKind()
RELEASE_ORDER: Final = ReleaseKind()
REFUND_ORDER: Final = RefundKind()
SALES_GO_ON: Final = SalesGoOnKind()
OPEN_SHOP: Final = OpenShopKind()
CLOSE_SHOP: Final = CloseShopKind()
STOP_SELLING: Final = StopSellingKind()
_OF_SALES: Final = (SALES_LIMIT, SALES_GO_ON, OPEN_SHOP, CLOSE_SHOP, STOP_SELLING)
REPURCHASE: Final = RepurchaseKind()


def register_kinds() -> None:
    """Make the shop's kinds known."""
    for kind in (PRICE_RULE, SUSPECT_PRICE, RELEASE_ORDER, REFUND_ORDER, REPURCHASE, *_OF_SALES, *COIN_KINDS):
        register(kind)
