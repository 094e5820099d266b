import ast
import inspect
from pathlib import Path

import ccxt
import pytest

from settlement.order_ids import make_client_order_id
from settlement.venues.profiles.binance import BINANCE
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.refusals import Meaning, judge_rate_limit
from settlement.venues.profiles.words import Failure, Reply
from settlement.venues.protocol import NotPlaced, Refused, Trouble, Unknown
from settlement.venues.registry import PROFILES, NoProfile, find_profile


def judge(status, code, message, headers=None):
    reply = Reply(status=status, headers=headers or {}, body={"code": code, "msg": message})
    return BINANCE.judge_refusal(reply, Failure(code=code, message=message))


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
        (400, "-1100", "Illegal characters found in parameter 'price'.", NotPlaced),
        (400, "-1102", "Mandatory parameter 'price' was not sent, was empty/null, or malformed.", NotPlaced),
        (400, "-1104", "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.", NotPlaced),
        (400, "-1106", "Parameter 'x' sent when not required.", NotPlaced),
        (400, "-2010", "This symbol is not permitted for this account.", NotPlaced),
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
    assert isinstance(judge(status, code, message), verdict)


def test_a_missing_permission_pauses():
    assert judge(400, "-2010", "This symbol is not permitted for this account.").trouble is Trouble.COIN
    assert judge(401, "-2015", "Invalid API-key, IP, or permissions for action.").trouble is Trouble.VENUE


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), (None, 10.0), ("tomorrow", 10.0)])
def test_retry_after_is_obeyed(value, seconds):
    headers = {"Retry-After": value} if value else {}
    assert judge(429, "", "", headers).retry_after_seconds == seconds
    assert judge_rate_limit(status=429, headers=headers) == seconds


@pytest.mark.parametrize(
    ("name", "code", "message", "is_stale"),
    [
        ("kraken", "EOrder:Order minimum not met", "", True),
        ("kraken", "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals.", "", True),
        ("kraken", "EGeneral:Invalid arguments:volume minimum not met", "", True),
        ("kraken", "EGeneral:Invalid arguments:ordertype", "", False),
        ("kraken", "EOrder:Insufficient funds", "", False),
        ("kucoin", "400370", "Max. price: 0.025", True),
        ("kucoin", "300000", "Order size invalid.", True),
        ("kucoin", "400100", "Order size below the minimum requirement.", True),
        ("kucoin", "400100", "Parameter Error", False),
        ("kucoin", "200004", "Balance insufficient!", False),
    ],
)
def test_refusals_of_sizes_and_prices_have_the_markets_loaded_again(name, code, message, is_stale):
    assert PROFILES[name].tells_new_rules(Failure(code=code, message=message)) is is_stale


def test_an_error_that_names_an_order_proves_nothing_even_as_a_limit_on_calls():
    reply = Reply(status=429, headers={"Retry-After": "7"}, body={})
    answer = BINANCE.judge_refusal(reply, Failure(code="-1003", names_order=True))
    assert answer == Unknown(reason="429 -1003, and an order", retry_after_seconds=7.0)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_venue_has_its_own_profile(name):
    assert find_profile(name) is PROFILES[name]
    assert find_profile(name).name == name


@pytest.mark.parametrize("name", sorted({*ccxt.exchanges, "", "Binance", "no venue"} - PROFILES.keys()))
def test_a_name_without_a_profile_is_refused_in_one_sentence(name):
    with pytest.raises(NoProfile) as raised:
        find_profile(name)
    assert str(raised.value).startswith(f"{name!r} is no venue with a profile (those are ")


@pytest.mark.parametrize(("name", "nearest"), [("binnance", "binance"), ("Kraken", "kraken"), ("deribit", None)])
def test_the_nearest_name_is_said(name, nearest):
    with pytest.raises(NoProfile) as raised:
        find_profile(name)
    assert raised.value.nearest == nearest


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_has_no_code_of_another(name):
    profile = type(PROFILES[name])
    source = ast.parse(Path(inspect.getfile(profile)).read_text())
    taken = {node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom) and node.module}
    others = {f"settlement.venues.profiles.{other}" for other in PROFILES if other != name}
    [base] = profile.__bases__
    assert base is VenueProfile or base.__module__.startswith("settlement.venues.profiles.dialects.")
    assert profile.__module__ == f"settlement.venues.profiles.{name}"
    assert not taken & others


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_takes_our_client_order_ids(name):
    made = make_client_order_id(installation="01234567")
    assert PROFILES[name].client_order_ids.fullmatch(made)
    assert not PROFILES[name].client_order_ids.fullmatch(f"{made}-and-much-more-than-any-venue-takes")


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_refusal_that_is_final_is_about_a_market_or_a_limit(name):
    """A refund is for good, so few codes lead to one."""
    refusals = PROFILES[name].refusals
    final = [code for code, meaning in (refusals.codes | refusals.filters).items() if meaning is Meaning.REFUSED]
    assert 1 <= len(final) <= 4
