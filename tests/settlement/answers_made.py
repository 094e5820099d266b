"""Make answers of a venue about one order, true ones in unusual forms and false ones, from a seed.

The order bought `BOUGHT` of the `ASKED` coins at `PRICE`, below the limit, in some trades. Each case says whether it is
true. A false case lies in a way that matters: in a figure, an id, an asset or a status that would be booked or obeyed.
"""

import copy
from dataclasses import dataclass
from decimal import Decimal

ORDER_ID, CLIENT_ID, SYMBOL = 4711, "ce0123456789abcdef0123456789abcdef", "ABANUSDT"
ASKED, LIMIT, LEAST = Decimal("15.02"), Decimal("4.2"), Decimal("3.36")


@dataclass
class Case:
    """An answer to a new order (`answer`), and what the venue did: `true` says whether the answer says so."""

    answer: dict
    true: bool
    how: str
    executed: Decimal
    cost: Decimal
    commission: Decimal
    quote_commission: Decimal = Decimal(0)
    coin: str = "ABAN"


def make_case(chance, case=None):
    """Make one case from an honest one; a quarter of them are true."""
    case = case or honest(chance)
    if chance.random() < 0.25:
        for _ in range(chance.randrange(1, 4)):
            name, change = chance.choice(UNUSUAL)
            change(case, chance)
            case.how += f" {name}"
        return case
    case.true = False
    name, change = chance.choice(LIES)
    case.how = name
    before = copy.deepcopy(case.answer)
    while case.answer == before:
        change(case, chance)
    return case


def honest(chance):
    """Make what Binance says about an order that bought coins in one to four trades."""
    step, tick = Decimal("0.01"), Decimal("0.0001")
    parts = chance.randrange(1, 5)
    whole = chance.random() < 0.6
    quantity = ASKED if whole else step * chance.randrange(parts, 1502)
    cuts = sorted(chance.sample(range(1, int(quantity / step)), parts - 1))
    sizes = [step * (b - a) for a, b in zip([0, *cuts], [*cuts, int(quantity / step)], strict=True)]
    asset = chance.choice(["ABAN", "ABAN", "USDT"])
    fills = []
    for number, size in enumerate(sizes):
        price = LIMIT - tick * chance.randrange(0, 4000)
        value = size if asset == "ABAN" else size * price
        fills.append(
            {
                "price": f"{price:.8f}",
                "qty": f"{size:.8f}",
                "commission": f"{(value * Decimal('0.001')).quantize(Decimal('1e-8')):f}",
                "commissionAsset": asset,
                "tradeId": 900 + number,
            }
        )
    cost = sum(Decimal(fill["price"]) * Decimal(fill["qty"]) for fill in fills)
    fees = sum(Decimal(fill["commission"]) for fill in fills)
    answer = {
        "symbol": SYMBOL,
        "orderId": ORDER_ID,
        "orderListId": -1,
        "clientOrderId": CLIENT_ID,
        "transactTime": 1_700_000_000_000,
        "price": f"{LIMIT:.8f}",
        "origQty": f"{ASKED:.8f}",
        "executedQty": f"{quantity:.8f}",
        "cummulativeQuoteQty": f"{cost:.8f}",
        "status": "FILLED" if whole else "EXPIRED",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "side": "BUY",
        "fills": fills,
    }
    return Case(
        answer=answer,
        true=True,
        how="",
        executed=quantity,
        cost=cost,
        commission=fees if asset == "ABAN" else Decimal(0),
        quote_commission=fees if asset == "USDT" else Decimal(0),
    )


def as_simulated(coin):
    """Return what the simulator says about an order for 60.00 at its price of 4.00, but for the ids."""
    answer = {
        "symbol": f"{coin}USDT",
        "price": "4.20000000",
        "origQty": "15.02",
        "executedQty": "15.02",
        "cummulativeQuoteQty": "60.08",
        "status": "FILLED",
        "side": "BUY",
        "fills": [
            {"price": "4", "qty": "15.02", "commission": "0.01502", "commissionAsset": coin, "tradeId": 900},
        ],
    }
    return Case(
        answer=answer,
        true=True,
        how="",
        executed=ASKED,
        cost=Decimal("60.08"),
        commission=Decimal("0.01502"),
        coin=coin,
    )


