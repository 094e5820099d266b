"""Reads the house's result of some UTC days, from one snapshot of the database, and compares it with the ledger."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from settlement.figures import add, round_cost, round_quantity, subtract
from settlement.models import Attempt, AttemptState, Excess
from settlement.results import ROLES, Figures, HouseResult, Row, Stock, find_differences, worth_of
from trading.loss_rules import begin_of_day, day_of, end_of_day
from trading.models import Coin
from trading.selectors.results import (
    DayAndCoin,
    OrdersOfDay,
    first_counted_day,
    has_completed_before,
    read_delivered_costs,
    read_prices_at,
    sum_delivered_after,
    sum_orders_by_day,
)
from wallets.runtime import clock, sql
from wallets.selectors.house import read_inventories, sum_house_movements, sum_repurchases

_NOTHING: Final = Decimal(0)
_Purchases = dict[DayAndCoin, dict[str, Any]]


def read_result(*, first: date, last: date) -> HouseResult:
    """Read the result of the UTC days `first` to `last`. A few statements, however many orders there are."""
    with transaction.atomic(durable=True):
        sql.execute("settlement.take_snapshot")
        now = clock.database_now()
        begin, end = begin_of_day(first), end_of_day(last)
        figures = _read_figures(first=first, last=last, begin=begin, end=end)
        names = dict(Coin.objects.values_list("pk", "name"))
        stocks = _read_stocks(figures, names=names, last=last, now=now)
        booked = sum_house_movements(roles=ROLES, begin=begin, end=end)
    rows = tuple(
        Row(day=day, coin=names[coin_id], figures=figures.get((day, coin_id), Figures()), stock=stock)
        for (day, coin_id), stock in sorted(stocks.items(), key=lambda item: (item[0][0], names[item[0][1]]))
    )
    return HouseResult(
        first=first,
        last=last,
        as_of=now,
        running=now < end,
        rows=rows,
        differences=find_differences(rows=rows, booked=booked),
    )


def read_stocks(*, now: datetime) -> dict[str, Stock]:
    """Return what is in inventory at present, by the coin's name. Three queries that read no orders."""
    inventories = {name: found for name, found in read_inventories().items() if found[0]}
    ids = dict(Coin.objects.filter(name__in=inventories).values_list("name", "pk"))
    prices = read_prices_at(asked=[(coin_id, now) for coin_id in ids.values()])
    return {
        name: Stock(coins=coins, cost=cost, worth=worth_of(coins, prices.get((ids[name], now))))
        for name, (coins, cost) in inventories.items()
    }


def _read_figures(*, first: date, last: date, begin: datetime, end: datetime) -> dict[DayAndCoin, Figures]:
    """Return the figures of each day and coin for which something was booked."""
    orders = sum_orders_by_day(begin=begin, end=end)
    costs = read_delivered_costs(first=first, last=last)
    bought = _sum_purchases(begin=begin, end=end)
    repurchased = _sum_repurchases(begin=begin, end=end)
    return {
        key: Figures(
            **_of_orders(orders.get(key), costs.get(key)),
            **_of_purchases(bought.get(key)),
            **_of_repurchases(repurchased.get(key)),
        )
        for key in orders.keys() | bought.keys() | repurchased.keys()
    }


def _of_orders(found: OrdersOfDay | None, counted: tuple[Decimal, Decimal] | None) -> dict[str, Any]:
    """Return the figures of orders. The cost of their coins is known if exactly these coins were counted."""
    if found is None:
        return {}
    coins, cost = counted or (_NOTHING, _NOTHING)
    return {
        "placed": found.placed,
        "refunded": found.refunded,
        "orders": found.count,
        "sold": found.coins,
        "subtotals": found.subtotals,
        "fees": found.fees,
        "rebates": found.rebates,
        "market": round_cost(found.market),
        "rounding": round_quantity(found.rounding),
        "used": cost if coins == found.coins else None,
    }


def _of_purchases(sums: dict[str, Any] | None) -> dict[str, Any]:
    if sums is None:
        return {}
    return {
        "purchases": int(sums["count"]),
        "bought": subtract(sums["coins"], sums["commissions"]),
        "cost": sums["costs"],
        "commission_coins": sums["commissions"],
        "commission": round_cost(sums["worth"]),
    }


def _of_repurchases(sums: tuple[Decimal, Decimal] | None) -> dict[str, Any]:
    return {} if sums is None else {"repurchased": sums[0], "repurchase_cost": sums[1]}


def _sum_repurchases(*, begin: datetime, end: datetime | None = None) -> dict[DayAndCoin, tuple[Decimal, Decimal]]:
    """Sum up the coins that came from customers who owe, and what they cost, by day and coin."""
    found = sum_repurchases(begin=begin, end=end)
    ids = dict(Coin.objects.filter(name__in={asset for _, asset in found}).values_list("name", "pk"))
    return {(day, ids[asset]): sums for (day, asset), sums in found.items()}


