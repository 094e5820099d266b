"""Check everything that must be true after the story. Each complaint is a sentence."""

from collections.abc import Iterator
from decimal import Decimal

from exchange_site.stack.demo.customers import DEPOSIT, Customer, list_orders
from exchange_site.stack.demo.story import FINAL_STATES, ORDERS, REFUSED_COIN, Outcome
from settlement.selectors.attempts import summarise_attempts
from settlement.verification import verify_everything


def check_everything(outcome: Outcome) -> Iterator[str]:
    """Compare orders, wallets, holdings, purchases and ledger, and yield a complaint for each difference."""
    for customer in outcome.customers:
        yield from _check_customer(customer)
        yield from _check_quotes(customer)
        yield from _check_prices(customer)
    yield from _check_refunds(outcome)
    yield from _check_settlement(outcome)
    yield from _check_ledger()


def _check_customer(customer: Customer) -> Iterator[str]:
    spent, bought = Decimal(0), dict[str, Decimal]()
    for order in customer.orders.values():
        if order["state"] not in FINAL_STATES:
            yield f"order {order['id']} is still {order['state']}"
        if order["state"] == "completed":
            spent += Decimal(order["total_price"])
            bought[order["crypto"]] = bought.get(order["crypto"], Decimal(0)) + Decimal(order["amount"])
    if (balance := customer.balance()) != DEPOSIT - spent:
        yield f"a wallet holds {balance}, not {DEPOSIT - spent}"
    if (held := customer.holdings()) != bought:
        yield f"a customer holds {held}, not {bought}"


def _check_quotes(customer: Customer) -> Iterator[str]:
    for order_id, quote in customer.quotes.items():
        for name in ("crypto", "amount", "market_price", "price", "subtotal", "fee", "total_price"):
            if (found := customer.orders[order_id][name]) != quote[name]:
                yield f"order {order_id} has the {name} {found}, but {quote[name]} was quoted"


def _check_prices(customer: Customer) -> Iterator[str]:
    for order in customer.orders.values():
        if Decimal(order["subtotal"]) + Decimal(order["fee"]) != Decimal(order["total_price"]):
            yield f"order {order['id']} costs {order['total_price']}, not its subtotal and its fee"


def _check_refunds(outcome: Outcome) -> Iterator[str]:
    refunded = [order["crypto"] for order in list_orders(outcome.customers) if order["state"] == "refunded"]
    if refunded != [REFUSED_COIN]:
        yield f"orders for {refunded} were refunded, not only the one for {REFUSED_COIN}"


def _check_settlement(outcome: Outcome) -> Iterator[str]:
    summary = summarise_attempts(after_id=outcome.last_attempt_before)
    if outcome.faults != {"reject": 1, "accept_then_drop": 1}:
        yield f"faults applied were {outcome.faults}"
    if not summary.found_by_lookup:
        yield "no lost answer was found"
    if summary.parked:
        yield f"{summary.parked} purchases are parked"
    if summary.purchases >= ORDERS:
        yield "small orders were not bought in bulk"


def _check_ledger() -> Iterator[str]:
    for finding in verify_everything():
        yield f"rule {finding.rule}: {finding.subject}: {finding.found}, not {finding.expected}"
