"""Read where coins may be bought."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import MAXYEAR, datetime
from decimal import Decimal

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from settlement.models import IN_FLIGHT, Attempt, AttemptState, Pause, VenueEntry, VenueState
from settlement.venues.configured import is_configured
from wallets.runtime import sql


@dataclass(kw_only=True)
class Standing:
    """A venue in use that this process can call, and the pauses there that concern a coin."""

    name: str
    priority: int
    pauses: list[Pause] = field(default_factory=list)

    def paused_until(self, *, now: datetime) -> datetime | None:
        """Return when the last of its pauses ends that has not ended; the latest time if one has no end."""
        ends = [pause.until or datetime.max.replace(tzinfo=now.tzinfo) for pause in self.pauses]
        return max((end for end in ends if end > now), default=None)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where another attempt for a coin may begin: the names of venues, the first to buy at first.

    `paused` are venues whose pauses have not ended, and `paused_until` is when the first of these ends; None if none
    ends by itself. `most` is how much a further attempt may cost (US dollars) while another one's outcome is unknown.
    """

    venues: list[str]
    paused: list[str] = field(default_factory=list)
    paused_until: datetime | None = None
    most: Decimal | None = None

    @property
    def all(self) -> list[str]:
        return [*self.venues, *self.paused]


def list_standings(*, coin_id: int | None) -> list[Standing]:
    """List the venues where a coin may be bought, paused or not. One query."""
    found: dict[str, Standing] = {}
    names = [each.attname for each in Pause._meta.concrete_fields]  # noqa: SLF001  public in fact
    for name, priority, *values in sql.fetch_all("settlement.venues_of_coin", coin_id=coin_id):
        standing = found.setdefault(name, Standing(name=name, priority=priority))
        if values[0] is not None:
            standing.pauses.append(Pause.from_db(DEFAULT_DB_ALIAS, names, values))
    return [standing for standing in found.values() if is_configured(standing.name)]


def list_in_flight(*, coin_id: int) -> list[Attempt]:
    """List the coin's attempts that are not ended, the oldest first. One query."""
    return list(Attempt.objects.filter(coin_id=coin_id, state__in=IN_FLIGHT).order_by("pk"))


def find_room(*, coin_id: int, now: datetime) -> Room:
    """Return where another attempt for a coin may begin. Two queries."""
    return room_of(list_standings(coin_id=coin_id), in_flight=list_in_flight(coin_id=coin_id), now=now)


def room_of(standings: Iterable[Standing], *, in_flight: list[Attempt], now: datetime) -> Room:
    """Return where another attempt may begin beside those `in_flight`: nowhere while one of them is on its way.

    Beside attempts whose outcome is unknown, others may begin at other venues, up to OPEN_BESIDE_UNKNOWN_MAX.
    """
    if not all(is_unknown(attempt, now=now) for attempt in in_flight):
        return Room(venues=[])
    most: Decimal | None = None
    if in_flight:
        beside = sum((attempt.budget or Decimal(0) for attempt in in_flight[1:]), Decimal(0))
        most = settings.SETTLEMENT.max_beside_unknown - beside
        if most <= 0:
            return Room(venues=[])
    busy = {attempt.place for attempt in in_flight}
    free = [standing for standing in standings if standing.name not in busy]
    ends = {standing.name: standing.paused_until(now=now) for standing in free}
    timed = [end for end in ends.values() if end is not None and end.year < MAXYEAR]
    return Room(
        venues=[name for name, end in ends.items() if end is None],
        paused=[name for name, end in ends.items() if end is not None],
        paused_until=min(timed, default=None),
        most=most,
    )


def is_unknown(attempt: Attempt, *, now: datetime) -> bool:
    """Say whether an attempt was sent and its outcome is not known: its answer was lost, or does not come."""
    return attempt.state == AttemptState.SENT and (bool(attempt.reason) or attempt.next_step_at <= now)


def list_in_use() -> list[str]:
    """List the venues in use that this process can call, the first to buy at first. One query."""
    return [name for name in list_all_in_use() if is_configured(name)]


def list_all_in_use() -> list[str]:
    """List the venues in use, also those whose keys this process lacks, the first to buy at first. One query."""
    rows = VenueEntry.objects.filter(state=VenueState.IN_USE).order_by("priority", "name")
    return list(rows.values_list("name", flat=True))
