"""A second venue beside the first: another simulator in a process of its own, with its own book and account."""

from contextlib import contextmanager
from copy import copy

from django.conf import settings as django_settings

from settlement.models import VenueEntry, VenueState
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.configured import config_of
from settlement.venues.registry import find_profile
from tests.simulators import running_simulator

FIRST, SECOND = "binance", "binanceus"


@contextmanager
def second_simulator(folder, settings, *, spread="0", priority=2):
    """Run a second simulator, and put its venue in use."""
    folder.mkdir()
    with running_simulator(folder, "--spread", spread) as simulator:
        config = copy(settings.VENUE)
        vars(config).update(id=SECOND, url=simulator.url)
        settings.FURTHER_VENUES = {SECOND: config}
        VenueEntry.objects.update_or_create(name=SECOND, defaults={"priority": priority, "state": VenueState.IN_USE})
        yield simulator


def open_venues():
    """Return a function that gives one thread its connections to both venues, as `get_venue` does."""
    opened = {}

    def get_venue(name):
        if name not in opened:
            opened[name] = CcxtVenue(profile=find_profile(name), config=config_of(name))
        return opened[name]

    return get_venue


def environment_of_second():
    """What tells a worker where the second simulator is."""
    config = django_settings.FURTHER_VENUES[SECOND]
    own = {"URL": config.url, "API_KEY": config.api_key, "API_SECRET": config.api_secret}
    return {f"VENUE_{SECOND.upper()}_{name}": value for name, value in own.items()}
