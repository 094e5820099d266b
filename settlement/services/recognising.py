"""Tell whether the database is still the one whose purchases we know, before anything is sent to the venue.

After a restore, or a failover that lost something, the database is older than the world: purchases that it has
forgotten would be made again. So the statement that records an attempt as sent changes nothing unless the database is
where it was when the venue was asked last (settlement/sql/place.sql): the same server, timeline and processes, and the
same copy of the data. Nothing outside of that statement can be out of date.

Two things show a loss that leaves the place as it was, such as a virtual machine that was set back: this process has
read a later beat of the watch, and Redis has seen a later beat or a later order. Redis is a hint: without it nothing is
proven, and what it says wrongly costs a few questions to the venue.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.expressions import Exists, RawSQL
from django.db.models.functions import Greatest

from settlement.exceptions import SendingStopped
from settlement.models import DatabaseWatch, Installation, begin_watch, here, load_installation_code
from wallets.runtime import redis_store
from wallets.runtime.redis_store import RedisAway

logger = logging.getLogger(__name__)

_PARTS: Final = (
    "it is another server",
    "it is on another timeline",
    "its server was started again",
    "it is another database of the server",
    "its data was written anew",
)
_NEVER_ASKED: Final = "no venue has been asked yet"
_HARMLESS: Final = ("its server was started again", _NEVER_ASKED)
"""Doubts that alone show no loss."""
_SET_BACK: Final = "it has been set back"
_REDIS_KNOWS_MORE: Final = "Redis has seen a later state of it"
_LARGEST: Final = 2**63 - 1

_seen: dict[str, int] = {}
"""By the installation's code, the highest beat that this process has read."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is known of the database, and what is true of it now. `here` is its place now, `now` Postgres' time."""

    code: str
    place: str
    here: str
    known_at: datetime
    now: datetime
    beat: int
    last_order_id: int
    doubted_at: datetime | None
    doubted_place: str
    stopped_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The latest state of the database that this process (`beat`) and Redis (`hint`) have seen."""

    beat: int
    hint: dict[str, int] | None


def is_recognised() -> Exists:
    """Return the condition that the database is the one we know, for the statement that records what is sent."""
    known = DatabaseWatch.objects.filter(place=here(), doubted_at=None, stopped_at=None)
    for code, beat in list(_seen.items()):
        is_other = ~Exists(Installation.objects.filter(code=code))
        known = known.filter(Q(is_other) | Q(beat__gte=beat))
    return Exists(known)


def ensure_may_send() -> None:
    """Raise SendingStopped unless the database is the one we know. One statement; another one puts it in doubt."""
    if DatabaseWatch.objects.filter(is_recognised()).exists():
        return
    watch = put_in_doubt()
    raise SendingStopped(is_stopped=watch.stopped_at is not None)


def watch_database() -> Watch | None:
    """Record that the database has everything until now. If it is not the one we know, return what is known of it."""
    watch = put_in_doubt()
    now = _clock()
    if watch.doubted_at or not DatabaseWatch.objects.filter(is_recognised()).update(beat=F("beat") + 1, known_at=now):
        return watch if watch.doubted_at else put_in_doubt()
    _remember(read_watch())
    return None


def put_in_doubt() -> Watch:
    """Put the database in doubt if it is not the one we know, and return what is known of it."""
    seen = _read_seen(load_installation_code())  # before the database: what another beat writes after it is no loss
    watch = read_watch()
    reason = _find_doubt(watch, seen)
    if reason is None:
        return watch
    is_new = watch.doubted_place != watch.here  # a doubt that has ended has no place
    values: dict[str, Any] = {"beat": Greatest(F("beat"), Value(seen.beat))}
    if is_new:
        values |= {"doubted_at": _clock(), "doubted_place": watch.here, "doubt": reason}
        level = logging.INFO if reason in _HARMLESS else logging.ERROR
        logger.log(level, "nothing is sent until the venue was asked what the database lacks: %s", reason)
    DatabaseWatch.objects.filter(doubted_at=watch.doubted_at).update(**values)
    return read_watch()


