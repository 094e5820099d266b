"""Hashes of passwords: argon2id, in slots, and old hashes renewed."""

import threading

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, identify_hasher, make_password
from django.core.management import call_command

from tests.configure import configure
from tests.processes import at_once, wait_for
from wallets.exceptions import HashingBusy, InvalidCredentials
from wallets.models import KnownAddress, TokenFamily, User
from wallets.runtime import hashing
from wallets.runtime.hashing import hashing_slot
from wallets.services.accounts import register, sign_in
from wallets.services.credentials import change_password

pytestmark = pytest.mark.usefixtures("costly_hashes")

PASSWORD = "password123"
ADDRESS = "203.0.113.1"


def old_hash(password=PASSWORD):
    """A hash as earlier versions made it, in fewer rounds."""
    return PBKDF2PasswordHasher().encode(password, "salt" * 6, iterations=1000)


@pytest.fixture
def all_taken():
    """Another thread holds every slot that is for anybody, as a hash of a stranger would."""
    done, taken = threading.Event(), threading.Event()

    def hold():
        with hashing_slot():
            taken.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(10)
    yield
    done.set()
    holder.join()
    assert hashing._slots.taken == 0
    hashing._slots.reset()


class TestHash:
    def test_is_argon2id_of_31_mib_and_three_passes(self):
        made = make_password(PASSWORD)
        assert made.startswith("argon2$argon2id$v=19$m=31744,t=3,p=1$")
        assert check_password(PASSWORD, made)
        assert not check_password("another", made)

    @pytest.mark.parametrize("made", ["", "nonsense", "!", "md5$salt$x"])
    def test_is_made_for_nothing_where_there_is_none_to_check(self, made, monkeypatch):
        """So that the answer about an account without a password takes as long as any other."""
        encoded = []
        monkeypatch.setattr(hashing.Argon2Hasher, "encode", lambda *_: encoded.append(1) or "argon2$")
        assert not check_password(PASSWORD, made)
        assert encoded == [1]


@pytest.mark.django_db
class TestOldHash:
    @pytest.fixture
    def alice(self, now):
        register(username="alice", password="something else", email="", now=now)
        User.objects.update(password=old_hash())
        return User.objects.get()

    def test_is_renewed_at_the_next_sign_in(self, alice, now):
        assert sign_in(username="alice", password=PASSWORD, now=now)
        renewed = User.objects.get().password
        assert identify_hasher(renewed).algorithm == "argon2"
        assert sign_in(username="alice", password=PASSWORD, now=now)
        assert User.objects.get().password == renewed

    def test_stays_after_a_wrong_password(self, alice, now):
        with pytest.raises(InvalidCredentials):
            sign_in(username="alice", password="wrong-one", now=now)
        assert User.objects.get().password == alice.password

    def test_does_not_come_back_when_the_password_was_changed_meanwhile(self, alice):
        before = User.objects.get()
        change_password(user=alice, password="another-one-1")
        changed = User.objects.get().password
        assert before.check_password(PASSWORD)  # read before the change
        assert User.objects.get().password == changed

    def test_is_checked_in_a_slot(self, alice, now, all_taken):
        with pytest.raises(HashingBusy):
            sign_in(username="alice", password=PASSWORD, now=now)
        assert User.objects.get().password == alice.password

    def test_with_other_parameters_of_argon2_is_renewed_too(self, alice, now):
        class Weaker(hashing.Argon2Hasher):
            time_cost = 1

        User.objects.update(password=Weaker().encode(PASSWORD, "salt" * 6))
        assert sign_in(username="alice", password=PASSWORD, now=now)
        assert "t=3" in User.objects.get().password


