"""The last lines of the demo: what it has shown, in sentences, and where to go on."""

from collections import Counter
from collections.abc import Iterator

from exchange_site.seeding.published import ADMIN_PASSWORD, ADMIN_USERNAME
from exchange_site.stack.demo.customers import list_orders
from exchange_site.stack.demo.story import LOST_COIN, REFUSED_COIN, Outcome
from settlement.selectors.attempts import summarise_attempts


def tell_what_was_shown(outcome: Outcome) -> Iterator[str]:
    """Yield a sentence or two for each thing that the story has shown. All of it has been checked."""
    orders = list_orders(outcome.customers)
    completed = [order for order in orders if order["state"] == "completed"]
    small = sum(order["is_aggregated"] for order in completed)
    purchases = summarise_attempts(after_id=outcome.last_attempt_before).purchases
    yield (
        f"{len(outcome.customers)} customers placed {len(orders)} orders. {len(completed) - small} large ones were "
        f"bought at once; {small} small ones waited in pools. {purchases} purchases settled them all."
    )
    yield f"The venue refused to sell {REFUSED_COIN}, so {_count(orders, 'refunded')} was refunded in full."
    yield (
        f"The answer to a purchase of {LOST_COIN} was lost on its way. The service did not send it again: it asked "
        "for it, found it, and booked it once."
    )
    yield "Every order was paid and delivered, or paid back, and the ledger's sum is zero."


def list_links(api: str) -> Iterator[tuple[str, str]]:
    """Yield each page to look at, and its URL."""
    yield "home page, your first order", f"{api}/"
    yield "guide", f"{api}/guide/"
    yield "try the API", f"{api}/api/v1/swagger/"
    yield f"admin ({ADMIN_USERNAME} / {ADMIN_PASSWORD})", f"{api}/admin/"
    yield "health", f"{api}/health/ready/"


def _count(orders: list[dict[str, object]], state: str) -> str:
    count = Counter(order["state"] for order in orders)[state]
    return "1 order" if count == 1 else f"{count} orders"
