# ruff: noqa: INP001  no package: its folder is put on PYTHONPATH
"""A wrong clock for one process: Python imports this before anything else when it lies on PYTHONPATH.

CLOCK_IS_AHEAD_SECONDS may be negative. Monotonic time stays as it is, as it does when a real clock is set.
"""

import datetime as dt
import os
import time

_AHEAD = int(os.environ.get("CLOCK_IS_AHEAD_SECONDS", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime


class _Either(type):
    """What C code makes are datetimes of the original class: they count as ours."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass):
        return issubclass(subclass, _datetime)


class _WrongDatetime(_datetime, metaclass=_Either):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + dt.timedelta(seconds=_AHEAD)

    @classmethod
    def utcnow(cls):
        return _datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(seconds=_AHEAD)

    @classmethod
    def today(cls):
        return cls.now()


if _AHEAD:
    time.time = lambda: _time() + _AHEAD
    time.time_ns = lambda: _time_ns() + _AHEAD * 1_000_000_000
    dt.datetime = _WrongDatetime
