"""Find the faults of a venue's settings, before anything is sent there. Nothing here asks the venue."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from settlement.venues.configured import config_of, list_configured
from settlement.venues.protocol import VenueConfig
from settlement.venues.registry import NoProfile, find_profile


@dataclass(frozen=True, kw_only=True)
class ConfiguredVenue:
    """A venue that the environment describes, by variables that begin with `prefix`."""

    name: str
    prefix: str
    config: VenueConfig

    def find_faults(self) -> Iterator[str]:
        """Return the reasons why the venue cannot be used with these settings, one sentence each."""
        try:
            profile = find_profile(self.name)
        except NoProfile as error:
            yield f"{self._variable_of_name}: {error}."
            return
        if self.config.quote_asset not in profile.quote_assets:
            dollars = ", ".join(sorted(profile.quote_assets))
            yield f"{self.prefix}_QUOTE_ASSET: {self.config.quote_asset} is no dollar at {self.name}; {dollars} are."
        if self.config.sandbox and not profile.has_sandbox:
            yield f"{self.prefix}_SANDBOX: {self.name} has no sandbox."
        shortest = profile.shortest_window_seconds
        if self.config.recv_window.total_seconds() <= shortest:  # some of it has passed when a purchase arrives
            yield (
                f"{self.prefix}_RECV_WINDOW_MS must be above {shortest * 1000:.0f}: {self.name} refuses each purchase"
                f" whose deadline is less than {shortest:g} s away when it arrives."
            )

    @property
    def _variable_of_name(self) -> str:
        return f"{self.prefix}_ID" if self.name == settings.VENUE.id else f"{self.prefix}_…"

    def find_missing_keys(self) -> Iterator[str]:
        """Return a sentence for each key that the venue wants and that is not set. Loads ccxt."""
        from settlement.venues.ccxt.client import list_missing_keys

        for field in list_missing_keys(profile=find_profile(self.name), config=self.config):
            yield f"{self.prefix}_{field} must be set: a worker buys at {self.name} what the shop sells."


def list_venues() -> list[ConfiguredVenue]:
    """Return the venues that the environment describes."""
    return [ConfiguredVenue(name=name, prefix=_prefix(name), config=config_of(name)) for name in list_configured()]


def _prefix(name: str) -> str:
    return "EXCHANGE" if name == settings.VENUE.id else f"VENUE_{name.upper()}"