def _sum_purchases(*, begin: datetime, end: datetime) -> _Purchases:
    """Sum up what was bought, by day and coin: filled attempts, and what venues did beyond them."""
    filled = Attempt.objects.filter(
        state=AttemptState.FILLED, signed_at__isnull=False, ended_at__gte=begin, ended_at__lt=end
    )
    beyond = Excess.objects.filter(booked_at__gte=begin, booked_at__lt=end)
    rows = [
        *_by_day(filled, at="ended_at", coin="coin_id", coins="executed"),
        *_by_day(beyond, at="booked_at", coin="attempt__coin_id", coins="quantity"),
    ]
    sums: _Purchases = {}
    for day, coin_id, *values in rows:
        known = sums.setdefault((day, coin_id), dict.fromkeys(_SUMS, _NOTHING))
        for name, value in zip(_SUMS, values, strict=True):
            known[name] = add([known[name], Decimal(value or 0)])
    return sums


_SUMS: Final = ("count", "coins", "worth", "costs", "commissions")


def _by_day(rows: QuerySet[Any], *, at: str, coin: str, coins: str) -> Iterable[tuple[Any, ...]]:
    """Yield day, coin, and the sums. A commission is worth its share of the cost of the coins that were executed."""
    sums: Iterable[tuple[Any, ...]] = (
        rows.order_by()
        .annotate(day=TruncDate(at, tzinfo=UTC))
        .values_list("day", coin)
        .annotate(
            count=Count("pk"),
            coins=Sum(coins),
            worth=Sum(F("cost") * F("commission") / F(coins), filter=Q(**{f"{coins}__gt": 0})),
            costs=Sum("cost"),
            commissions=Sum("commission"),
        )
    )
    return sums


def _read_stocks(
    figures: dict[DayAndCoin, Figures], *, names: dict[int, str], last: date, now: datetime
) -> dict[DayAndCoin, Stock]:
    """Return what is left at the end of each day of the figures, and of `last` for coins that are in inventory then.

    Counted back from the present: what was bought later is taken away, and what was delivered later is added.
    """
    known_since = _first_known_day(now=now)
    left = _count_back_to(last, names=names)
    stocks: dict[DayAndCoin, Stock] = {}
    for coin_id, found in left.items():
        coins, cost = found
        days = sorted((day for day, of in figures if of == coin_id), reverse=True)
        if coins and last not in days:
            days.insert(0, last)
        for day in days:
            is_known = known_since is None or day >= known_since
            stocks[day, coin_id] = Stock(coins=coins if is_known else None, cost=cost if is_known else None, worth=None)
            told = figures.get((day, coin_id), Figures())
            coins = add([coins, -told.bought, -told.repurchased, told.sold])
            cost = add([cost, -told.cost, -told.repurchase_cost, told.used or _NOTHING])
    return _valued(stocks, now=now)


def _valued(stocks: dict[DayAndCoin, Stock], *, now: datetime) -> dict[DayAndCoin, Stock]:
    moments = {day: min(end_of_day(day), now) for day, _ in stocks}
    prices = read_prices_at(asked=[(coin_id, moments[day]) for day, coin_id in stocks])
    return {
        (day, coin_id): Stock(
            coins=stock.coins, cost=stock.cost, worth=worth_of(stock.coins, prices.get((coin_id, moments[day])))
        )
        for (day, coin_id), stock in stocks.items()
    }


def _count_back_to(day: date, *, names: dict[int, str]) -> dict[int, tuple[Decimal, Decimal]]:
    """Return the coins in inventory at the end of a day and their cost, by the coin's id."""
    present = read_inventories()
    bought = _sum_purchases_after(end_of_day(day))
    delivered = sum_delivered_after(day=day)
    left = {}
    for coin_id, name in names.items():
        coins, cost = present.get(name, (_NOTHING, _NOTHING))
        came, paid = bought.get(coin_id, (_NOTHING, _NOTHING))
        went, had_cost = delivered.get(coin_id, (_NOTHING, _NOTHING))
        left[coin_id] = (add([coins, -came, went]), add([cost, -paid, had_cost]))
    return left


def _sum_purchases_after(moment: datetime) -> dict[int, tuple[Decimal, Decimal]]:
    """Return the coins that came in since a moment, after commission, and their cost, by coin."""
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    filled = Attempt.objects.filter(state=AttemptState.FILLED, signed_at__isnull=False, ended_at__gte=moment)
    beyond = Excess.objects.filter(booked_at__gte=moment)
    for rows, coin, coins in ((filled, "coin_id", "executed"), (beyond, "attempt__coin_id", "quantity")):
        grouped = rows.order_by().values_list(coin)
        for coin_id, received, cost in grouped.annotate(received=Sum(F(coins) - F("commission")), costs=Sum("cost")):
            known = sums.get(coin_id, (_NOTHING, _NOTHING))
            sums[coin_id] = (add([known[0], received]), add([known[1], cost]))
    for (_, coin_id), (received, cost) in _sum_repurchases(begin=moment).items():
        known = sums.get(coin_id, (_NOTHING, _NOTHING))
        sums[coin_id] = (add([known[0], received]), add([known[1], cost]))
    return sums


def _first_known_day(*, now: datetime) -> date | None:
    """Return the first day at whose end inventory is known: since costs are counted; None if always."""
    counted = first_counted_day() or day_of(now)
    return counted if has_completed_before(moment=begin_of_day(counted)) else None
