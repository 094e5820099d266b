"""Calls to a venue follow each other no faster than the venue asks for."""

import sys
import time
from types import SimpleNamespace

import ccxt
import pytest

from tests.settlement.conftest import PAUSE_BETWEEN_CALLS

pytestmark = pytest.mark.django_db


@pytest.fixture
def waited(monkeypatch):
    """The seconds of all pauses, which take no time here."""
    seconds = []
    monkeypatch.setattr(ccxt.Exchange, "throttle", PAUSE_BETWEEN_CALLS)
    base = sys.modules[ccxt.Exchange.__module__]
    monkeypatch.setattr(base, "time", SimpleNamespace(**{**vars(time), "sleep": seconds.append}))
    return seconds


def test_a_call_waits_for_the_one_before(venue, waited):
    venue.read_funds()
    before = len(waited)
    venue.read_funds()
    assert len(waited) > before
    assert 0 < waited[-1] < 5
