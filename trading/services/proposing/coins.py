"""Kinds of proposals about coins: a fixed price, the limits of an order, putting on sale, and limits of sales."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field

from trading.exceptions import PriceUnavailable
from trading.models import Coin, SalesLimit
from trading.offers import offer_of
from trading.priced_coins import coins_with_prices
from trading.services.coins import save_coin
from trading.services.headroom import set_limit
from trading.services.proposing.versions import version_of_coin
from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime import clock
from wallets.services.proposals import Kind, Payload, count_done

_TERMS = ("fixed_price", "minimum", "maximum", "step", "pool_policy")
_AS_SHOWN = ("is_sold", *_TERMS)  # JSON in Postgres keeps no order


@dataclass
class CoinKind(Kind):
    """A change of some fields of a coin: those in `fields`. The other fields keep what they hold at the approval.

    `shown` are fields that must still be as they were when the author asked, because they belong to the decision.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    shown: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ("trading.change_coin",)
    of_this_row: bool = False
    """Whether any other change of the coin makes the proposal stale, also one that was taken back."""

    def payload_of(self, *, before: Coin, after: Coin) -> dict[str, Any] | None:
        """Return the payload for the change from one state of a coin to another, or None if no field of it changes."""
        old, new = _read(before, self.fields), _read(after, self.fields)
        if old == new:
            return None
        shown = {**old, **_read(before, self.shown)}
        return {"coin": before.pk, "old": shown, "new": new, **self._pins(before)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        coin = _lock(payload)
        pins = self._pins(coin)
        if _read(coin, payload["old"]) != payload["old"] or pins != {name: payload.get(name) for name in pins}:
            raise ProposalRefused(f"{coin} has changed meanwhile. Look at it, and ask again.")
        self._change(coin, payload)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        coin = _lock(payload)
        self._change(coin, payload)
        save_coin(coin=coin)
        return f"{coin}: {_in_words(payload['new'], payload['new'])}"

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        """Return the facts that change. Those that only have to stay as they are can be read on the coin's page."""
        coin = Coin.objects.get(pk=payload["coin"])
        old, new = payload["old"], payload["new"]
        changed = [name for name, value in new.items() if value != old[name]]
        return f"{coin}: {_in_words(old, changed)}", f"{coin}: {_in_words(new, changed)}"

    def adds_exposure(self, *, payload: Payload) -> bool:
        """A coin that is taken off sale, and a lower maximum alone, expose nobody."""
        old, new = payload["old"], payload["new"]
        changed = {name for name, value in new.items() if value != old[name]}
        if changed == {"is_sold"}:
            return bool(new["is_sold"])
        if changed != {"maximum"} or new["maximum"] is None:
            return True
        most = _most_now(payload) if old["maximum"] is None else Decimal(old["maximum"])
        return most is None or Decimal(new["maximum"]) > most

    def _pins(self, coin: Coin) -> dict[str, Any]:
        """Return what differs after a change that was taken back, so that the coin looks as it did."""
        done = count_done(kind=self.name, coin=coin.pk)
        return {"done": done, "version": version_of_coin(coin_id=coin.pk)} if self.of_this_row else {"done": done}

    def _change(self, coin: Coin, payload: Payload) -> None:
        for name, value in payload["new"].items():
            field = Coin._meta.get_field(name)  # noqa: SLF001  Django's own name for it
            assert isinstance(field, Field), f"{name} is a column of coins"
            setattr(coin, name, field.to_python(value))
        try:
            coin.full_clean(exclude=["name", "title"])
        except ValidationError as error:
            raise ProposalRefused(" ".join(error.messages)) from error


FIXED_PRICE = CoinKind(name="fixed_price", title="Fixed price", fields=("fixed_price",))
COIN_LIMITS = CoinKind(
    name="coin_limits", title="Limits of an order", fields=("minimum", "maximum", "step", "pool_policy")
)
PUT_ON_SALE = CoinKind(
    name="put_on_sale",
    title="Putting on sale",
    fields=("is_sold",),
    shown=_TERMS,
    permissions=("trading.change_coin", "trading.add_coin"),
    of_this_row=True,
)
COIN_KINDS = (FIXED_PRICE, COIN_LIMITS, PUT_ON_SALE)


class SalesLimitKind(Kind):
    """A new sales limit. A lower one needs one person only."""

    name = "sales_limit"
    title = "Sales limit"
    permissions = ("trading.add_saleslimit",)

    def payload_of(self, *, limit: SalesLimit) -> dict[str, Any]:
        """Return the payload for a limit that is not saved."""
        before = _newest_limit(limit.coin_id)
        return {
            "coin": limit.coin_id,
            "most": None if limit.most is None else f"{limit.most:f}",
            "reason": limit.reason,
            "before": before.pk if before else None,
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        before = _newest_limit(payload["coin"])
        if (before.pk if before else None) != payload["before"]:
            raise ProposalRefused("Another sales limit was set meanwhile. Look at it, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        limit = SalesLimit(coin_id=payload["coin"], most=_most(payload), reason=payload["reason"])
        set_limit(limit=limit, set_by=asked_by)
        return str(limit)

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        before = _newest_limit(payload["coin"])
        of = "all coins" if payload["coin"] is None else Coin.objects.get(pk=payload["coin"]).name
        old, new = before.most if before else None, _most(payload)
        return f"{of}: {_dollars(old)}", f"{of}: {_dollars(new)}"

    def adds_exposure(self, *, payload: Payload) -> bool:
        before, most = _newest_limit(payload["coin"]), _most(payload)
        if before is None or before.most is None:
            return False
        return most is None or most > before.most


def _lock(payload: Payload) -> Coin:
    coin = Coin.objects.select_for_update(no_key=True).filter(pk=payload["coin"]).first()
    if coin is None:
        raise ProposalRefused("There is no such coin.")
    return coin


def _most_now(payload: Payload) -> Decimal | None:
    """Return how many coins ORDER_MAXIMUM buys now: the most of a coin without a maximum. None if it has no price."""
    offer = offer_of(coin=coins_with_prices().get(pk=payload["coin"]))
    try:
        offer.ensure_price(now=clock.now())
    except PriceUnavailable:
        return None
    return offer.maximum


def _read(coin: Coin, fields: Iterable[str]) -> dict[str, Any]:
    """Return a coin's values as JSON, each number in one spelling."""
    return {name: _as_json(getattr(coin, name)) for name in fields}


def _as_json(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _in_words(values: dict[str, Any], names: Iterable[str]) -> str:
    words = {True: "yes", False: "no", None: "none"}
    told = {name: values[name] for name in _AS_SHOWN if name in names}
    shown = {name: words[value] if isinstance(value, bool | None) else value for name, value in told.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def _newest_limit(coin_id: int | None) -> SalesLimit | None:
    return SalesLimit.objects.filter(coin=coin_id).order_by("-pk").first()


def _most(payload: Payload) -> Decimal | None:
    return None if payload["most"] is None else Decimal(payload["most"])


def _dollars(most: Decimal | None) -> str:
    return "no limit" if most is None else f"{most:,.2f} USD"
