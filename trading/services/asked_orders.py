"""Orders that somebody asks for, and what became of them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.models import Order
from trading.quotes import Quote
from wallets.exceptions import DomainError
from wallets.runtime.allowances import Outcome, Wanted
from wallets.runtime.idempotency import IdempotencyKey
from wallets.selectors.accounts import Principal


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """A request for `amount` coins, or for as many coins as `total` US dollars buy, or for what a `quote` promises.

    Exactly one of the three is set; a quote names its coin itself. `max_price` is the most that one coin may cost.
    """

    coin_name: str = ""
    amount: Decimal | None = None
    total: Decimal | None = None
    max_price: Decimal | None = None
    quote: str | None = None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """An order and its pool's total (US dollars). `replayed`: an earlier request with the same key placed the order."""

    order: Order
    coin_name: str
    replayed: bool
    job_deferred: bool = False
    pool_total: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What Redis says before the order: its pool's total (US dollars), and whether the order's dollars are taken.

    Neither decides: the total tells whether to look into the pool now, `taking` can only refuse; `wanted` is taken.
    """

    pool_total: Decimal | None = None
    taking: Outcome = Outcome.UNKNOWN
    wanted: Wanted | None = None


def _no_mark() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class AskedOrder:
    """An order that somebody asks for, with all that is known before its database transaction.

    `mark_claim` returns the mark by which a job that claims the order continues the request's trace, if there is one.
    """

    buyer: Principal
    order_request: OrderRequest
    quote: Quote | None
    counters: Counters
    mark_claim: Callable[[], str | None] = _no_mark

    @property
    def key(self) -> IdempotencyKey | None:
        """The customer's name for the request, if any."""
        return self.order_request.key


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of an order: placed (or found by its key), refused, or left to be placed `alone`.

    `has_funds`: nothing is against it, but its dollars have yet to be taken from what may still be sold. `passed_over`:
    nothing is known of it, because its wallet, or what can revoke its caller's token, is locked by somebody else.
    """

    customer_id: int | None = None
    placed: PlacedOrder | None = None
    refusal: DomainError | None = None
    has_funds: bool = False
    alone: bool = False
    passed_over: bool = False


ALONE: Final = Judgement(alone=True)
PASSED_OVER: Final = Judgement(passed_over=True)
