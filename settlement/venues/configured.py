"""The settings of each venue: where it is, its keys, its quote asset and its commission."""

from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings

from settlement.venues.protocol import VenueConfig


class VenueNotConfigured(Exception):
    """The environment of this process does not describe the venue. The message names the variables that do."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment does not describe {name}: see VENUE_{name.upper()}_API_KEY")


def config_of(name: str) -> VenueConfig:
    """Return a venue's group of settings. Raises VenueNotConfigured."""
    if name == settings.VENUE.id:
        return settings.VENUE
    if name not in settings.FURTHER_VENUES:
        raise VenueNotConfigured(name)
    return settings.FURTHER_VENUES[name]


def is_configured(name: str) -> bool:
    """Say whether the environment of this process describes a venue."""
    return name == settings.VENUE.id or name in settings.FURTHER_VENUES


def list_configured() -> Sequence[str]:
    """Return the names of the venues that the environment describes; the one that EXCHANGE_ID names first."""
    return [settings.VENUE.id, *(name for name in sorted(settings.FURTHER_VENUES) if name != settings.VENUE.id)]


def quote_asset_of(name: str) -> str:
    """Return the asset that pays for coins at a venue. Raises VenueNotConfigured."""
    return config_of(name).quote_asset


def quote_asset_or_usual(name: str) -> str:
    """Return a venue's quote asset; that of the first venue where the environment does not describe the venue."""
    return quote_asset_of(name) if is_configured(name) else settings.VENUE.quote_asset


def taker_rate_of(name: str) -> Decimal:
    """Return a venue's commission; that of the first venue if the environment no longer describes the venue."""
    return config_of(name if is_configured(name) else settings.VENUE.id).taker_rate
