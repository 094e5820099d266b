"""A fake wire under ccxt's real client, and cases: what is asked, what the venue answers, what has to come of it.

The wire is an adapter of the HTTP session, so that addresses, signatures and headers are those that would be sent.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

from settlement.sizing import ensure_usable
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.protocol import CoinNotListed, Executed, NoAsk, PurchaseRequest, UnusableRules, VenueAway

OUR_ID = "ce01234567ab4cde8f0123456789abcd"
SIGNED_AT = datetime(2026, 11, 27, 12, 0, 0, 250_000, tzinfo=UTC)
SINCE = datetime(2026, 11, 27, 11, 0, 0, tzinfo=UTC)
BUY = PurchaseRequest(
    coin="BTC",
    client_order_id=OUR_ID,
    quantity=Decimal("0.01500000"),
    limit_price=Decimal("60000.000000000000000000"),
    signed_at=SIGNED_AT,
    window=timedelta(seconds=5),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a venue, as `settlement.venues.protocol.VenueConfig` has them."""

    quote_asset: str = "USDT"
    api_key: str = "our-key"
    api_secret: str = "our-secret"
    api_password: str = ""
    sandbox: bool = False
    url: str = ""
    recv_window: timedelta = timedelta(seconds=5)


@dataclass(frozen=True)
class Sent:
    """A request as it was sent. `parameters` are those of the query and of the body, read as strings or JSON."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parameters(self) -> dict[str, Any]:
        query = dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))
        if self.body.startswith(("{", "[")):
            read = json.loads(self.body)
            return {**query, **(read if isinstance(read, dict) else {"": read})}
        return {**query, **dict(parse_qsl(self.body, keep_blank_values=True))}


@dataclass(frozen=True, kw_only=True)
class FakeReply:
    """An answer to the first request with this method, path and these parameters, among others; used once.

    `lacks` are parameters that the request must not have. `again`: used for any number of requests, or for none.
    `error` is raised instead of an answer. A `body` that is a function makes the answer of the request.
    """

    method: str
    path: str
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    having: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    again: bool = False
    error: Exception | None = None

    def fits(self, sent: Sent) -> bool:
        said = sent.parameters
        return (
            (sent.method, sent.path) == (self.method, self.path)
            and all(name in said and str(said[name]) == str(value) for name, value in self.having.items())
            and not any(name in said for name in self.lacks)
        )


class FakeWire(BaseAdapter):
    """Gives the prepared answers, and remembers what was sent and what nobody has prepared an answer for."""

    def __init__(self, answers: list[FakeReply]) -> None:
        super().__init__()
        self.waiting = list(answers)
        self.sent: list[Sent] = []
        self.unexpected: list[Sent] = []

    def send(self, request, **_):
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        sent = Sent(request.method, request.url, dict(request.headers), body)
        self.sent.append(sent)
        answer = next((answer for answer in self.waiting if answer.fits(sent)), None)
        if answer is None:
            self.unexpected.append(sent)
            raise requests.ConnectionError("no answer has been prepared")
        if not answer.again:
            self.waiting.remove(answer)
        if answer.error is not None:
            raise answer.error
        return _response(request, answer, sent)

    def close(self):
        pass


def _response(request, answer: FakeReply, sent: Sent) -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason = answer.status, ""
    response.request, response.url = request, request.url
    response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
    body = answer.body(sent) if callable(answer.body) else answer.body
    text = body if isinstance(body, str) else json.dumps(body)
    response._content, response._content_consumed = text.encode(), True
    return response


Call = Callable[[CcxtVenue], Any]


def buy(venue: CcxtVenue) -> Any:
    return venue.buy(purchase=BUY)


def buy_as(client_order_id: str) -> Call:
    """Return a call that buys under another id than `OUR_ID`."""
    return lambda venue: venue.buy(purchase=replace(BUY, client_order_id=client_order_id))


def read_rules_and_buy(venue: CcxtVenue) -> Any:
    """Read the market's rules, which have neither step nor tick, and buy."""
    ensure_usable(rules := venue.read_rules(coin="BTC"))
    assert rules.quantity_step == Decimal("0.00000001")
    return venue.buy(purchase=BUY)


def buy_within(window: timedelta) -> Call:
    """Buy with another time until the deadline."""
    return lambda venue: venue.buy(purchase=replace(BUY, window=window))


def rules(venue: CcxtVenue) -> Any:
    """Return the market's rules, or the name of the reason why there are none."""
    try:
        return venue.read_rules(coin="BTC")
    except (CoinNotListed, NoAsk, UnusableRules) as error:
        return type(error).__name__


def look_up(venue: CcxtVenue) -> Any:
    return venue.look_up(coin="BTC", client_order_id=OUR_ID)


def buy_and_look_up(venue: CcxtVenue) -> Any:
    """Buy, and look the order up if the answer was lost."""
    answer = venue.buy(purchase=BUY)
    assert type(answer).__name__ == "Unknown", answer
    return look_up(venue)


def find_in_lists(venue: CcxtVenue) -> Any:
    return venue.find_in_lists(coin="BTC", client_order_id=OUR_ID, since=SINCE)


