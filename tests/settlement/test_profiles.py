import pytest

from settlement.venues.profiles.binance import BINANCE, BINANCE_US
from settlement.venues.profiles.unproven import UNPROVEN
from settlement.venues.protocol import NotPlaced, Refused, Unknown
from settlement.venues.registry import find_profile


@pytest.mark.parametrize(
    ("status", "code", "message", "verdict"),
    [
        (400, "-1121", "Invalid symbol.", Refused),
        (400, "-1013", "Filter failure: MAX_POSITION", Refused),
        (400, "-1013", "Filter failure: NOTIONAL", NotPlaced),
        (400, "-2010", "Account has insufficient balance for requested action.", NotPlaced),
        (400, "-1013", "Market is closed.", NotPlaced),
        (401, "-2015", "Invalid API-key, IP, or permissions for action.", NotPlaced),
        (400, "-1021", "Timestamp for this request is outside of the recvWindow.", NotPlaced),
        (429, "-1003", "Too many requests.", NotPlaced),
        (418, "", "", NotPlaced),
        (400, "-2010", "Duplicate order sent.", Unknown),
        (400, "-9999", "Something new.", Unknown),
        (403, "", "", Unknown),
        (500, "-1121", "Invalid symbol.", Unknown),
        (502, "", "", Unknown),
        (503, "-1007", "Timeout waiting for response from backend server.", Unknown),
        (400, "-1006", "An unexpected response was received from the message bus.", Unknown),
    ],
)
def test_only_listed_refusals_are_not_unknown(status, code, message, verdict):
    assert isinstance(BINANCE.judge_refusal(status=status, code=code, message=message, headers={}), verdict)


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), (None, 10.0), ("tomorrow", 10.0)])
def test_retry_after_is_obeyed(value, seconds):
    headers = {"Retry-After": value} if value else {}
    assert BINANCE.judge_refusal(status=429, code="", message="", headers=headers).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("name", "profile"), [("binance", BINANCE), ("binanceus", BINANCE_US), ("kraken", UNPROVEN), ("coinbase", UNPROVEN)]
)
def test_a_venue_has_its_own_profile_or_the_unproven_one(name, profile):
    assert find_profile(name) is profile


def test_the_unproven_profile_assumes_that_requests_do_not_expire():
    assert (BINANCE.requests_expire, BINANCE_US.requests_expire, UNPROVEN.requests_expire) == (True, True, False)
    assert (BINANCE.lists_by_id, BINANCE_US.lists_by_id, UNPROVEN.lists_by_id) == (True, True, False)