@pytest.mark.django_db
class TestSlots:
    def test_are_needed_by_everything_that_hashes(self, admin_user, now, all_taken):
        for hashes in (
            lambda: make_password(PASSWORD),
            lambda: check_password(PASSWORD, admin_user.password),
            lambda: check_password(PASSWORD, old_hash_of_anybody),
            lambda: admin_user.check_password("password"),
            lambda: sign_in(username="nobody", password=PASSWORD, now=now),
            lambda: sign_in(username=admin_user.username, password="password", now=now),
            lambda: register(username="bob", password=PASSWORD, email="", now=now),
            lambda: change_password(user=admin_user, password="another-one-1"),
        ):
            with pytest.raises(HashingBusy):
                hashes()
        assert set(User.objects.values_list("username", flat=True)) == {admin_user.username}
        assert User.objects.get().password == admin_user.password
        assert not TokenFamily.objects.exists()

    def test_are_given_back_after_an_error(self, admin_user, now):
        for _ in range(3):
            with pytest.raises(InvalidCredentials):
                sign_in(username="nobody", password=PASSWORD, now=now)
        assert hashing._slots.taken == 0

    def test_have_one_more_for_whoever_is_known(self, all_taken):
        asked = []
        with hashing_slot(is_known=lambda: asked.append(1) or True):
            assert make_password(PASSWORD)
        with pytest.raises(HashingBusy), hashing_slot(is_known=lambda: False):
            pass
        assert asked == [1]

    def test_of_known_callers_are_bounded_too(self, all_taken):
        def hold(number):
            try:
                with hashing_slot(is_known=lambda: True):
                    both_have_tried.wait(10)
            except HashingBusy:
                both_have_tried.wait(10)
                return "busy"
            return "held"

        both_have_tried = threading.Barrier(2)
        assert sorted(at_once(2, hold)) == ["busy", "held"]

    def test_rest_after_they_have_refused_somebody_but_not_for_known_callers(self):
        slots = hashing._Slots()
        assert slots.take(is_known=False)
        assert not slots.take(is_known=False)
        slots.give_back(held_seconds=60)
        assert not slots.take(is_known=False)
        assert slots.take(is_known=True)
        slots.give_back(held_seconds=0)
        wait_for(lambda: slots.take(is_known=False))
        slots.give_back(held_seconds=60)
        assert slots.take(is_known=False)  # nobody was refused meanwhile

    def test_are_as_many_as_configured(self, settings, all_taken):
        configure(settings, "SIGN_IN", hashing_slots=2)
        assert make_password(PASSWORD)

    def test_are_free_for_commands(self, db, monkeypatch):
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        call_command("createsuperuser", interactive=False, username="chief", email="chief@example.com")
        assert User.objects.get().check_password(PASSWORD)


old_hash_of_anybody = old_hash()


@pytest.mark.django_db
class TestBusy:
    """What a caller is told while every slot is taken."""

    @pytest.fixture
    def alice(self, now):
        register(username="alice", password=PASSWORD, email="", now=now, address="127.0.0.1")
        TokenFamily.objects.all().delete()
        return User.objects.get()

    @pytest.mark.parametrize("path", ["login", "register"])
    def test_is_a_503_that_changes_nothing(self, api, all_taken, path, settings):
        configure(settings, "LIMITS", login="2/h", login_account="2/h")
        for _ in range(4):
            answer = api("POST", f"accounts/auth/{path}/", {"username": "bob", "password": PASSWORD})
            assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "1")
        assert not User.objects.exists()
        assert not TokenFamily.objects.exists()

    def test_is_no_failure(self, api, all_taken, settings):
        configure(settings, "LIMITS", login="2/h")
        answer = api("POST", "accounts/auth/login/", {"username": "bob", "password": PASSWORD})
        assert (answer.status_code, "RateLimit" in answer) == (503, False)

    @pytest.mark.parametrize("path", ["login", "register"])
    def test_uses_up_no_limit(self, api, all_taken, path, settings):
        """Whoever tries again, as the answer asks for, is not limited for it."""
        configure(settings, "LIMITS", login_address="3/h", register="3/h", login="3/h", login_account="3/h")
        body = {"username": "bob", "password": PASSWORD}
        assert [api("POST", f"accounts/auth/{path}/", body).status_code for _ in range(5)] == [503] * 5

    def test_uses_up_no_limit_of_staff(self, client, admin_client, admin_user, all_taken, settings):
        configure(settings, "LIMITS", login_address="3/h", login="3/h", login_account="3/h")
        KnownAddress.objects.all().delete()
        new = {"new_password1": "another-one-1", "new_password2": "another-one-1"}
        forms = {
            "login": (client, {"username": "admin", "password": "password"}),
            "password_change": (admin_client, {"old_password": "password", **new}),
        }
        for path, (browser, form) in forms.items():
            statuses = [browser.post(f"/admin/{path}/", form).status_code for _ in range(5)]
            assert statuses == [503] * 5, path

    def test_is_not_told_where_the_account_has_signed_in(self, api, alice, all_taken):
        answer = api("POST", "accounts/auth/login/", {"username": "alice", "password": PASSWORD})
        assert answer.status_code == 200

    def test_is_a_plain_page_in_the_admin(self, client, admin_client, admin_user, all_taken):
        KnownAddress.objects.all().delete()
        forms = {
            "login": {"username": "admin", "password": "password"},
            "password_change": {
                "old_password": "password",
                "new_password1": "another-one-1",
                "new_password2": "another-one-1",
            },
        }
        for path, form in forms.items():
            answer = (client if path == "login" else admin_client).post(f"/admin/{path}/", form)
            assert (answer.status_code, answer["Retry-After"]) == (503, "1"), path
            assert answer.content == b"Too many sign-ins at this moment. Try again.\n"
        assert set(User.objects.values_list("password", flat=True)) == {admin_user.password}


def test_slots_are_all_free_at_the_end():
    wait_for(lambda: hashing._slots.taken == 0)
