"""Kinds of proposals that stop sales and let them go on: of a coin, of the shop, after a stop for the day's loss."""

from decimal import Decimal
from typing import Any

from trading.models import Coin, SalesStop, Shop
from trading.services.coins import open_or_close_shop, stop_selling
from trading.services.losses import ensure_sales_may_go_on, let_sales_go_on
from trading.services.proposing.versions import version_of_shop
from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime import clock
from wallets.services.proposals import Kind, Payload


class SalesGoOnKind(Kind):
    """The end of a stop of sales, until the day has lost further dollars."""

    name = "sales_go_on"
    title = "Sales after a stop"
    permissions = ("trading.change_salesstop",)

    def payload_of(self, *, stop: SalesStop, further: Decimal, reason: str) -> dict[str, Any]:
        """Return the payload for a stop that ends until `further` US dollars are lost."""
        return {"stop": stop.pk, "stopped": _state_of(stop), "further": f"{further:f}", "reason": reason}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        stop = _stop_of(payload)
        ensure_sales_may_go_on(stop=stop, further=Decimal(payload["further"]), now=clock.now())
        if _state_of(stop) != payload.get("stopped"):
            raise ProposalRefused("Sales have stopped again meanwhile. Look at the loss, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        ceiling = let_sales_go_on(
            stop=_stop_of(payload),
            further=Decimal(payload["further"]),
            reason=payload["reason"],
            decided_by=asked_by,
            now=clock.now(),
        )
        return f"Sales go on until the loss of today is {ceiling:.2f} USD."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        stop = _stop_of(payload)
        return f"{stop}, at {stop.ceiling} USD", f"{stop}: it ends, until a further {payload['further']} USD are lost"


class StopSellingKind(Kind):
    """The end of a coin's sale."""

    name = "stop_selling"
    title = "End of sale"
    permissions = ("trading.change_coin",)
    only_lessens = True

    def payload_of(self, *, coin: Coin) -> dict[str, Any]:
        """Return the payload for a coin that is sold no more."""
        return {"coin": coin.pk}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        coin = Coin.objects.get(pk=payload["coin"])
        stop_selling(coin=coin)
        return f"{coin} is no longer sold."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        coin = Coin.objects.get(pk=payload["coin"])
        return f"{coin}: {'sold' if coin.is_sold else 'not sold'}", f"{coin}: not sold"


class CloseShopKind(Kind):
    """The end of the sale of all coins at once."""

    name = "close_shop"
    title = "Closing of the shop"
    permissions = ("trading.change_shop", "trading.add_shop")
    only_lessens = True

    def payload_of(self, *, reason: str) -> dict[str, Any]:
        """Return the payload; `reason` is stored with the switch."""
        return {"reason": reason}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        open_or_close_shop(is_open=False, reason=payload["reason"])
        return "The shop is closed."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        return "", "the shop is closed"


class OpenShopKind(Kind):
    """The sale of all coins at once."""

    name = "open_shop"
    title = "Opening of the shop"
    permissions = ("trading.change_shop", "trading.add_shop")

    def payload_of(self, *, reason: str) -> dict[str, Any]:
        """Return the payload; `reason` is stored with the switch."""
        return {"reason": reason, "closed": version_of_shop()}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if not Shop.objects.select_for_update(no_key=True).filter(is_open=False).first():
            raise ProposalRefused("The shop is open.")
        if version_of_shop() != payload.get("closed"):
            raise ProposalRefused("The shop was closed again meanwhile. Look at the reason, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        open_or_close_shop(is_open=True, reason=payload["reason"])
        return "The shop is open."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        return "the shop is closed", "the shop is open"


def _state_of(stop: SalesStop) -> list[str]:
    """Return when sales stopped, and at what loss: another stop of the same day has other values."""
    return [stop.stopped_at.isoformat() if stop.stopped_at else "", f"{stop.ceiling.normalize():f}"]


def _stop_of(payload: Payload) -> SalesStop:
    stops = SalesStop.objects.select_for_update(no_key=True, of=("self",)).select_related("coin")
    stop = stops.filter(pk=payload["stop"]).first()
    if stop is None:
        raise ProposalRefused("There is no such stop.")
    return stop
