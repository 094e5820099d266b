"""ccxt's client for a venue, and the clock for its signatures.

ccxt knows the venue's addresses, signatures, markets and public prices. Our orders go another way: see `wire`. The
client is synchronous and handles numbers as strings. Every automatic feature is off that could send a request twice or
change the time in its signature.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import ccxt

from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.keyless import KeylessMarkets
from settlement.venues.ccxt.markets import without_empty_steps
from settlement.venues.ccxt.plain import PlainNumbers
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.protocol import VenueConfig
from settlement.venues.transport import open_public_session, open_session

logger = logging.getLogger(__name__)

_KEYS: Final = {"apiKey": "API_KEY", "secret": "API_SECRET", "password": "API_PASSWORD"}


def build_public_client(name: str, *, url: str, quote_asset: str) -> Any:
    """Build a client without keys for the public prices of a venue, by its name in ccxt. Use it in one thread only."""
    options = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "maxRetriesOnFailure": 0}
    client = _client_class(name)({"enableRateLimit": True, "options": options})
    client.has["fetchCurrencies"] = False  # some venues tell their currencies to signed calls only
    client.quote_asset = quote_asset
    client.session = open_public_session(url=url)
    return client


def build_client(*, profile: VenueProfile, config: VenueConfig) -> Any:
    """Build a client of the profile's class in ccxt. Use each client in one thread only."""
    client = _client_class(profile.name)(
        {
            "apiKey": config.api_key,
            "secret": config.api_secret,
            "password": config.api_password,
            "enableRateLimit": True,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "maxRetriesOnFailure": 0,
                "adjustForTimeDifference": False,
                "recvWindow": int(config.recv_window.total_seconds() * 1000),
                "timeDifference": 0,
                **profile.client_options,
            },
        }
    )
    client.has["fetchCurrencies"] = False  # most venues tell their currencies to signed calls, which nothing here needs
    client.quote_asset = config.quote_asset
    if config.sandbox:
        client.set_sandbox_mode(True)
    client.session = open_session(origin=_origin(client, profile.origin_of), url=config.url)
    return client


def list_missing_keys(*, profile: VenueProfile, config: VenueConfig) -> list[str]:
    """Return the settings without which the venue's private calls cannot be signed, as the ends of their variables."""
    values = {"apiKey": config.api_key, "secret": config.api_secret, "password": config.api_password}
    wanted = getattr(ccxt, profile.name)().requiredCredentials
    return [_KEYS[name] for name, value in values.items() if wanted.get(name) and not value]


def read_time(client: Any) -> datetime:
    """Return the time by the venue's clock, and store how far our clock is off. Raises VenueAway."""
    with questions():
        milliseconds = int(client.fetch_time())
        moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    # ccxt dates the questions that it signs by this difference. Purchases are dated by `signed_at`.
    client.options["timeDifference"] = client.milliseconds() - milliseconds
    return moment


def venue_now(client: Any) -> datetime:
    """Return the time by the venue's clock, as far as it has been measured."""
    milliseconds = client.milliseconds() - int(client.options.get("timeDifference") or 0)
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def ensure_clock(client: Any) -> None:
    """Measure the venue's clock if not done yet: ccxt dates signed questions by that clock. Raises VenueAway."""
    if not client.options.get("timeDifference"):
        read_time(client)


def forget_clock(client: Any) -> None:
    """Forget the measurement, so that the next `ensure_clock` measures the venue's clock again."""
    client.options["timeDifference"] = 0


@contextmanager
def signed_at(client: Any, moment: datetime | None) -> Iterator[None]:
    """Sign the requests inside the block with exactly `moment`; with the time of the signature if there is none."""
    client.fixed_nonce = None if moment is None else int(moment.timestamp() * 1000)
    try:
        yield
    finally:
        client.fixed_nonce = None


@contextmanager
def numbered(client: Any, number: int | None) -> Iterator[None]:
    """Sign the requests inside the block with exactly this growing number, at a venue that wants one."""
    client.fixed_number = number
    try:
        yield
    finally:
        client.fixed_number = None


@contextmanager
def signed_with(client: Any, options: Mapping[str, Any]) -> Iterator[None]:
    """Sign the requests inside the block with further options of ccxt's client."""
    before = {name: client.options.get(name) for name in options}
    client.options.update(options)
    try:
        yield
    finally:
        client.options.update(before)


def _client_class(name: str) -> Any:
    """Make the class of a venue's client, with our way of dating requests and of reading markets."""
    base = getattr(ccxt, name)

    class Client(KeylessMarkets, PlainNumbers, base):  # type: ignore[misc, valid-type]  # ccxt's classes are made at run time
        number = str
        fixed_nonce: int | None = None
        fixed_number: int | None = None
        quote_asset = ""

        def __init__(self, config: dict[str, Any]) -> None:
            self.unread_markets: list[Any] = []
            super().__init__(config)

        def nonce(self) -> float:
            """Return the attempt's signing time while an attempt is being sent, else ccxt's own time."""
            return self.fixed_nonce if self.fixed_nonce is not None else super().nonce()

        def incrementing_nonce(self) -> Any:
            """Return the number of the request's turn, else ccxt's own."""
            return self.fixed_number if self.fixed_number is not None else super().incrementing_nonce()

        def parse_market(self, market: dict[str, Any]) -> Any:
            """Return the market, or None if it cannot be read: the other markets must not suffer.

            The entry is added to `unread_markets`, because its coin may be listed all the same.
            """
            try:
                parsed = super().parse_market(market)
                if parsed and self.precisionMode == ccxt.TICK_SIZE:
                    parsed = without_empty_steps(parsed)
            except Exception:
                logger.exception("a market of the venue cannot be read")
                parsed = None
            if not parsed:
                self.unread_markets.append(market)
            return parsed

    return Client


def _origin(client: Any, entry: str) -> str:
    urls = client.urls["api"]
    address = client.implode_hostname(urls if isinstance(urls, str) else urls[entry])
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