def read_watch() -> Watch:
    """Read what is known of the database. Makes the rows if they are missing."""
    rows = DatabaseWatch.objects.annotate(
        here=here(),
        now=_clock(),
        code=models.Subquery(Installation.objects.values("code")),
        last_order_id=_last_order_id(),
    )
    names = list(Watch.__dataclass_fields__)
    row = rows.values(*names).first()
    if row is None or row["code"] is None:
        begin_watch()
        row = rows.values(*names).get()
    return Watch(**row)


def end_doubt_about_database(*, watch: Watch, even_if_stopped: bool = False) -> bool:
    """End the doubt: the venue was asked since it began. Return False if the database has moved again meanwhile.

    The venue knows no payouts. Unless the server was only started again, the bank's statements have to show those that
    may be forgotten.
    """
    same = DatabaseWatch.objects.annotate(here=here()).filter(here=watch.here, doubted_at=watch.doubted_at)
    if not even_if_stopped:
        same = same.filter(stopped_at=None)
    changed = same.update(
        place=watch.here,
        known_at=watch.now,
        beat=F("beat") + 1,
        doubted_at=None,
        doubted_place="",
        doubt="",
        stopped_at=None,
        found=[],
        statements_since=F("doubted_at") if even_if_stopped else _statements_since(),
    )
    if changed:
        _remember(read_watch())
    return bool(changed)


def stop_sending(*, found: list[str]) -> None:
    """Send nothing until `manage.py after_restore` has run. `found` is the evidence for staff."""
    changed = DatabaseWatch.objects.update(
        stopped_at=_clock(),
        found=found,
        doubted_at=models.functions.Coalesce("doubted_at", _clock()),
        doubt=models.Case(models.When(doubt="", then=Value("staff run after_restore")), default=F("doubt")),
    )
    assert changed, "the watch exists"
    logger.critical("nothing is sent until `manage.py after_restore` has run: %s", "; ".join(found))


def _statements_since() -> models.Case:
    kept = models.When(doubt__in=_HARMLESS, then=F("statements_since"))
    return models.Case(kept, default=F("doubted_at"))


def _last_order_id() -> RawSQL:
    last = "coalesce(pg_sequence_last_value(pg_get_serial_sequence('trading_order', 'id')), 0)"
    return RawSQL(last, (), output_field=models.BigIntegerField())  # noqa: S611  a constant


def _clock() -> RawSQL:
    return RawSQL("clock_timestamp()", (), output_field=models.DateTimeField())


def _find_doubt(watch: Watch, seen: _Seen) -> str | None:
    """Return why the database may have lost something, in words; None if nothing shows that.

    `seen` was read before `watch`.
    """
    if watch.place != watch.here:
        before, now = watch.place.split("/"), watch.here.split("/")
        if len(before) != len(now):
            return _NEVER_ASKED
        return ", ".join(part for part, old, new in zip(_PARTS, before, now, strict=True) if old != new)
    if watch.beat < seen.beat:
        return _SET_BACK
    hint = seen.hint
    if hint and (hint["beat"] > watch.beat or hint["order_id"] > watch.last_order_id):
        return _REDIS_KNOWS_MORE
    return None


def _read_seen(code: str) -> _Seen:
    return _Seen(beat=_seen.get(code, 0), hint=_read_hint(code))


def _remember(watch: Watch) -> None:
    """Keep the beat in this process, and the beat and the last order's id in Redis."""
    _seen[watch.code] = max(watch.beat, _seen.get(watch.code, 0))
    hint = json.dumps({"beat": watch.beat, "order_id": watch.last_order_id})
    try:
        redis_store.with_redis(lambda client: client.set(_key(watch.code), hint))
    except RedisAway:
        logger.info("Redis is away: it keeps no mark of the database")


def _read_hint(code: str) -> dict[str, int] | None:
    """Return what Redis remembers; None if it remembers nothing, or nothing that makes sense."""
    try:
        text = redis_store.with_redis(lambda client: redis_store.read_text(client, _key(code)))
        hint = json.loads(text) if text else None
    except (RedisAway, ValueError, RecursionError):
        return None
    names = ("beat", "order_id")
    if isinstance(hint, dict) and all(type(hint.get(name)) is int and 0 <= hint[name] <= _LARGEST for name in names):
        return {name: hint[name] for name in names}
    return None


def _key(code: str) -> str:
    return f"settlement:database:{code}"
