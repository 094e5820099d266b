"""What a profile says about a venue: its facts, and its answers in the venue's own words.

All venues share one adapter; every difference between them is in the profile. A profile does no I/O of its own: it
names the calls, and reads the replies into what the gate judges. It never adds a figure that the venue did not say.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from settlement.told import TradeTold
from settlement.venues.profiles.refusals import Refusals, judge_refusal, judge_wait
from settlement.venues.profiles.words import (
    AccountTerms,
    Call,
    Declined,
    Failure,
    Heard,
    Holding,
    Market,
    Reply,
    TradeHeard,
    Wire,
)
from settlement.venues.protocol import PurchaseRequest, Unknown, VenueAnswer

DOLLARS: Final = frozenset({"USD", "USDT", "USDC"})
"""The quote assets that are booked one to one as US dollars."""


class VenueProfile(ABC):
    """The known facts about a venue, and the forms of its requests and answers. An object has no state."""

    name: ClassVar[str]
    """The venue's name in ccxt."""
    origin_of: ClassVar[str]
    """The entry of ccxt's table of addresses that holds the address of private calls."""
    has_sandbox: ClassVar[bool] = False
    has_rehearsals: ClassVar[bool] = False
    """Whether the venue checks purchases that it does not place: see `rehearsal_for`."""
    client_options: ClassVar[Mapping[str, Any]] = {}
    """Further options of ccxt's client."""

    requests_expire: ClassVar[bool] = False
    """Whether the venue refuses a purchase for good that arrives after its deadline."""
    reads_time: ClassVar[bool] = False
    """Whether the venue tells the time of its clock."""
    dates_questions: ClassVar[bool] = False
    """Whether signed questions are dated, so that the venue's clock has to be measured before them."""
    growing_nonces: ClassVar[bool] = False
    """Whether each request of a key needs a larger number than all before it, over all threads, processes and hosts."""
    shortest_window_seconds: ClassVar[float] = 0
    """The venue refuses a purchase whose deadline is not this far away when it arrives."""
    client_order_ids: ClassVar[re.Pattern[str]]
    """The client order ids that the venue accepts."""
    quote_assets: ClassVar[frozenset[str]] = DOLLARS
    """The venue's quote assets that count as dollars."""
    quote_time: ClassVar[str | None] = None
    """The name, in ccxt's ticker, of the time at which its bid and ask held. None: the venue says no such time.

    The time of the last trade is none: a market without trades has good prices, too.
    """

    tickers_have_books: ClassVar[bool] = True
    """Whether ccxt's tickers have bid and ask. If not, the best bids and asks are asked for."""

    refusals: ClassVar[Refusals]
    not_found: ClassVar[frozenset[str]] = frozenset()
    """Codes of a lookup by id that mean: there is no such order."""
    open_codes: ClassVar[frozenset[str]] = frozenset()
    """Codes that leave open whether a purchase was placed, also with the status of a limit on calls."""
    stale_clock: ClassVar[frozenset[str]] = frozenset()
    """Codes that say that a request was dated wrongly."""
    stale_nonce: ClassVar[frozenset[str]] = frozenset()
    """Codes that say that a larger number has arrived before. A question is asked again."""

    @abstractmethod
    def find_failure(self, reply: Reply) -> Failure | None:
        """Return the error in a reply, or None if it is a success. Called for any status and any JSON."""

    @abstractmethod
    def call_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        """Return the call that sends a purchase: a limit order, immediate or cancel, with our id and its deadline."""

    @abstractmethod
    def read_placed(self, reply: Reply, *, market: Market, client_order_id: str) -> Heard | str | None:
        """Return the order that the reply to a purchase tells, or only its venue order id.

        None: the reply says neither. The order is asked for by the id that is returned.
        """

    @abstractmethod
    def find_order(self, wire: Wire, *, market: Market, client_order_id: str) -> Heard | None:
        """Look up the newest order with our id. None: the venue says that there is none. Raises VenueAway."""

    @abstractmethod
    def fetch_order(self, wire: Wire, *, market: Market, venue_order_id: str) -> Heard | None:
        """Look up an order by the venue's id. None: the venue says that there is none. Raises VenueAway."""

    @abstractmethod
    def list_trades_of(self, wire: Wire, *, market: Market, order: Heard) -> list[TradeTold]:
        """Return the trades of an order, from all pages. Each names its order, so others do no harm.

        Raises VenueAway.
        """

    @abstractmethod
    def list_orders(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[Heard]:
        """Return all of the account's orders in a market that were placed since `since`, each once, oldest first.

        `now` is the venue's time. An incomplete list raises VenueAway.
        """

    @abstractmethod
    def list_trades(self, wire: Wire, *, market: Market, since: datetime, now: datetime) -> Iterator[TradeHeard]:
        """Return all of the account's trades in a market since `since`, as `list_orders` does."""

    @abstractmethod
    def read_balances(self, wire: Wire) -> Iterable[Holding]:
        """Return what the account holds. Raises VenueAway."""

    @abstractmethod
    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Return the venue's terms for our account. Raises VenueAway."""

    def rehearsal_for(self, purchase: PurchaseRequest, *, market: Market) -> Call:
        """Return the call with which the venue checks a purchase without placing it, if it `has_rehearsals`."""
        raise NotImplementedError

    def tells_rehearsal(self, reply: Reply) -> bool:
        """Say whether a reply without an error says that the venue has checked a purchase."""
        return isinstance(reply.body, dict)

    def tells_whose(self, order: Heard) -> bool:
        """Say whether an order is told well enough to know whether it is ours."""
        return isinstance(order.told.client_order_id, str) and bool(order.told.client_order_id)

    def is_about(self, reply: Reply, *, client_order_id: str) -> bool:
        """Say whether an error reply to a purchase may be about it. Not if it names another of our ids."""
        del reply, client_order_id
        return True

    def find_wait(self, reply: Reply) -> float | None:
        """Return the seconds after which a venue that limits calls answers again, if a reply says so in its own way."""
        del reply
        return None

    def tells_new_rules(self, failure: Failure) -> bool:
        """Say whether a refusal is about one of the market's filters."""
        return self.refusals.tells_new_rules(failure)

    def judge_refusal(self, reply: Reply, failure: Failure) -> VenueAnswer:
        """Return the VenueAnswer that an error reply to a purchase proves."""
        if failure.code in self.open_codes:
            reason = f"{reply.status} {failure.code} {failure.message}"[:200]
            return Unknown(reason=reason, retry_after_seconds=self.judge_wait(reply))
        return judge_refusal(
            refusals=self.refusals,
            status=reply.status,
            failure=failure,
            headers=reply.headers,
            wait=self.find_wait(reply),
        )

    def judge_wait(self, reply: Reply) -> float | None:
        """Return the seconds for which the venue wants no calls, or None if the reply is not about a limit."""
        return judge_wait(
            refusals=self.refusals,
            status=reply.status,
            failure=self.find_failure(reply),
            headers=reply.headers,
            wait=self.find_wait(reply),
        )

    def ask_for(self, wire: Wire, call: Call) -> Any:
        """Ask about one order. Return None if the venue says that there is no such order. Raises VenueAway."""
        try:
            return wire.ask(call)
        except Declined as error:
            if error.failure.code in self.not_found:
                return None
            raise