_FIGURES = ("executedQty", "cummulativeQuoteQty")
_OF_A_FILL = ("price", "qty", "commission")


def _every_figure(case):
    for name in ("price", "origQty", *_FIGURES):
        if name in case.answer:
            yield case.answer, name
    for fill in case.answer["fills"]:
        for name in _OF_A_FILL:
            yield fill, name


def _rewrite(form):
    def change(case, chance):
        for holder, name in _every_figure(case):
            if chance.random() < 0.7:
                holder[name] = form(Decimal(str(holder[name])))

    return change


def _scientific(value):
    return f"{value:e}"


def _more_places(case, chance):
    """Say the commission with ten places, as some venues do; what we book is rounded up once."""
    for fill in case.answer["fills"]:
        fill["commission"] = f"{Decimal(str(fill['commission'])):.8f}37"
    ours = {fill["tradeId"]: fill for fill in case.answer["fills"] if "orderId" not in fill}
    fees = sum(Decimal(fill["commission"]) for fill in ours.values())
    if case.commission:
        case.commission = fees
    else:
        case.quote_commission = fees


def _twice(case, chance):
    case.answer["fills"] += copy.deepcopy([chance.choice(case.answer["fills"])])


def _shuffled(case, chance):
    chance.shuffle(case.answer["fills"])
    items = list(case.answer.items())
    chance.shuffle(items)
    case.answer = dict(items)


def _with_strangers(case, chance):
    case.answer["fills"].append(
        {
            "symbol": case.answer["symbol"],
            "orderId": 9999,
            "price": "4.00000000",
            "qty": "3.00000000",
            "commission": "0.003",
            "commissionAsset": case.coin,
            "tradeId": 12,
        }
    )


def _with_more_fields(case, chance):
    case.answer |= {"selfTradePreventionMode": "NONE", "workingTime": -1, "news": {"a": [None, {"b": 1}]}}


def _without_needless_fields(case, chance):
    for name in chance.sample(["transactTime", "timeInForce", "type", "price", "orderListId", "origQty"], 3):
        case.answer.pop(name, None)


UNUSUAL = [
    ("numbers", _rewrite(float)),
    ("exponents", _rewrite(_scientific)),
    ("short text", _rewrite(lambda value: f"{value.normalize():f}")),
    ("many zeros", _rewrite(lambda value: f"{value:f}" + ("" if value == value.to_integral() else "0" * 20))),
    ("leading zeros and a sign", _rewrite(lambda value: f"+000{value:f}")),
    ("spaces", _rewrite(lambda value: f" {value:f} ")),
    ("ten places", _more_places),
    ("doubled", _twice),
    ("shuffled", _shuffled),
    ("strangers", _with_strangers),
    ("more fields", _with_more_fields),
    ("fewer fields", _without_needless_fields),
]

_STRANGE = [
    "",
    "ten",
    "1e30",
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "-1",
    "0x10",
    "1,5",
    "1_5",
    "٣",
    "9" * 300,
    "\x00",
]
_STRANGE_TYPES = [None, True, False, [], {}, ["15.02"], {"a": 1}, -3, 10**40, float("inf"), float("nan")]


def _strange_figure(case, chance):
    case.answer[chance.choice(_FIGURES)] = chance.choice(_STRANGE + _STRANGE_TYPES)


def _times(*factors):
    def change(case, chance):
        name = chance.choice(_FIGURES)
        case.answer[name] = f"{Decimal(str(case.answer[name])) * Decimal(chance.choice(factors)):f}"

    return change


def _consistently(case, chance):
    """Say an order that is consistent in itself, but larger or dearer than the request, or far too cheap."""
    changed = chance.choice(["qty", "price"])
    factor = Decimal(chance.choice(["2", "10", "1000", "1e22", *(["0.5", "0.01"] if changed == "price" else [])]))
    totals = ["cummulativeQuoteQty"]
    if changed == "qty":
        factor *= ASKED // case.executed  # else it would stay within the request
        totals.append("executedQty")
    for name in totals:
        case.answer[name] = f"{Decimal(case.answer[name]) * factor:f}"
    for fill in case.answer["fills"]:
        fill[changed] = f"{Decimal(fill[changed]) * factor:f}"


