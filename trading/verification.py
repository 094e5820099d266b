"""Do the orders agree with the ledger? Read-only; the caller provides one snapshot."""

from decimal import Decimal

from django.db.models import Sum

from trading.models import PAID_AND_OPEN, Order, OrderState
from wallets.models import WalletRole
from wallets.verification import Violation, read_rows, sum_house_wallet

_ORDERS = """
SELECT o.id, o.state, moved.charged, moved.refunded, moved.delivered
  FROM trading_order o
  JOIN trading_coin c ON c.id = o.coin_id
  LEFT JOIN LATERAL (
        SELECT array_agg(t.amount) FILTER (WHERE t.kind = 'purchase') AS charged,
               array_agg(t.amount) FILTER (WHERE t.kind = 'refund') AS refunded,
               array_agg(t.amount) FILTER (WHERE t.kind = 'delivery' AND t.asset = c.name) AS delivered
          FROM wallets_transaction t
         WHERE t.order_id = o.id AND t.customer_id = o.customer_id) moved ON true
 WHERE moved.charged IS DISTINCT FROM ARRAY[o.total_price]
    OR moved.refunded IS DISTINCT FROM CASE WHEN o.state IN ('refunded', 'cancelled') THEN ARRAY[o.total_price] END
    OR moved.delivered IS DISTINCT FROM CASE WHEN o.state = 'completed' THEN ARRAY[o.amount] END
 ORDER BY o.id
"""


def verify_clearing() -> list[Violation]:
    """Rule 2: clearing holds what open orders have paid, to the cent."""
    open_orders = Order.objects.filter(state__in=PAID_AND_OPEN).aggregate(total=Sum("total_price"))["total"]
    expected, found = open_orders or Decimal(0), sum_house_wallet(role=WalletRole.CLEARING)
    if expected == found:
        return []
    return [Violation(rule=2, subject="clearing USD", expected=str(expected), found=str(found))]


def verify_orders() -> list[Violation]:
    """Rule 3: each order is charged once, and delivered once or refunded once or still open."""
    return [
        Violation(
            rule=3,
            subject=f"order {order_id}: movements",
            expected=f"those of a {state} order",
            found=f"charged {charged}, refunded {refunded}, delivered {delivered}",
        )
        for order_id, state, charged, refunded, delivered in read_rows(_ORDERS)
    ]


def sum_completed_charges() -> Decimal:
    """What customers paid for completed orders, in US dollars."""
    total = Order.objects.filter(state=OrderState.COMPLETED).aggregate(total=Sum("total_price"))["total"]
    return total or Decimal(0)
