"""The kind of proposals that takes coins of a customer who owes."""

import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings

from trading.rounding import proceeds_of
from trading.services.repurchasing import Repurchase, bid_of, repurchase
from wallets.exceptions import NotFound, OwesLess, ProposalRefused
from wallets.models import Receivable, User
from wallets.runtime import clock
from wallets.selectors.ledger import list_coin_balances
from wallets.services.ledger.locking import lock_inventory
from wallets.services.pins import ensure_pinned, pins_of_debt
from wallets.services.proposals import Kind, Payload


class RepurchaseKind(Kind):
    """Coins of a customer who owes, which become inventory at the bid of the moment, for a part of the debt.

    The bid is read again when the deed is carried out: it has to be new, and within PRICE_DEVIATION_LIMIT of the one
    that staff saw.
    """

    name = "repurchase"
    title = "Repurchase of coins"
    permissions = ("wallets.settle_debt",)

    def payload_of(self, *, customer_id: int, coin_name: str, amount: Decimal) -> dict[str, Any]:
        """Return the payload for coins at the present bid. Raises UnknownCoin, NoBid."""
        bid = bid_of(coin_name=coin_name, now=clock.now())
        named = {"customer": customer_id, "coin": coin_name, "amount": f"{amount:f}"}
        pins = pins_of_debt(kind=self.name, customer_id=customer_id)
        return {**named, "bid": f"{bid:f}", "name": str(uuid.uuid4()), **pins}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        bid, seen = self._bid(payload), Decimal(payload["bid"])
        if abs(bid - seen) > seen * settings.PRICES.deviation_limit:
            raise ProposalRefused(f"The bid is {bid.normalize():f} by now. Look at it, and ask again.")
        lock_inventory(asset=payload["coin"])  # two may be approved at once
        held = list_coin_balances(owner_id=payload["customer"]).get(payload["coin"], Decimal(0))
        if held < Decimal(payload["amount"]):
            raise NotFound(f"The customer holds {held.normalize():f} {payload['coin']}.")
        owed = _debt_of(payload)
        if owed < proceeds_of(amount=Decimal(payload["amount"]), bid=bid):
            raise OwesLess(owed=owed)
        pins = pins_of_debt(kind=self.name, customer_id=payload["customer"])
        ensure_pinned(payload, pins, about="what the customer owes")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        wanted = Repurchase(
            customer_id=payload["customer"],
            coin_name=payload["coin"],
            amount=Decimal(payload["amount"]),
            name=payload["name"],
        )
        bid = self._bid(payload)
        paid = repurchase(wanted=wanted, bid=bid)
        return f"{payload['amount']} {payload['coin']} became inventory at {bid.normalize():f}: {paid} USD are paid."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = User.objects.get(pk=payload["customer"])
        new = f"{payload['amount']} {payload['coin']} of {customer} become inventory at a bid of {payload['bid']} USD"
        return f"{customer} owes {_debt_of(payload)} USD", new

    def amount(self, *, payload: Payload) -> Decimal | None:
        return proceeds_of(amount=Decimal(payload["amount"]), bid=Decimal(payload["bid"]))

    def _bid(self, payload: Payload) -> Decimal:
        return bid_of(coin_name=payload["coin"], now=clock.now())


def _debt_of(payload: Payload) -> Decimal:
    owed = Receivable.objects.filter(customer_id=payload["customer"]).values_list("amount", flat=True).first()
    return owed or Decimal(0)
