"""A password takes long to check. A change of it in the meantime decides what the check may write."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from wallets.exceptions import InvalidCredentials, TokenInvalid
from wallets.models import KnownAddress, SecurityEvent, TokenFamily, User
from wallets.services.accounts import register, sign_in
from wallets.services.addresses import forget_addresses, remember_address
from wallets.services.credentials import change_own_password, change_password
from wallets.services.tokens import rotate_refresh_token, start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW, NEWEST = "password123", "another-one-1", "another-one-2"
HERE = "203.0.113.7"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def tokens(now):
    """The tokens of alice, who has signed in at no address yet."""
    return register(username="alice", password=OLD, email="", now=now)


def alice():
    return User.objects.get(username="alice")


def set_password(user):
    change_password(user=user, password=NEW)


def disable(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def end_family(user):
    TokenFamily.objects.select_for_update().get()
    TokenFamily.objects.update(ended_at="2026-01-01T00:00Z")
    forget_addresses(user_id=user.pk)


@contextmanager
def meanwhile(act):
    """Run `act` over another connection until it waits for a lock of the `with` block, and give its future result."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        yield lambda: _begin(pool, act)


def _begin(pool, act):
    future = pool.submit(at_once, 1, lambda _: act())
    wait_for(somebody_waits_for_a_lock, seconds=30)
    assert not future.done()
    return future


def kinds():
    return list(SecurityEvent.objects.order_by("id").values_list("kind", flat=True))


class TestASignInDuringARevocation:
    @pytest.fixture
    def signing_in(self, tokens, now):
        return lambda: sign_in(username="alice", password=OLD, now=now, address=HERE)

    @pytest.mark.parametrize("revoke", [set_password, disable])
    def test_is_refused_and_writes_nothing(self, signing_in, revoke):
        before = kinds()
        with meanwhile(signing_in) as begin:
            revoke(alice())
            answer = begin()
        with pytest.raises(InvalidCredentials):
            answer.result()
        assert not KnownAddress.objects.exists()
        assert TokenFamily.objects.count() == 1, "that of the registration"
        recorded = kinds()[len(before) :]
        assert (recorded.count("signed_in"), recorded.count("sign_in_failed")) == (0, 1)

    def test_succeeds_if_the_revocation_is_rolled_back(self, signing_in):
        with meanwhile(signing_in) as begin:
            set_password(alice())
            answer = begin()
            transaction.set_rollback(True)
        assert answer.result()
        assert KnownAddress.objects.get().address == HERE

    @pytest.mark.parametrize("revoke", [set_password, disable])
    def test_is_waited_for_and_ended_if_it_was_first(self, tokens, now, revoke):
        with meanwhile(lambda: revoke(alice())) as begin:
            pair = start_token_family(user=alice(), now=now, address=HERE)
            revoked = begin()
        revoked.result()
        assert not KnownAddress.objects.exists()
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=pair.refresh, now=now)

    @pytest.mark.parametrize("revoke", [set_password, disable])
    def test_writes_nothing_if_it_comes_second(self, tokens, now, revoke):
        user = alice()
        revoke(alice())
        with pytest.raises(TokenInvalid):
            start_token_family(user=user, now=now, address=HERE)
        assert not remember_address(user_id=user.pk, version=user.token_version, address=HERE, now=now)
        assert (KnownAddress.objects.count(), TokenFamily.objects.count()) == (0, 1)

    def test_costs_no_further_statement(self, signing_in):
        with CaptureQueriesContext(connection) as captured:
            signing_in()
        writes = [each["sql"] for each in captured if "INSERT" in each["sql"]]
        assert len(writes) == 3, "the security log, also about the new address, and the sign-in with its address"

    def test_does_not_wait_for_another(self, signing_in, now):
        with transaction.atomic():
            start_token_family(user=alice(), now=now, address="203.0.113.8")
            assert at_once(1, lambda _: signing_in())
        assert KnownAddress.objects.count() == 2


class TestARefreshDuringARevocation:
    @pytest.mark.parametrize("revoke", [set_password, disable, end_family])
    def test_is_refused_and_its_address_stays_unknown(self, tokens, now, revoke):
        with meanwhile(lambda: rotate_refresh_token(refresh=tokens.refresh, now=now, address=HERE)) as begin:
            revoke(alice())
            answer = begin()
        with pytest.raises(TokenInvalid):
            answer.result()
        assert not KnownAddress.objects.exists()
        assert TokenFamily.objects.get().ended_at

    def test_over_http_remembers_its_address(self, api, tokens):
        assert api("POST", "accounts/auth/refresh/", {"refresh": tokens.refresh}).status_code == 200
        assert KnownAddress.objects.get().user == alice()


class TestStaffDuringAChangeOfTheirPassword:
    @pytest.fixture
    def client(self, tokens):
        User.objects.update(is_staff=True, is_superuser=True)
        return Client()

    def test_are_refused_at_the_login_page_with_the_old_one(self, client):
        with meanwhile(lambda: client.post("/admin/login/", {"username": "alice", "password": OLD})) as begin:
            set_password(alice())
            answer = begin()
        [page] = answer.result()
        assert page.status_code == 200
        assert "Please enter the correct username" in page.content.decode()
        assert "_auth_user_id" not in client.session
        assert not KnownAddress.objects.exists()
        assert alice().last_login is None
        assert "signed_in" not in kinds()

    def test_do_not_undo_it_with_the_old_one(self, client):
        client.force_login(alice())
        fields = {"old_password": OLD, "new_password1": NEWEST, "new_password2": NEWEST}
        with meanwhile(lambda: client.post("/admin/password_change/", fields)) as begin:
            set_password(alice())
            answer = begin()
        [page] = answer.result()
        assert page.status_code == 302
        assert client.get("/admin/").status_code == 302, "the session has ended"
        assert alice().check_password(NEW)
        assert kinds().count("password_changed") == 1

    def test_change_it_themselves(self, client):
        client.force_login(alice())
        fields = {"old_password": OLD, "new_password1": NEWEST, "new_password2": NEWEST}
        client.post("/admin/password_change/", fields)
        assert alice().check_password(NEWEST)
        assert client.get("/admin/").status_code == 200

    def test_are_refused_with_what_was_read_before_it(self, client):
        user = alice()
        set_password(alice())
        with pytest.raises(InvalidCredentials):
            change_own_password(user=user, password=NEWEST)
        assert alice().check_password(NEW)
