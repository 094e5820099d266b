"""Say something false: change parts of an answer, after the request had its true effect.

A lie names the parts by their path, as in `executedQty` or `fills.0.qty`; `*` stands for every entry of a list, and for
every member of an object. The new value is any JSON, or an object with one of these keys: `times` multiplies the
figure, `doubled` says a list twice, and `deleted` leaves the part out. A path that the answer does not have changes
nothing.
"""

import copy
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.inputs import MOST, read_number

LIE: Final = "lie"
_WAYS: Final = frozenset({"times", "doubled", "deleted"})


def check_lie(changes: object) -> dict[str, Any]:
    """Return the changes of a lie. Raises ValueError if they are malformed."""
    if not isinstance(changes, dict) or not changes:
        raise ValueError("a lie needs changes: an object of paths and values")
    for value in changes.values():
        if isinstance(value, dict) and "times" in value:
            read_number(value["times"], name="times", at_least=-MOST)
    return changes


def lie(answer: Any, changes: Mapping[str, Any]) -> Any:
    """Return a changed copy of an answer."""
    changed = copy.deepcopy(answer)
    for path, value in changes.items():
        _change(changed, path.split("."), value)
    return changed


def _change(part: Any, path: list[str], value: Any) -> None:
    for key in _keys(part, path[0]):
        if len(path) > 1:
            _change(part[key], path[1:], value)
        elif isinstance(value, dict) and len(value) == 1 and value.keys() <= _WAYS:
            _twist(part, key, value)
        else:
            part[key] = value


def _keys(part: Any, name: str) -> list[Any]:
    keys = list(range(len(part))) if isinstance(part, list) else list(part) if isinstance(part, dict) else []
    return [key for key in keys if name in {"*", str(key)}]


def _twist(part: Any, key: Any, value: Mapping[str, Any]) -> None:
    if "deleted" in value:
        del part[key]
    elif "doubled" in value:
        part[key] = [*part[key], *part[key]]
    else:
        part[key] = f"{Decimal(str(part[key])) * Decimal(str(value['times'])):f}"
