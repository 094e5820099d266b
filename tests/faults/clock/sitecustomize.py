# ruff: noqa: INP001  not a package: tests put its folder on PYTHONPATH
"""A wrong clock for one process. Python imports this module at its start if the folder is on PYTHONPATH.

CLOCK_IS_AHEAD_SECONDS may be negative. Monotonic time does not change, as when somebody sets a real clock.
"""

import datetime as dt
import os
import time

_AHEAD = int(os.environ.get("CLOCK_IS_AHEAD_SECONDS", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime


class _Either(type):
    """Accept datetimes of the original class as ours, because C code creates them."""

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
