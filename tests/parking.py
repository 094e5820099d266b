"""Keep the connections to the tests' database that are closed, for whoever opens one next in this process.

Django closes its connection after each test that commits, the services before each call to a venue, and whatever logs in
as the owner before and after. A new connection takes 15 ms, and its first statements twice as long, because Postgres
reads its catalogue again for each session; a test opens several. A kept connection is reset, so that it is like new.
"""

import threading
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest
from django.conf import settings
from psycopg.pq import TransactionStatus

from wallets.runtime.postgres.base import DatabaseWrapper

_MOST: Final = 4
"""How many connections are kept of each role."""
# `DISCARD ALL` would also take the prepared statements, which psycopg believes to be there. Their plans go: they may be for
# empty tables, and the next test may fill them.
_RESET: Final = """
    RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; CLOSE ALL; DISCARD TEMP; DISCARD SEQUENCES; DISCARD PLANS;
    SELECT pg_advisory_unlock_all()
"""
_open = DatabaseWrapper.get_new_connection
_close = DatabaseWrapper._close
_lock = threading.Lock()
_parked: dict[str, list] = {}


@contextmanager
def parking(place):
    """Keep closed connections to one place inside the `with` block, and close them at its end.

    `place` is what Django's settings of the database say now. Connections to other databases, or over a proxy, really close.
    """
    wanted = _place(place)

    def get_new_connection(wrapper, parameters):
        return _take(_key(parameters)) or _keyed(_open(wrapper, parameters), parameters)

    def close(wrapper):
        raw = wrapper.connection
        if raw is None or raw.closed or _place(wrapper.settings_dict) != wanted or not _park(raw):
            _close(wrapper)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DatabaseWrapper, "get_new_connection", get_new_connection)
        patched.setattr(DatabaseWrapper, "_close", close)
        try:
            yield
        finally:
            close_parked()


def _place(database):
    return [str(database[name]) for name in ("NAME", "HOST", "PORT")]


def close_parked():
    """Close the connections that are kept, for a test that counts sessions or wants none."""
    with _lock:
        for kept in _parked.values():
            while kept:
                kept.pop().close()


def _is_of_a_lasting_role(raw):
    """Say whether no test changes the settings with which sessions of the connection's role begin."""
    own, owner = settings.DATABASES["default"]["USER"], settings.POSTGRES.owner_user
    return raw.info.user in {own, owner}


def _key(parameters):
    return repr(sorted(parameters.items()))


def _keyed(raw, parameters):
    raw.parking_key = _key(parameters)
    return raw


def _take(key):
    """Take a connection that is as good as a new one, if there is one."""
    while kept := _parked.get(key):
        with _lock:
            if not kept:
                return None
            raw = kept.pop()
        if raw.is_fit() and not raw.has_been_ended():
            return raw
        raw.close()
    return None


def _park(raw):
    """Keep a connection unless something is the matter with it, and say whether it is kept."""
    key = getattr(raw, "parking_key", None)
    if key is None or not raw.is_fit() or raw.has_been_ended() or not _is_of_a_lasting_role(raw):
        return False
    if raw.info.transaction_status != TransactionStatus.IDLE or len(_parked.get(key, ())) >= _MOST:
        return False
    try:
        raw.autocommit, raw.isolation_level, raw.read_only, raw.deferrable = True, None, None, None
        raw.execute(_RESET)
    except psycopg.Error:
        return False
    with _lock:
        _parked.setdefault(key, []).append(raw)
    return True
