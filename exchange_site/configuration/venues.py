"""Further venues: VENUE_<NAME>_… describe each, as EXCHANGE_… describe the first.

What a venue's own variables leave out it has from EXCHANGE_…, except for what is the first venue's alone: its address,
its keys and its sandbox.
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import TypeAdapter, ValidationError

from exchange_site.configuration.addresses import is_open_url
from exchange_site.configuration.objections import Objection, read_objections
from exchange_site.configuration.settlement import Venue
from exchange_site.configuration.sources import resolve

_FIELDS: Final = ("URL", "API_KEY", "API_SECRET", "API_PASSWORD", "SANDBOX", "QUOTE_ASSET", "TAKER_RATE")
_SECRET: Final = ("API_KEY", "API_SECRET", "API_PASSWORD")
_OWN: Final = ("URL", *_SECRET, "SANDBOX")
_NAME: Final = re.compile(rf"VENUE_([A-Z0-9]+)_({'|'.join(_FIELDS)})(_FILE)?")
_ANY: Final = re.compile(r"VENUE_[A-Z0-9]+_[A-Z_]+")
_VENUE: Final = TypeAdapter(Venue)


def read_further_venues(environment: Mapping[str, str]) -> tuple[dict[str, Venue], list[Objection]]:
    """Return the groups of further venues by their names in ccxt, and what cannot be used of their variables.

    A variable that is empty counts as not set.
    """
    given = {name: value for name, value in environment.items() if value and _ANY.fullmatch(name)}
    found = {name: match for name in given if (match := _NAME.fullmatch(name))}
    objections = [
        Objection(name, f"{name} is not a variable of a venue: these end with {', '.join(_FIELDS)}.")
        for name in sorted(given.keys() - found.keys())
    ]
    venues: dict[str, Venue] = {}
    for name in sorted({match[1] for match in found.values()}):
        venue, wrong = _read(name, environment)
        objections += wrong
        if venue is not None:
            venues[venue.id] = venue
    return venues, objections


def _read(name: str, environment: Mapping[str, str]) -> tuple[Venue | None, list[Objection]]:
    own = {f"VENUE_{name}_{field}": f"EXCHANGE_{field}" for field in _FIELDS}
    resolved = resolve(environment, secrets=[f"VENUE_{name}_{field}" for field in _SECRET])
    variables = {key: value for key, value in resolved.variables.items() if key not in _first_alone()}
    variables |= {general: resolved.variables[key] for key, general in own.items() if resolved.variables.get(key)}
    variables["EXCHANGE_ID"] = name.lower()
    wrong = [each for each in resolved.objections if each.variable in own]
    if name.lower() == environment.get("EXCHANGE_ID", "binance"):
        sentence = f"VENUE_{name}_… describe the venue that EXCHANGE_ID names: use the variables EXCHANGE_… for it."
        return None, [Objection(f"VENUE_{name}", sentence)]
    try:
        venue = _VENUE.validate_python(variables)
    except ValidationError as error:
        names = {general: key for key, general in own.items()}
        told = [each for each in read_objections(error) if each.variable in names]
        return None, [*wrong, *(Objection(*(part.replace(e.variable, names[e.variable]) for part in e)) for e in told)]
    if venue.url and is_open_url(venue.url):
        sentence = f"VENUE_{name}_URL must begin with https:// unless it leads to this machine or a private network."
        wrong.append(Objection(f"VENUE_{name}_URL", sentence))
    return venue, wrong


def _first_alone() -> set[str]:
    """Return the variables of the first venue that say nothing about others."""
    return {f"EXCHANGE_{field}" for field in _OWN}
