"""What a rule about a configuration is: a predicate, and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange_site.configuration.addresses import leads_outside

if TYPE_CHECKING:
    from exchange_site.configuration import Configuration
    from exchange_site.configuration.settlement import Venue

Predicate = Callable[["Configuration"], bool]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A variable, the configurations that are refused, and the sentence about them, which begins with its name."""

    variable: str
    sentence: str
    refuses: Predicate


def rule(variable: str, sentence: str, refuses: Predicate) -> Rule:
    """Return a rule whose sentence is the variable's name and `sentence`."""
    return Rule(variable=variable, sentence=f"{variable} {sentence}", refuses=refuses)


def must_be_on(variable: str, is_on: Predicate) -> Rule:
    """Return a rule about a switch that a real venue needs."""
    sentence = "must be True with a real venue."
    return rule(variable, sentence, lambda given: not is_on(given) and is_real_venue(given))


def is_real_venue(given: "Configuration") -> bool:
    """Say whether coins are bought with real money at any venue: neither at a simulator nor in a venue's sandbox."""
    return any(_is_real(venue) for venue in _venues_of(given))


def spends_real_money(given: "Configuration") -> bool:
    """Say whether orders spend real money: at a real venue, in production or with a key of it."""
    return any(
        _is_real(venue) and (not given.django.debug or bool(venue.api_key or venue.api_secret))
        for venue in _venues_of(given)
    )


def _is_real(venue: "Venue") -> bool:
    return not venue.sandbox and (not venue.url or leads_outside(venue.url))


def _venues_of(given: "Configuration") -> list["Venue"]:
    return [given.venue, *given.further_venues.values()]