def _within_by_less(case, chance):
    """Say less than was bought, in totals and trades that still differ: the venue hides coins."""
    dropped = chance.randrange(len(case.answer["fills"]))
    del case.answer["fills"][dropped]


def _strange_fill(case, chance):
    fill = chance.choice(case.answer["fills"])
    name = chance.choice(["price", "qty", "commission"])
    strange = [value for value in _STRANGE + _STRANGE_TYPES if value not in (None, "")]
    fill[name] = chance.choice(strange)


def _commission(case, chance):
    fill = chance.choice(case.answer["fills"])
    way = chance.randrange(5)
    if way == 0:
        fill["commissionAsset"] = chance.choice(["BNB", "", None, "\x00", "X" * 500])
        fill["commission"] = "0.01"
    elif way == 1:
        fill["commission"] = "-0.01502"
    elif way == 2:  # more than is plausible
        fill["commission"] = f"{Decimal('0.5') * Decimal(str(fill['qty'])):f}"
        fill["qty"], fill["commissionAsset"] = f"{Decimal(fill['qty']):f}", case.coin
        for other in case.answer["fills"]:
            other["commissionAsset"] = case.coin
            other["commission"] = f"{Decimal('0.5') * Decimal(other['qty']):f}"
    elif way == 3:
        for other in case.answer["fills"]:
            other["commissionAsset"] = "USDT"
            other["commission"] = f"{Decimal('0.2') * Decimal(other['qty']) * Decimal(other['price']):f}"
    else:
        fill["commission"] = f"{Decimal(fill['qty']) * 1000:f}"


def _identity(case, chance):
    name, values = chance.choice(
        [
            ("symbol", ["BTCUSDT", "ABNUSDT", "ABANBTC", "nothing"]),
            ("clientOrderId", ["", None, "web_123", CLIENT_ID.upper(), CLIENT_ID + "0", 7, []]),
            ("orderId", [None, "", [], {}, True, "x" * 65, "\x00", "a\nb"]),
            ("side", ["SELL", "sell", "BOTH"]),
            ("status", ["", None, "WHATEVER", "filled", 7, [], "CLOSED\x00", "NEW", "PARTIALLY_FILLED"]),
        ]
    )
    case.answer[name] = chance.choice(values)


def _nothing_bought(case, chance):
    case.answer |= {"status": "FILLED", "executedQty": "0", "cummulativeQuoteQty": "0", "fills": []}


def _for_nothing(case, chance):
    if chance.random() < 0.5:
        case.answer["cummulativeQuoteQty"] = "0.00000000"
        for fill in case.answer["fills"]:
            fill["price"] = "0"
    else:
        case.answer["executedQty"] = "0.00000000"
        for fill in case.answer["fills"]:
            fill["qty"] = "0"


def _two_ways(case, chance):
    fill = copy.deepcopy(chance.choice(case.answer["fills"]))
    fill["qty"] = f"{Decimal(str(fill['qty'])) + 1:f}"
    case.answer["fills"].append(fill)


def _no_list(case, chance):
    case.answer["fills"] = chance.choice(["fills", {"a": 1}, 7, ["a"], [None], [[]]])


def _filled_in_part(case, chance):
    """Say that all was bought when only a part was: the rest would be bought a second time, or never."""
    case.answer["status"] = "FILLED"
    case.answer["executedQty"] = "7.00000000"
    case.answer["cummulativeQuoteQty"] = "28.00000000"
    case.answer["fills"] = [
        {"price": "4", "qty": "7", "commission": "0.007", "commissionAsset": case.coin, "tradeId": 1}
    ]


LIES = [
    ("a strange figure", _strange_figure),
    ("another figure", _times("0.1", "0.5", "0.9999", "1.0001", "2", "10", "1000", "1e20")),
    ("a consistent order that is too large or too cheap", _consistently),
    ("a missing trade", _within_by_less),
    ("a strange trade", _strange_fill),
    ("a strange commission", _commission),
    ("another identity", _identity),
    ("nothing bought, and filled", _nothing_bought),
    ("for nothing", _for_nothing),
    ("a trade in two ways", _two_ways),
    ("no list of trades", _no_list),
    ("filled in part", _filled_in_part),
]
