# ruff: noqa: INP001  not a package: tests put its folder on PYTHONPATH
"""A wrong clock for one process. Python imports this module at its start if the folder is on PYTHONPATH.

CLOCK_IS_AHEAD_SECONDS may be negative. With CLOCK_IS_AHEAD_FILE, that file holds the number, and a test may change it
while the process runs. Monotonic time does not change, as when somebody sets a real clock.
"""

import datetime as dt
import os
import time
from pathlib import Path

_SECONDS, _FILE = int(os.environ.get("CLOCK_IS_AHEAD_SECONDS", "0")), os.environ.get("CLOCK_IS_AHEAD_FILE")
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime


def _ahead():
    return int(Path(_FILE).read_text()) if _FILE else _SECONDS


class _Either(type):
    """Accept datetimes of the original class as ours, because C code creates them."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass):
        return issubclass(subclass, _datetime)


class _WrongDatetime(_datetime, metaclass=_Either):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + dt.timedelta(seconds=_ahead())

    @classmethod
    def utcnow(cls):
        return _datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(seconds=_ahead())

    @classmethod
    def today(cls):
        return cls.now()


if _SECONDS or _FILE:
    time.time = lambda: _time() + _ahead()
    time.time_ns = lambda: _time_ns() + _ahead() * 1_000_000_000
    dt.datetime = _WrongDatetime
