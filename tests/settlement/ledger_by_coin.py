"""What moved through the house's wallets, by UTC day and coin, read movement by movement without the report's queries."""

import re
from collections import defaultdict
from datetime import UTC
from decimal import Decimal

from settlement.models import Attempt, Batch
from settlement.results import ROLES
from trading.models import Order
from wallets.models import Transaction

_OF_A_PURCHASE = re.compile(r"(?:attempt|excess):(\w+)")
_OF_A_BATCH = re.compile(r"batch:(\d+)")


def read_ledger():
    """Return the change of each house wallet (role and asset) by day and coin; no day has a change of zero."""
    sums, coins = defaultdict(Decimal), _Coins()
    for row in Transaction.objects.select_related("source", "destination"):
        day, coin = row.created_at.astimezone(UTC).date(), coins.of(row)
        for wallet, change in ((row.source, -row.amount), (row.destination, row.amount)):
            if wallet.owner_id is None and wallet.role in ROLES:
                sums[day, coin, wallet.role, row.asset] += change
    return {key: change for key, change in sums.items() if change}


class _Coins:
    """Says which coin a movement is about: by its asset, its order, or the purchase or batch in its reference."""

    def __init__(self):
        self._orders = dict(Order.objects.values_list("pk", "coin__name"))
        self._purchases = dict(Attempt.objects.values_list("client_order_id", "coin__name"))
        self._batches = dict(Batch.objects.values_list("pk", "coin__name"))

    def of(self, row):
        if row.asset != "USD":
            return row.asset
        if row.order_id:
            return self._orders[row.order_id]
        if found := _OF_A_PURCHASE.search(row.reference):
            return self._purchases[found[1]]
        if found := _OF_A_BATCH.search(row.reference):
            return self._batches[int(found[1])]
        return None


def as_ledger(result):
    """Return the changes that the rows of a report say."""
    sums = {}
    for row in result.rows:
        told = row.figures
        for role, asset, change in (
            ("clearing", "USD", told.placed - told.refunded - told.subtotals - told.fees),
            ("trading_result", "USD", told.subtotals - told.rebates - told.cost),
            ("fees", "USD", told.fees),
            ("venue", "USD", told.cost),
            ("venue", row.coin, -told.bought),
            ("inventory", row.coin, told.bought - told.sold),
        ):
            sums[row.day, row.coin, role, asset] = change
    return {key: change for key, change in sums.items() if change}
