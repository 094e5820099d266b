"""The dialects in which settlement talks to the simulator, chosen by `pytest --dialect kraken`; Binance's is the default.

Settlement's part of the fault suite is marked `dialects`, and passes in each of them: `task test:dialects` runs it.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from exchange_site.database.owner import as_owner
from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.simulator.kraken import DEFAULT_API_SECRET as KRAKENS_API_SECRET
from settlement.models import VenueEntry, venues

COMMISSION = Decimal("0.001")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A dialect, and how it differs for tests.

    `window` is the shortest time for which a purchase is good that lets tests wait for its end. `takes_coins` says that
    the coins bought pay the commission; otherwise dollars do.
    """

    name: str
    api_secret: str
    window: timedelta
    takes_coins: bool

    @property
    def too_late_seconds(self):
        """A delay after which no purchase is accepted."""
        return self.window.total_seconds() + 0.5

    def variables(self):
        """Return the variables that make a process speak the dialect."""
        return {
            "EXCHANGE_ID": self.name,
            "EXCHANGE_API_KEY": DEFAULT_API_KEY,
            "EXCHANGE_API_SECRET": self.api_secret,
            "EXCHANGE_RECV_WINDOW_MS": str(int(self.window.total_seconds() * 1000)),
        }

    def settings(self):
        """Return the settings that make this process speak the dialect."""
        return {"id": self.name, "api_key": DEFAULT_API_KEY, "api_secret": self.api_secret}

    def name_first_venue(self):
        """Name the first venue's row, as `migrate` does with the dialect's variables."""
        if not VenueEntry.objects.filter(name=self.name).exists():
            with as_owner():
                VenueEntry.objects.update(name=self.name)
        if venues._first != [self.name]:
            venues._first.clear()

    def delivered(self, bought):
        """Return how many coins are left of a purchase, once its commission is paid."""
        return bought * (1 - COMMISSION) if self.takes_coins else bought


BINANCE = Dialect(name="binance", api_secret=DEFAULT_API_SECRET, window=timedelta(milliseconds=1500), takes_coins=True)
# Kraken refuses a deadline that is less than two seconds away when the order arrives.
KRAKEN = Dialect(name="kraken", api_secret=KRAKENS_API_SECRET, window=timedelta(seconds=4), takes_coins=False)
DIALECTS = {dialect.name: dialect for dialect in (BINANCE, KRAKEN)}
