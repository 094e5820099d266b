"""Customers who are refused: with a used link or code, in a second browser, frozen, or disabled. Nothing is written."""

from contextlib import contextmanager
from datetime import timedelta

import pyotp
import pytest
from django.db import connection

from tests.configure import configure
from tests.conftest import make_coin
from tests.mails import send_mails, token_in
from tests.processes import at_once
from wallets.models import User
from wallets.runtime import clock, hashing
from wallets.services import second_factors
from wallets.services.accounts import freeze_within_transaction

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW = "correct horse", "battery staple"
EMAIL = "finn@example.com"
LOGGED = {"wallets_securityevent", "procrastinate_jobs", "procrastinate_events"}
"""Tables in which a refusal may be noted."""


def contents():
    """Return a hash of each table's rows, but for those in which refusals are noted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [table for (table,) in cursor.fetchall() if table not in LOGGED]
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{table}\" t"
                for table in tables
            )
        )
        return dict(cursor.fetchall())


@pytest.fixture(autouse=True)
def _enough_room_for_passwords(settings):
    configure(settings, "SIGN_IN", hashing_slots=8)
    hashing._slots.reset()


@contextmanager
def nothing_written():
    before = contents()
    yield
    assert contents() == before


class Browser:
    """A sign-in of the customer Finn."""

    def __init__(self, api):
        self.api = api
        self.headers = {}

    def __call__(self, method, path, body=None):
        answer = self.api(method, path, body, by=self)
        return answer.json()["code"] if answer.status_code >= 400 else answer.status_code

    def sign_in(self, **more):
        answer = self.api("POST", "accounts/auth/login/", {"username": "finn", "password": PASSWORD, **more})
        if answer.status_code == 200:
            self.tokens = answer.json()
            self.headers = {"Authorization": f"Bearer {self.tokens['access']}"}
        return answer.json().get("code", answer.status_code)


@pytest.fixture
def finn(api):
    body = {"username": "finn", "password": PASSWORD, "email": EMAIL}
    assert api("POST", "accounts/auth/register/", body).status_code == 201
    api("POST", "accounts/email/verify/", {"token": token_in(send_mails()[0])})
    return User.objects.get(username="finn")


@pytest.fixture
def browsers(api, finn):
    """Two browsers in which Finn is signed in."""
    both = Browser(api), Browser(api)
    assert [each.sign_in() for each in both] == [200, 200]
    return both


@pytest.fixture
def device(browsers):
    """Finn's second factor, which is on."""
    first, _ = browsers
    secret = first.api("POST", "accounts/mfa/", {"password": PASSWORD}, by=first).json()["secret"]
    totp = pyotp.TOTP(secret)
    assert first("POST", "accounts/mfa/confirm/", {"otp": totp.at(clock.now() - timedelta(seconds=30))}) == 200
    return totp


class TestAUsedLink:
    def test_sets_no_second_password(self, api, finn):
        api("POST", "accounts/auth/password/forgot/", {"email": EMAIL})
        token = token_in(send_mails()[0])
        browser = Browser(api)
        reset = {"token": token, "new": NEW}
        assert browser("POST", "accounts/auth/password/reset/", reset) == 204
        with nothing_written():
            for body in (reset, {**reset, "new": "another horse"}):
                assert browser("POST", "accounts/auth/password/reset/", body) == "token_invalid"

    def test_sets_one_password_in_many_browsers_at_once(self, api, finn):
        api("POST", "accounts/auth/password/forgot/", {"email": EMAIL})
        token = token_in(send_mails()[0])
        found = at_once(
            4,
            lambda number: Browser(api)(
                "POST", "accounts/auth/password/reset/", {"token": token, "new": f"battery staple {number}"}
            ),
        )
        assert found.count(204) <= 1
        assert set(found) <= {204, "token_invalid", "busy"}
        assert User.objects.get().token_version - finn.token_version == found.count(204)

    def test_proves_no_second_address(self, browsers, finn):
        first, _ = browsers
        body = {"email": "new@example.com", "password": PASSWORD}
        assert first("POST", "accounts/email/", body) == 202
        token = token_in(send_mails()[0])
        assert first("POST", "accounts/email/verify/", {"token": token}) == 204
        with nothing_written():
            assert first("POST", "accounts/email/verify/", {"token": token}) == "token_invalid"


