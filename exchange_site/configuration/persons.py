"""Which deeds of staff need two persons."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Hours
from exchange_site.configuration.variables import PARSED, Group, variable

KINDS: Final = (
    "price_rule",
    "fixed_price",
    "coin_limits",
    "put_on_sale",
    "sales_limit",
    "sales_go_on",
    "open_shop",
    "suspect_price",
    "release_order",
    "intervention",
    "adoption",
    "account_move",
    "unfreeze",
    "powers",
    "group_permissions",
    "customer_name",
    "deposit",
    "assignment",
    "send_back",
    "import",
    "lift_pause",
    "venue",
    "restoration",
    "payout",
    "payout_outcome",
    "explain_debit",
    "charge_debit",
    "came_back",
    "return",
    "won_back",
    "put_aside",
    "correction",
    "goodwill",
    "write_off",
    "repurchase",
)
"""The names of the kinds that the apps register; a test compares them."""

_WITH_AMOUNT: Final = frozenset(
    {"release_order", "payout", "return", "won_back", "put_aside", "correction", "goodwill", "write_off", "repurchase"}
)
_MOST_OF_ONE_PERSON: Final = 10_000  # US dollars of each kind a day
_ALL: Final = "all"


def _parse_kinds(text: str) -> dict[str, Decimal]:
    """Return the kinds that need two persons, and of each the amount a day up to which one suffices (US dollars)."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    given = dict(_parse_kind(part) for part in parts if part != _ALL)
    return {**dict.fromkeys(KINDS, Decimal(0)), **given} if _ALL in parts else given


def _parse_kind(part: str) -> tuple[str, Decimal]:
    name, _, amount = (piece.strip() for piece in part.partition(":"))
    if name not in KINDS:
        raise ValueError(f"Input should be all, or a list of these: {', '.join(KINDS)}")
    if amount and name not in _WITH_AMOUNT:
        raise ValueError(f"Only {', '.join(sorted(_WITH_AMOUNT))} can have an amount")
    try:
        value = Decimal(amount or 0)
    except InvalidOperation as error:
        raise ValueError(f"The amount of {name} should be a number of US dollars") from error
    if not (value.is_finite() and value >= 0):
        raise ValueError(f"The amount of {name} should be a number of US dollars, zero or more")
    return name, value


@dataclass(frozen=True, config=PARSED)
class Proposals(Group):
    title: ClassVar[str] = "Two persons"
    intro: ClassVar[str] = (
        "Deeds of staff that move money, prices or limits wait until another member of staff approves them. A deed that"
        f" only lessens exposure never waits. The kinds are: {', '.join(f'`{kind}`' for kind in KINDS)}."
    )

    kinds: Annotated[dict[str, Decimal], BeforeValidator(_parse_kinds)] = variable(
        "TWO_PERSONS",
        "",
        "the kinds of deeds that need two persons, with commas between them, or `all`; with `release_order:1000.00` one"
        " person alone may release orders of 1,000 dollars a day (UTC), and with `goodwill:10.00` give 10",
        unit="kinds",
        in_production="all, release_order:1000.00",
    )
    valid_for: Hours = variable("PROPOSAL_HOURS", "72", "how long a proposal waits for the second person", unit="hours")
    break_glass_delay: Hours = variable(
        "BREAK_GLASS_HOURS",
        "24",
        "how long a request of `manage.py break_glass` waits, and any member of staff can revoke it",
        unit="hours",
    )

    @property
    def names_all(self) -> bool:
        """Say whether every kind needs two persons, and none of them up to an amount that lets one person do it all."""
        return self.kinds.keys() >= set(KINDS) and max(self.kinds.values()) <= _MOST_OF_ONE_PERSON

    def needs_two(self, *, kind: str, amount: Decimal | None) -> bool:
        """Say whether a deed of a kind needs two persons.

        `amount` is in US dollars: what the deed is about and what its author did alone today, together. It is None if
        the kind has none.

        Where no amount suffices for one person, a deed of 0 dollars does not either: it may do more than move them.
        """
        enough_for_one = self.kinds.get(kind)
        return enough_for_one is not None and (not enough_for_one or amount is None or amount > enough_for_one)