def find_in_lists_since(since: datetime) -> Call:
    return lambda venue: venue.find_in_lists(coin="BTC", client_order_id=OUR_ID, since=since)


def list_purchases(venue: CcxtVenue) -> Any:
    """Return the client and venue order ids of the list, with quantity and cost."""
    listed = venue.list_purchases(coin="BTC", since=SINCE)
    return [(each.client_order_id, each.venue_order_id, each.quantity, each.cost) for each in listed]


def list_in_vain(venue: CcxtVenue) -> Any:
    """List the orders, and return the refusal: an incomplete list is never returned."""
    return _refusal_of(lambda: venue.list_purchases(coin="BTC", since=SINCE))


def list_of_nine_days(venue: CcxtVenue) -> Any:
    return _refusal_of(lambda: venue.list_purchases(coin="BTC", since=SIGNED_AT - timedelta(days=9)))


def funds_in_vain(venue: CcxtVenue) -> Any:
    return _refusal_of(venue.read_funds)


def _refusal_of(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except VenueAway as error:
        return error


def list_figures(venue: CcxtVenue) -> Any:
    """Return cost, commission and commission in the quote asset of each listed order, None for contradictions."""
    listed = venue.list_purchases(coin="BTC", since=SINCE)
    figures = venue.list_figures(coin="BTC", listed=listed, since=SINCE) or {}
    return {
        name: found and (found.cost, found.commission, found.quote_commission, found.foreign_commission)
        for name, found in figures.items()
    }


def balances(venue: CcxtVenue) -> Any:
    """Return what can be spent, and what is held."""
    return venue.read_funds(), venue.read_balances()


def rehearse(venue: CcxtVenue) -> Any:
    return venue.rehearse(purchase=BUY)


def terms(venue: CcxtVenue) -> Any:
    return venue.read_terms(coin="BTC")


@dataclass(frozen=True, kw_only=True)
class Case:
    """`expected` is the verdict's type, or the value that is returned; `fields` are the verdict's.

    `source` names the page of the venue's documentation, or says "from ccxt's source, unconfirmed". `sent` are the
    parameters of the purchase, whole, but for those of the signature; `headers` are some of its headers. `public` takes
    the place of the venue's public answers, and `config` changes its settings. `url` and `body` are the purchase's, to
    the last byte.
    """

    row: str
    source: str
    answers: list[FakeReply]
    expected: Any
    fields: Mapping[str, Any] = field(default_factory=dict)
    call: Call = buy
    sent: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    body: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    public: list[FakeReply] | None = None
    name: str = ""

    @property
    def title(self) -> str:
        return f"{self.row} ({self.name})" if self.name else self.row


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """A venue's cases. `public` are answers that any case may ask for: markets and time.

    `has_no` gives, for rows of the checklist that the venue has no such thing for, the source that says so.
    `purchase` is the path of a purchase, and `signature` the parameters that belong to the signature.
    """

    profile: VenueProfile
    config: Config
    purchase: str
    signature: frozenset[str]
    public: list[FakeReply]
    cases: list[Case]
    has_no: Mapping[str, str] = field(default_factory=dict)


def run(venue: Conformance, case: Case) -> None:
    """Run a case, and assert what came of it, what was sent, and that nothing else was."""
    markets.forget()
    wire = FakeWire([*case.answers, *(venue.public if case.public is None else case.public)])
    config = Config(**{**vars(venue.config), **case.config})
    adapter = CcxtVenue(profile=venue.profile, config=config)
    adapter._client.enableRateLimit = False
    adapter._client.session.mount("https://", wire)
    try:
        answer = case.call(adapter)
    finally:
        markets.forget()
    assert not wire.unexpected, f"nobody answers {wire.unexpected}; the call returned {answer}"
    _check(answer, case)
    left = [each for each in wire.waiting if not each.again]
    assert not left, f"never asked for: {left}"
    _check_sent(venue, case, wire)


def _check(answer: Any, case: Case) -> None:
    if not isinstance(case.expected, type):
        assert answer == case.expected, answer
        return
    assert isinstance(answer, case.expected), answer
    if isinstance(answer, Executed):
        assert answer.quantity.as_tuple().exponent >= -8
    for name, value in case.fields.items():
        told = getattr(answer, name)
        wanted = Decimal(value) if isinstance(told, Decimal) else value
        assert told == wanted, f"{name} is {told}, not {wanted}: {answer}"


def _check_sent(venue: Conformance, case: Case, wire: FakeWire) -> None:
    purchases = [sent for sent in wire.sent if (sent.method, sent.path) == ("POST", venue.purchase)]
    assert len(purchases) <= 1, "a purchase is sent once"
    if case.sent is None and not case.headers and not case.url:
        return
    [purchase] = purchases
    if case.url:
        assert (purchase.url, purchase.body) == (case.url, case.body)
    if case.sent is not None:
        said = {name: value for name, value in purchase.parameters.items() if name not in venue.signature}
        assert said == dict(case.sent)
    for name, value in case.headers.items():
        assert purchase.headers.get(name) == value, f"{name}: {purchase.headers.get(name)}"