class TestAUsedCode:
    def test_opens_one_of_two_browsers(self, api, device):
        code = device.at(clock.now())
        assert Browser(api).sign_in(otp=code) == 200
        before = contents()
        assert Browser(api).sign_in(otp=code) == "otp_invalid"
        changed = {table for table, rows in contents().items() if rows != before[table]}
        assert changed == {"wallets_secondfactor"}, "the failure is counted"

    def test_changes_no_password(self, api, browsers, device, finn):
        code = device.at(clock.now())
        assert Browser(api).sign_in(otp=code) == 200
        body = {"current": PASSWORD, "new": NEW, "otp": code}
        first, _ = browsers
        before = contents()
        assert first("POST", "accounts/auth/password/", body) == "otp_invalid"
        changed = {table for table, rows in contents().items() if rows != before[table]}
        assert changed == {"wallets_secondfactor"}

    def test_turns_nothing_off(self, api, browsers, device):
        code = device.at(clock.now())
        assert Browser(api).sign_in(otp=code) == 200
        first, _ = browsers
        assert first("DELETE", "accounts/mfa/", {"otp": code}) == "otp_invalid"
        assert second_factors.SecondFactor.objects.filter(confirmed_at__isnull=False).exists()


class TestTwoBrowsers:
    def test_are_both_signed_out_when_one_changes_the_password(self, browsers):
        first, second = browsers
        assert first("POST", "accounts/auth/password/", {"current": PASSWORD, "new": NEW}) == 204
        with nothing_written():
            assert [browser("GET", "accounts/me/") for browser in browsers] == ["token_invalid"] * 2
        for browser in browsers:
            refresh = {"refresh": browser.tokens["refresh"]}
            assert browser("POST", "accounts/auth/refresh/", refresh) == "token_invalid"
        assert second.sign_in() == "invalid_credentials"

    def test_change_the_password_once_between_them(self, browsers):
        bodies = [{"current": PASSWORD, "new": f"battery staple {number}"} for number in range(2)]
        found = at_once(2, lambda number: browsers[number]("POST", "accounts/auth/password/", bodies[number]))
        assert found.count(204) <= 1
        assert set(found) <= {204, "token_invalid", "invalid_credentials", "busy"}

    def test_end_each_other(self, browsers):
        first, second = browsers
        sessions = first.api("GET", "accounts/sessions/", by=first).json()
        [other] = [each["id"] for each in sessions if each["current"] is False and _is_of(second, each["id"])]
        assert first("DELETE", f"accounts/sessions/{other}/") == 204
        with nothing_written():
            assert second("GET", "accounts/wallet/") == "token_invalid"
            assert second("POST", "accounts/auth/refresh/", {"refresh": second.tokens["refresh"]}) == "token_invalid"
        assert first("GET", "accounts/wallet/") == 200


MONEY = [
    ("PATCH", "accounts/wallet/deposit/", {"amount": "1"}),
    ("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}),
    ("POST", "orders/", {"crypto": "ABAN", "amount": "3"}),
]
READING = [
    "accounts/me/", "accounts/wallet/", "accounts/holdings/", "accounts/deposits/", "accounts/sessions/", "orders/",
    "transactions/", "accounts/statements/2026-01/",
]  # fmt: skip
OTHERS = [
    ("POST", "quotes/", {"crypto": "ABAN", "amount": "3"}),
    ("POST", "accounts/auth/password/", {"current": PASSWORD, "new": NEW}),
    ("POST", "accounts/email/", {"email": "new@example.com", "password": PASSWORD}),
    ("POST", "accounts/mfa/", {"password": PASSWORD}),
]


class TestAFrozenCustomer:
    def test_moves_no_money_and_reads_everything(self, browsers, finn):
        make_coin("ABAN", "4.00")
        first, _ = browsers
        assert first(*MONEY[0]) == 200
        freeze_within_transaction(owner_id=finn.pk)
        with nothing_written():
            assert [first(*call) for call in MONEY] == ["account_frozen"] * len(MONEY)
            assert {first("GET", path) for path in READING} == {200}
        assert Browser(first.api).sign_in() == 200


class TestADisabledCustomer:
    def test_is_refused_everywhere(self, api, browsers, finn):
        make_coin("ABAN", "4.00")
        api("POST", "accounts/auth/password/forgot/", {"email": EMAIL})
        token = token_in(send_mails()[0])
        first, _ = browsers
        User.objects.filter(pk=finn.pk).update(is_active=False)
        with nothing_written():
            for method, path, body in [*MONEY, *OTHERS, *(("GET", path, None) for path in READING)]:
                assert first(method, path, body) == "token_invalid", path
            assert first("POST", "accounts/auth/password/reset/", {"token": token, "new": NEW}) == "token_invalid"
            assert Browser(api).sign_in() == "invalid_credentials"
        refresh = {"refresh": first.tokens["refresh"]}
        assert first("POST", "accounts/auth/refresh/", refresh) == "token_invalid"


def _is_of(browser, session_id):
    sessions = browser.api("GET", "accounts/sessions/", by=browser).json()
    return any(each["id"] == session_id and each["current"] for each in sessions)
