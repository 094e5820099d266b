"""Tokens signed with the real key, with claims that nobody should send: 401, and nothing happens."""

import time
import uuid
from datetime import datetime, timedelta

import jwt
import pytest
from django.conf import settings

from wallets.models import TokenFamily, Transaction
from wallets.services.tokens import read_access_token

pytestmark = pytest.mark.django_db

GONE = object()
BEYOND_ALL = 10**400
DEEP = {}
for _ in range(200):
    DEEP = {"deeper": DEEP}

CLAIMS = {
    "sub": ["1", "x", "", 1, 1.0, True, [], {}, None, GONE, str(uuid.uuid4()), "0" * 31, BEYOND_ALL, DEEP, "\ud7ff\0"],
    "version": ["0", 0.0, False, [], {}, None, GONE, -1, 2**31, BEYOND_ALL],
    "family": ["", "x", "0" * 31, 7, True, 1.5, [], {}, None, GONE, str(uuid.uuid4()), "\0", BEYOND_ALL],
    "jti": [7, True, [], {}, None, GONE, BEYOND_ALL],
    "exp": [
        "",
        "x",
        str(int(time.time()) + 900),
        [],
        {},
        None,
        GONE,
        True,
        -1,
        0,
        1e300,
        BEYOND_ALL,
        10**12,
        10**18,
        9e9,
    ],
    "iat": ["x", [], {}, None, BEYOND_ALL, 1e300, 10**18],
    "nbf": ["x", [], {}, None, BEYOND_ALL, 10**18],
    "iss": ["x", "", 7, [], {}, None, GONE, True],
    "token_type": ["x", 7, [], {}, None, GONE, True],
}
# Names without the value: some values are new in each process, and pytest-xdist compares the names of all its processes.
CASES = [
    pytest.param(claim, value, id=f"{claim}-{number}")
    for claim, values in CLAIMS.items()
    for number, value in enumerate(values)
]


def forge(token, claim, value):
    claims = jwt.decode(token, options={"verify_signature": False})
    if value is GONE:
        del claims[claim]
    else:
        claims[claim] = value
    return sign(claims)


def sign(claims):
    # Not jwt.encode(): it refuses some of these claims itself.
    return jwt.api_jws.encode(
        jwt.api_jwt.json.dumps(claims).encode(), settings.NINJA_JWT["SIGNING_KEY"], algorithm="HS256"
    )


@pytest.mark.parametrize(("claim", "value"), CASES)
def test_a_token_with_a_claim_of_a_wrong_type_is_refused_everywhere(api, shopper, claim, value):
    refresh = {"refresh": forge(shopper.tokens.refresh, claim, value)}
    answers = [
        api("POST", "accounts/auth/refresh/", refresh),
        api("POST", "accounts/auth/logout/", refresh, by=shopper),
    ]
    shopper.headers = {"Authorization": f"Bearer {forge(shopper.tokens.access, claim, value)}"}
    before = Transaction.objects.count()
    answers += [
        api("GET", "accounts/wallet/", by=shopper),
        api("GET", "orders/", by=shopper),
        api("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, by=shopper),
        api("POST", "accounts/auth/logout/", {"refresh": shopper.tokens.refresh}, by=shopper),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "token_invalid")}
    assert Transaction.objects.count() == before
    if claim != "version":  # that is a copy of an outdated token, and its use ends the sign-in
        assert not TokenFamily.objects.exclude(ended_at=None).exists()


@pytest.mark.parametrize("claims", [[], "x", 7, None, {}, [{}], DEEP])
def test_a_token_that_is_no_object_or_an_empty_one_is_refused(api, shopper, claims):
    token = sign(claims)
    shopper.headers = {"Authorization": f"Bearer {token}"}
    assert api("GET", "accounts/wallet/", by=shopper).status_code == 401
    assert api("POST", "accounts/auth/refresh/", {"refresh": token}).status_code == 401


class TestTheLeewayBetweenTheClocksOfHosts:
    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_accepts_a_token_from_a_clock_that_is_a_little_ahead(self, api, shopper, claim):
        now = int(time.time())
        for seconds, status in ((3, 200), (60, 401)):
            shopper.headers = {"Authorization": f"Bearer {forge(shopper.tokens.access, claim, now + seconds)}"}
            assert api("GET", "accounts/wallet/", by=shopper).status_code == status

    def test_is_the_same_for_expiry_before_and_after_a_signature_is_cached(self, api, shopper, monkeypatch):
        now = int(time.time())
        token = forge(shopper.tokens.access, "exp", now - 2)
        shopper.headers = {"Authorization": f"Bearer {token}"}
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        refresh = {"refresh": forge(shopper.tokens.refresh, "exp", now - 2)}
        assert api("POST", "accounts/auth/refresh/", refresh).status_code == 200
        ends_at = datetime.now() + timedelta(seconds=8)
        while api("GET", "accounts/wallet/", by=shopper).status_code == 200:
            assert datetime.now() < ends_at
            time.sleep(0.2)
        assert time.time() >= now - 2 + 5
        late = {"refresh": forge(shopper.tokens.refresh, "exp", now - 2)}
        assert api("POST", "accounts/auth/refresh/", late).status_code == 401


def test_a_new_access_token_names_its_sign_in(shopper):
    assert read_access_token(shopper.tokens.access).family_id == TokenFamily.objects.get().pk
