"""Who is refused when somebody guesses passwords, floods, or uses a token that is no longer theirs."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from ninja_jwt.tokens import RefreshToken

from tests.configure import configure
from wallets.exceptions import TokenInvalid
from wallets.models import KnownAddress, User
from wallets.services.accounts import register, sign_in
from wallets.services.addresses import prune_addresses, remember_address
from wallets.services.credentials import change_password
from wallets.services.tokens import rotate_refresh_token, sign_out, start_token_family
from wallets.web import callers

pytestmark = pytest.mark.django_db

HOME, OFFICE, ELSEWHERE = "203.0.113.1", "203.0.113.2", "198.51.100.9"
PASSWORD = "password123"


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    """The tests' client is the proxy, which names the caller's address."""
    configure(settings, "LIMITS", trusted_proxies=[ip_network("127.0.0.0/8")])


@pytest.fixture
def alice(now):
    """A customer who has signed in at home."""
    register(username="alice", password=PASSWORD, email="", now=now, address=HOME)
    return User.objects.get(username="alice")


@pytest.fixture
def sign_in_at(api):
    """Sign in over HTTP and return status and code."""

    def call(address, *, name="alice", password="wrong-one"):
        body = {"username": name, "password": password}
        answer = api("POST", "accounts/auth/login/", body, X_Forwarded_For=address)
        return answer.status_code, answer.json().get("code")

    return call


REFUSED, LIMITED, SIGNED_IN = (401, "invalid_credentials"), (429, "rate_limited"), (200, None)


class TestGuessesFromOneAddress:
    @pytest.fixture(autouse=True)
    def two_failures_a_minute(self, settings):
        configure(settings, "LIMITS", login="2/h")

    def test_are_limited_and_leave_the_owner_alone(self, alice, sign_in_at):
        assert [sign_in_at(ELSEWHERE) for _ in range(4)] == [REFUSED, REFUSED, LIMITED, LIMITED]
        assert sign_in_at(ELSEWHERE, password=PASSWORD) == LIMITED
        assert sign_in_at(HOME, password=PASSWORD) == SIGNED_IN
        assert sign_in_at(OFFICE, password=PASSWORD) == SIGNED_IN

    def test_at_unknown_names_are_limited_in_the_same_way(self, sign_in_at):
        assert [sign_in_at(ELSEWHERE, name="nobody") for _ in range(3)] == [REFUSED, REFUSED, LIMITED]
        assert sign_in_at(ELSEWHERE, name="NOBODY") == LIMITED
        assert sign_in_at(OFFICE, name="nobody") == REFUSED

    def test_do_not_count_when_they_are_right(self, alice, sign_in_at):
        assert [sign_in_at(OFFICE, password=PASSWORD) for _ in range(4)] == [SIGNED_IN] * 4
        assert [sign_in_at(OFFICE) for _ in range(3)] == [REFUSED, REFUSED, LIMITED]

    def test_are_counted_before_the_password_is_checked(self, alice, sign_in_at, monkeypatch):
        """So attempts at the same time cannot be more than the limit: each was counted when the next one began."""
        nested = []

        def guess_meanwhile(**credentials):
            nested.append(sign_in_at(ELSEWHERE))

        monkeypatch.setattr("wallets.services.accounts.authenticate", guess_meanwhile)
        sign_in_at(ELSEWHERE)
        assert nested == [LIMITED, REFUSED]


class TestGuessesFromManyAddresses:
    @pytest.fixture(autouse=True)
    def three_failures_an_hour(self, settings):
        configure(settings, "LIMITS", login="1000/m", login_address="1000/m", login_account="3/h")

    @pytest.fixture
    def flooded(self, alice, sign_in_at):
        assert [sign_in_at(f"198.51.100.{number}") for number in range(5)] == [REFUSED] * 3 + [LIMITED] * 2

    def test_end_at_the_loose_limit_and_refuse_a_right_password_from_elsewhere(self, flooded, sign_in_at):
        assert sign_in_at(ELSEWHERE, password=PASSWORD) == LIMITED
        assert not KnownAddress.objects.filter(address=ELSEWHERE).exists()

    def test_do_not_refuse_where_the_owner_has_signed_in(self, flooded, sign_in_at):
        assert sign_in_at(HOME) == REFUSED
        assert [sign_in_at(HOME, password=PASSWORD) for _ in range(3)] == [SIGNED_IN] * 3

    def test_refuse_where_the_owner_signed_in_long_ago(self, flooded, sign_in_at, now):
        KnownAddress.objects.update(seen_at=now - timedelta(days=30, seconds=1))
        assert sign_in_at(HOME, password=PASSWORD) == LIMITED

    def test_do_not_refuse_where_the_owner_refreshed(self, alice, sign_in_at, api, now):
        tokens = start_token_family(user=alice, now=now)
        refreshed = api("POST", "accounts/auth/refresh/", {"refresh": tokens.refresh}, X_Forwarded_For=OFFICE)
        assert refreshed.status_code == 200
        for number in range(5):
            sign_in_at(f"198.51.100.{number}")
        assert sign_in_at(OFFICE, password=PASSWORD) == SIGNED_IN

    def test_do_not_count_when_they_were_refused_for_their_address(self, alice, sign_in_at, settings):
        configure(settings, "LIMITS", login="1/h")
        assert [sign_in_at(ELSEWHERE) for _ in range(6)] == [REFUSED] + [LIMITED] * 5
        assert sign_in_at(OFFICE, password=PASSWORD) == SIGNED_IN

    def test_at_an_unknown_name_end_in_the_same_way(self, sign_in_at):
        answers = [sign_in_at(f"198.51.100.{number}", name="nobody") for number in range(5)]
        assert answers == [REFUSED] * 3 + [LIMITED] * 2

    def test_do_not_refuse_another_account(self, flooded, sign_in_at, now):
        register(username="bob", password=PASSWORD, email="", now=now)
        assert sign_in_at(ELSEWHERE, name="bob", password=PASSWORD) == SIGNED_IN


class TestNeighboursBehindOneAddress:
    def test_do_not_refuse_whoever_has_signed_in_there(self, alice, sign_in_at, settings):
        configure(settings, "LIMITS", login_address="3/h")
        assert [sign_in_at(HOME, name=name) for name in "abcd"] == [REFUSED] * 3 + [LIMITED]
        assert sign_in_at(HOME, password=PASSWORD) == SIGNED_IN
        assert sign_in_at(HOME, name="e") == LIMITED

    def test_cannot_use_an_account_of_their_own_to_sign_in_without_end(self, alice, sign_in_at, settings):
        configure(settings, "LIMITS", login="2/h", login_address="3/h")
        answers = [sign_in_at(HOME, password=PASSWORD) for _ in range(8)]
        assert answers == [SIGNED_IN] * 5 + [LIMITED] * 3  # three of the address, then two of the account there

    def test_do_not_end_each_others_refresh(self, make_shopper, api, settings):
        configure(settings, "LIMITS", anonymous="2/h", refresh="3/h")
        forged = [
            api("POST", "accounts/auth/refresh/", {"refresh": "x"}, X_Forwarded_For=HOME).status_code for _ in range(4)
        ]
        assert forged == [401, 401, 429, 429]
        for _ in range(5):
            refresh = {"refresh": make_shopper().tokens.refresh}
            assert api("POST", "accounts/auth/refresh/", refresh, X_Forwarded_For=HOME).status_code == 200

    def test_refresh_as_often_as_one_sign_in_may(self, shopper, api, settings):
        configure(settings, "LIMITS", refresh="3/h")
        refresh, statuses = shopper.tokens.refresh, []
        for number in range(5):  # from another address each time
            answer = api("POST", "accounts/auth/refresh/", {"refresh": refresh}, X_Forwarded_For=f"203.0.113.{number}")
            statuses.append(answer.status_code)
            refresh = answer.json().get("refresh", refresh)
        assert statuses == [200] * 3 + [429] * 2
        answer = api("POST", "accounts/auth/refresh/", {"refresh": refresh}, X_Forwarded_For=HOME)
        assert answer["RateLimit-Policy"] == '"refresh";q=3;w=3600'

    @pytest.mark.parametrize("limits", [{"refresh_address": "5/h"}, {"anonymous": "5/h"}])
    def test_with_forged_tokens_do_not_refuse_a_genuine_one(self, shopper, api, settings, limits):
        configure(settings, "LIMITS", **limits)

        def refresh(token):
            return api("POST", "accounts/auth/refresh/", {"refresh": token}, X_Forwarded_For=HOME)

        genuine = shopper.tokens.refresh
        head, _, _ = genuine.rpartition(".")
        forged = [refresh(f"{head}.{'A' * 43}").status_code for _ in range(8)]
        assert forged == [401] * 5 + [429] * 3
        assert [refresh(genuine).status_code for _ in range(3)] == [200] * 3
        assert refresh("x").status_code == 429

    @pytest.mark.parametrize(("claim", "value"), [("sub", "1"), ("sub", None), ("family", 7), ("family", None)])
    def test_a_refresh_token_with_claims_of_a_wrong_type_counts_for_the_address(self, shopper, api, claim, value):
        token = RefreshToken(shopper.tokens.refresh)
        token[claim] = value
        answer = api("POST", "accounts/auth/refresh/", {"refresh": str(token)})
        assert answer.status_code == 401
        assert '"anonymous"' in answer["RateLimit"]


class TestIpv6Networks:
    def test_are_limited_as_a_whole(self, sign_in_at, settings):
        configure(settings, "LIMITS", login_address="2/h")

        def guess(number, *, network):
            return sign_in_at(network.format(number), name=f"name{number}")

        of_one_56 = [guess(number, network="2001:db8:0:{:x}::1") for number in range(10)]
        assert of_one_56 == [REFUSED] * 8 + [LIMITED] * 2
        of_one_48 = [guess(number, network="2001:db8:1:{:x}00::1") for number in range(35)]
        assert of_one_48 == [REFUSED] * 32 + [LIMITED] * 3
        assert guess(0, network="2001:db8:2:{:x}::1") == REFUSED

    def test_are_named_in_the_headers(self, api, settings):
        configure(settings, "LIMITS", anonymous="10/m")
        answer = api("GET", "exchanges/crypto-currencies/", X_Forwarded_For="2001:db8::1")
        assert answer["RateLimit-Policy"] == (
            '"anonymous";q=10;w=60, "anonymous-56";q=40;w=60, "anonymous-48";q=160;w=60'
        )

    def test_are_not_used_up_by_one_customer(self, api, settings):
        configure(settings, "LIMITS", anonymous="1/h")
        statuses = [
            api("GET", "exchanges/crypto-currencies/", X_Forwarded_For="2001:db8::1").status_code for _ in range(9)
        ]
        assert statuses == [200] + [429] * 8
        assert api("GET", "exchanges/crypto-currencies/", X_Forwarded_For="2001:db8:0:1::1").status_code == 200


class TestRevokedToken:
    """A revoked token counts for the address that sends it, not for the customer whom it names."""

    CALLS = (
        ("GET", "accounts/wallet/", None, 401),
        ("GET", "orders/", None, 401),
        ("GET", "accounts/holdings/", None, 401),
        ("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, 401),
        ("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, 401),
        # These are refused before the account is read.
        ("POST", "orders/", {}, 422),
        ("POST", "orders/", "{", 400),
        ("PATCH", "accounts/wallet/withdraw/", {"amount": "0"}, 422),
    )

    @pytest.fixture
    def thief(self, shopper, now):
        """Who holds a token from before the customer ended all sessions."""
        old = type(shopper).__new__(type(shopper))
        old.headers = dict(shopper.headers)
        User.objects.filter(pk=shopper.user.pk).update(token_version=F("token_version") + 1)
        shopper.user.refresh_from_db()
        shopper.headers = {
            "Authorization": f"Bearer {start_token_family(user=shopper.user, now=now).access}",
        }
        return old

    @staticmethod
    def left(answer):
        return int(answer["RateLimit"].split('"user";r=')[1].split(";")[0])

    @pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
    def test_uses_up_nothing_of_its_owner(self, api, shopper, thief, coin, settings, method, path, body, status):
        configure(settings, "LIMITS", user="1000/h", orders="60/m", wallet="30/m")
        assert self.left(api("GET", "accounts/wallet/", by=shopper)) == 999
        for _ in range(70):
            answer = api(method, path, body, by=thief)
            assert answer.status_code == status
            assert answer["RateLimit"].startswith('"anonymous";')
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert (answer.status_code, self.left(answer)) == (201, 998)
        assert '"orders";r=59' in answer["RateLimit"]

    def test_is_limited_by_address(self, api, shopper, thief, settings):
        configure(settings, "LIMITS", anonymous="5/h", user="7/h")
        statuses = [api("GET", "accounts/wallet/", by=thief, X_Forwarded_For=ELSEWHERE).status_code for _ in range(20)]
        assert statuses == [401] * 5 + [429] * 15
        for _ in range(7):
            assert api("GET", "accounts/wallet/", by=shopper, X_Forwarded_For=HOME).status_code == 200

    def test_of_a_disabled_account_leaves_its_owner_alone_when_it_is_enabled(self, api, shopper, now, settings):
        configure(settings, "LIMITS", user="9/h")
        User.objects.update(is_active=False)
        User.objects.update(is_active=True)
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401
        user = User.objects.get(pk=shopper.user.pk)
        shopper.headers = {"Authorization": f"Bearer {start_token_family(user=user, now=now).access}"}
        assert self.left(api("GET", "accounts/wallet/", by=shopper)) == 8

    def test_of_one_sign_in_leaves_the_others_alone(self, api, shopper, now, settings):
        configure(settings, "LIMITS", user="9/h")
        other = {"Authorization": f"Bearer {start_token_family(user=shopper.user, now=now).access}"}
        sign_out(refresh=shopper.tokens.refresh, user_id=shopper.user.pk, now=now)
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401
        shopper.headers = other
        assert self.left(api("GET", "accounts/wallet/", by=shopper)) == 8

    def test_is_counted_in_one_round_trip_while_it_is_good(self, api, shopper, monkeypatch):
        trips = []
        real = callers.count_callers
        monkeypatch.setattr(callers, "count_callers", lambda *given, **named: trips.append(1) or real(*given, **named))
        monkeypatch.setattr(callers, "take_back", lambda usages: trips.append("back"))
        with CaptureQueriesContext(connection) as captured:
            assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        assert (trips, len(captured)) == ([1], 1)

    def test_a_good_token_that_signs_out_with_a_bad_refresh_token_counts_for_its_customer(self, api, shopper, settings):
        configure(settings, "LIMITS", user="9/h")
        assert api("POST", "accounts/auth/logout/", {"refresh": "x"}, by=shopper).status_code == 401
        assert self.left(api("GET", "accounts/wallet/", by=shopper)) == 7


class TestAdmin:
    @pytest.fixture
    def staff(self, db):
        return User.objects.create_user("chief", password=PASSWORD, is_staff=True, is_superuser=True)

    @pytest.fixture
    def enter(self, client):
        """Sign in to the admin, and say whether that worked; "limited" if it was not tried."""

        def call(address, *, password="wrong-one", name="chief"):
            client.logout()
            answer = client.post(
                "/admin/login/", {"username": name, "password": password}, headers={"X-Forwarded-For": address}
            )
            return answer.status_code == 302 or ("Too many calls" in answer.content.decode() and "limited")

        return call

    def test_has_counters_of_its_own(self, staff, enter, sign_in_at, settings):
        configure(settings, "LIMITS", login="2/h", login_account="3/h", login_address="1000/h")
        for number in range(6):
            sign_in_at(f"198.51.100.{number}", name="chief")
        assert sign_in_at(OFFICE, name="chief", password=PASSWORD) == LIMITED
        assert enter(OFFICE, password=PASSWORD) is True
        User.objects.create_user("other", password=PASSWORD, is_staff=True)
        assert [enter(ELSEWHERE, name="other") for _ in range(3)] == [False, False, "limited"]
        assert sign_in_at(ELSEWHERE, name="other", password=PASSWORD) == SIGNED_IN

    def test_refuses_no_member_of_staff_where_they_have_signed_in(self, staff, enter, settings):
        configure(settings, "LIMITS", login="1000/h", login_account="3/h", login_address="1000/h")
        assert enter(OFFICE, password=PASSWORD) is True
        guesses = [enter(f"198.51.100.{number}") for number in range(5)]
        assert guesses == [False] * 3 + ["limited"] * 2
        assert enter(HOME, password=PASSWORD) == "limited"
        assert enter(OFFICE, password=PASSWORD) is True

    def test_does_not_tell_a_customers_right_password(self, alice, enter, settings):
        configure(settings, "LIMITS", login="2/h")
        guesses = [enter(ELSEWHERE, name="alice", password=PASSWORD) for _ in range(3)]
        assert guesses == [False, False, "limited"]

    @pytest.mark.parametrize(("path", "most"), [("password_change", 2)])
    def test_limits_the_form_that_hashes_a_password(self, admin_client, admin_user, settings, path, most):
        configure(settings, "LIMITS", login="2/h", login_address="8/h")
        form = {"old_password": "wrong-one", "new_password1": "another-one-1", "new_password2": "another-one-1"}
        statuses = [admin_client.post(f"/admin/{path.format(admin_user.pk)}/", form).status_code for _ in range(most)]
        assert statuses == [200] * most
        before = admin_user.password
        answer = admin_client.post(f"/admin/{path.format(admin_user.pk)}/", form)
        assert (answer.status_code, answer["Content-Type"]) == (429, "text/plain; charset=utf-8")
        assert int(answer["Retry-After"]) > 0
        admin_user.refresh_from_db()
        assert admin_user.password == before


class TestKnownAddresses:
    def test_are_remembered_once_and_pruned_after_thirty_days(self, alice, now):
        for day in (1, 2):
            sign_in(username="alice", password=PASSWORD, now=now + timedelta(days=day), address=HOME)
        assert KnownAddress.objects.filter(user=alice).count() == 1
        assert prune_addresses(now=now + timedelta(days=31)) == 0
        assert prune_addresses(now=now + timedelta(days=32, seconds=1)) == 1

    def test_last_as_long_as_refresh_tokens(self, alice, now, settings):
        configure(settings, "SIGN_IN", refresh_token_days=90)
        assert prune_addresses(now=now + timedelta(days=89)) == 0

    def test_are_not_noted_at_a_failure(self, alice, sign_in_at):
        sign_in_at(ELSEWHERE)
        assert set(KnownAddress.objects.values_list("address", flat=True)) == {HOME}

    def test_belong_to_one_account(self, alice, shopper, now):
        remember_address(user_id=shopper.user.pk, version=0, address=HOME, now=now)
        remember_address(user_id=shopper.user.pk, version=0, address=HOME, now=now)
        assert KnownAddress.objects.count() == 2

    def set_password(self, user, now):
        change_password(user=user, password="another-one-1")

    def disable(self, user, now):
        User.objects.filter(pk=user.pk).update(is_active=False)

    def enable(self, user, now):
        self.disable(user, now)
        User.objects.filter(pk=user.pk).update(is_active=True)

    def reuse_a_refresh_token(self, user, now):
        first = start_token_family(user=user, now=now).refresh
        rotate_refresh_token(refresh=rotate_refresh_token(refresh=first, now=now).refresh, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=first, now=now)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("revoke", [set_password, disable, enable, reuse_a_refresh_token])
    def test_are_forgotten_when_the_account_is_taken_back_from_a_thief(self, alice, shopper, now, revoke):
        remember_address(user_id=alice.pk, version=0, address=ELSEWHERE, now=now)
        remember_address(user_id=shopper.user.pk, version=0, address=ELSEWHERE, now=now)
        revoke(self, alice, now)
        assert list(KnownAddress.objects.values_list("user", "address")) == [(shopper.user.pk, ELSEWHERE)]

    @pytest.mark.django_db(transaction=True)
    def test_stay_when_the_same_password_is_hashed_anew(self, alice, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
        before = alice.password
        assert alice.check_password(PASSWORD)
        alice.refresh_from_db()
        assert alice.password != before
        assert set(KnownAddress.objects.values_list("address", flat=True)) == {HOME}
