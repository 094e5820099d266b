"""Usernames: one key for all spellings, names that pass for another's, and users from before these rules."""

import time
import unicodedata

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.processes import at_once
from wallets.exceptions import DomainError, InvalidCredentials, UsernameNotAllowed, UsernameTaken
from wallets.models import TokenFamily, User, Wallet
from wallets.services.accounts import accept_new_name, register, sign_in
from wallets.services.naming import settle_names
from wallets.usernames import RESERVED, accept_username, key_of, skeleton_of

PASSWORD = "password123"

# Pairs that are one name.
SPELLINGS = [
    ("finn", "ﬁnn"), ("finn", "ＦＩＮＮ"), ("finn", "ﬁｎＮ"), ("straße", "STRASSE"), ("straße", "strasse"), ("σοφος", "ΣΟΦΟΣ"), ("σοφος", "σοφος".replace("ς", "σ")),
    ("zoë", unicodedata.normalize("NFD", "zoë")), ("Å1", "\u212b1"), ("k1", "\u212a1"), ("henry8", "henry⑧"), ("x2", "x²"), ("ǆ", "Ǆ"), ("ΐ", "ΐ"), ("ⅷ", "viii"),
]  # fmt: skip
# Pairs of names that are not one, but look alike. Neither may join the other.
LOOK_ALIKES = [
    ("coco", "сосо"), ("bob", "ВОВ"), ("isparta", "ısparta"), ("istanbul", "İstanbul"), ("alice", "аlісе"), ("alice", "ɑlice"), ("cop", "сор"), ("oo", "οο"), ("oo", "օօ"),
    ("alan", "ᴀʟᴀɴ"), ("сосо", "ⅽосо"), ("AL", "ꓮꓡ"),
]  # fmt: skip
PASSING_FOR_US = [
    "admin", "Admin", "ADMIN", "ａｄｍｉｎ", "аdmin", "АDМІN", "adm1n", "ádmin", "ạdmin", "ᴀᴅᴍɪɴ", "admin_", "_admin", "ad.min", "ad-min", "admin.", "admin@", "@dmin", "4dmin",
    "root", "r00t", "ｒｏｏｔ", "support", "5upp0rt", "supp0rt", "customer_support", "staff", "ѕtaff", "system", "ｓｙｓｔｅｍ", "house", "h0use", "rnoderator", "ꓮꓓꓟꓲꓠ", "ⓐⓓⓜⓘⓝ", "𝐚𝐝𝐦𝐢𝐧",
]  # fmt: skip
UNREADABLE = [
    "", " ", "a b", " alice", "alice ", "alice\n", "alice\u00a0", "a\u3000b", "a\u200bb", "a\u200db", "a\u2060b", "\ufeffalice", "a\u00adb", "a\u202eb", "a\u2066b", "a\u0000b", "a\u0007b", "a\x7fb",
    "\ud800", "a\udfff", "\ufffd", "\uffff", "\u115f", "\u1160x", "\u3164", "\uffa0", "x\u034f", "x\ufe0f", "a\u0300\u0301\u0302", "x\u0489", "ﷺ", "ﷲ" * 80, "a/b", "a'b", "aʻb", "aʼb", "alice☃", "¨", "٠١", "user٠", "a" * 151, "ﬃ" * 51,
]  # fmt: skip
MIXED = [
    "иван_ivan",
    "aдmin",
    "jоe",
    "αlpha",
    "ｱliсe",
    "alıcе",
    "田中а",
    "김а",
    "김の",
    "יוסףa",
    "አa",
    "Ꭺlice",
    "ალისaა",
]
FINE = [
    "alice", "Alice", "alice.b+c@example-1.com", "_x_", "élan", "naïve", "øystein", "Łukasz", "straße", "иван2000", "Ωμέγα", "יוסף", "田中", "田中ーLee", "たなかタロウ", "김철수", "1234", "admin2", "theadmin",
    "system32", "supporter", "rooty", "a", "a" * 150, "customer1", "customerl", "user10", "user1o",
]  # fmt: skip


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def sign_up(now, username):
    return register(username=username, password=PASSWORD, email="", now=now)


def both_ways(pairs):
    return [*pairs, *((other, one) for one, other in pairs)]


def state():
    return User.objects.count(), Wallet.objects.filter(role="customer").count(), TokenFamily.objects.count()


@pytest.fixture
def old_users(db):
    """Add users from before the keys, and compute the keys as the migration does."""

    def add(*usernames):
        for username in usernames:
            user = User.objects.create_user(f"new{User.objects.count()}", password=PASSWORD)
            User.objects.filter(pk=user.pk).update(username=username, username_key=None, username_skeleton=None)
        settle_names(users=User.objects.all())
        return [User.objects.get(username=username) for username in usernames]

    return add


@pytest.mark.django_db
class TestRegistering:
    @pytest.mark.parametrize(("one", "other"), both_ways(SPELLINGS))
    def test_a_name_in_another_spelling_is_taken(self, now, one, other):
        sign_up(now, one)
        before = state()
        with pytest.raises(UsernameTaken):
            sign_up(now, other)
        assert state() == before
        assert sign_in(username=other, password=PASSWORD, now=now)

    @pytest.mark.parametrize(("one", "other"), both_ways(LOOK_ALIKES))
    def test_a_name_that_looks_like_anothers_is_not_allowed(self, now, one, other):
        assert key_of(one) != key_of(other)
        User(username=one).save()
        before = state()
        with pytest.raises(UsernameNotAllowed):
            sign_up(now, other)
        assert state() == before

    @pytest.mark.parametrize("name", PASSING_FOR_US)
    def test_a_name_that_passes_for_us_is_not_allowed(self, now, name):
        with pytest.raises(UsernameNotAllowed):
            sign_up(now, name)
        assert not User.objects.exists()

    def test_a_reserved_name_that_somebody_has_is_taken(self, now, admin_user):
        for name in ("admin", "ａｄｍｉｎ", "ADMIN"):
            with pytest.raises(UsernameTaken):
                sign_up(now, name)
        with pytest.raises(UsernameNotAllowed):
            sign_up(now, "аdmin")

    @pytest.mark.parametrize("name", UNREADABLE + MIXED)
    def test_a_name_that_nobody_can_read_or_type_is_not_allowed(self, now, name):
        with pytest.raises(UsernameNotAllowed):
            sign_up(now, name)
        assert not User.objects.exists()

    def test_names_of_all_sorts_are_allowed(self):
        for name in FINE:
            assert accept_username(name) == unicodedata.normalize("NFKC", name)
        assert len({key_of(name) for name in FINE}) == len(FINE) - 1  # alice and Alice

    @pytest.mark.parametrize(
        ("name", "status", "code"),
        [("ﬁnn", 409, "username_taken"), ("ｆinn", 409, "username_taken"), ("аdmin", 422, "username_not_allowed"), ("fıпп", 422, "username_not_allowed"), ("fi nn", 422, "validation_error"), ("fi\u200bnn", 422, "validation_error"), ("\\ud800", 400, "malformed_json")],
    )  # fmt: skip
    def test_is_refused_over_http(self, api, now, name, status, code):
        sign_up(now, "finn")
        body = f'{{"username": "{name}", "password": "password123"}}'
        answer = api("POST", "accounts/auth/register/", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert User.objects.count() == 1

    @pytest.mark.parametrize(("one", "other"), [("finn", "Ｆinn"), ("coco", "сосо")])
    def test_the_database_refuses_what_the_service_overlooks(self, one, other):
        User(username=one).save()
        with pytest.raises(IntegrityError, match="usernames_"), transaction.atomic():
            User(username=other).save()
        with pytest.raises(IntegrityError, match="usernames_"), transaction.atomic():
            User.objects.bulk_create([User(username=other)])


@pytest.mark.django_db(transaction=True)
def test_of_many_spellings_registered_at_once_one_is_taken(now):
    def attempt(number):
        try:
            return sign_up(now, ["finn", "ﬁnn", "FINN", "ｆｉｎｎ", "coco", "сосо"][number])
        except DomainError as error:
            return error

    results = at_once(6, attempt)
    assert sum(not isinstance(result, DomainError) for result in results) == 2
    assert {type(result) for result in results[4:]} > {UsernameNotAllowed}
    assert User.objects.count() == Wallet.objects.filter(role="customer").count() == 2


@pytest.mark.django_db
class TestSigningIn:
    def test_works_in_any_spelling(self, api, now):
        sign_up(now, "finn")
        for name in ("finn", "FINN", "ﬁnn", "ｆｉｎｎ"):
            assert api("POST", "accounts/auth/login/", {"username": name, "password": PASSWORD}).status_code == 200
        for name in ("fınn", "finn ", "\u200bfinn", "fi"):
            assert api("POST", "accounts/auth/login/", {"username": name, "password": PASSWORD}).status_code == 401

    def test_counts_all_spellings_of_a_name_together(self, api, now, settings):
        configure(settings, "LIMITS", login="3/h")
        for name, status in (("finn", 401), ("ﬁnn", 401), ("FINN", 401), ("ｆｉｎｎ", 429)):
            answer = api("POST", "accounts/auth/login/", {"username": name, "password": PASSWORD})
            assert answer.status_code == status

    def test_to_the_admin_is_refused_without_work_for_a_name_of_sixty_kilobytes(self, db, client):
        accents = "a" + "\u0315" * 15_000 + "\u0300" * 15_000  # to sort them takes a time that grows with their square
        begun = time.thread_time()
        answer = client.post("/admin/login/", {"username": accents, "password": PASSWORD})
        assert time.thread_time() - begun < 2
        assert answer.status_code == 200
        assert "_auth_user_id" not in client.session

    def test_of_a_name_that_cannot_be_stored_is_refused(self, now):
        for name in ("\ud800", "a\0b", "ﷺ" * 150):
            with pytest.raises(DomainError):
                sign_in(username=name, password=PASSWORD, now=now)


def form_of(client, user):
    """Return the admin's form of a user as a browser would send it."""
    page = client.get(f"/admin/wallets/user/{user.pk}/change/")
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value is not None and value is not False}


@pytest.mark.django_db
class TestUsersFromBefore:
    def test_go_on_signing_in_by_their_exact_names(self, old_users, now):
        finn, ligature, wide = old_users("finn", "ﬁnn", "ｆinn")
        assert (finn.username_key, ligature.username_key, wide.username_key) == ("finn", None, None)
        for user in (finn, ligature, wide):
            assert User.objects.get_by_natural_key(user.username) == user
            assert sign_in(username=user.username, password=PASSWORD, now=now)
        assert User.objects.get_by_natural_key("FINN") == finn

    def test_nobody_is_renamed_and_the_one_whose_name_is_its_key_is_the_first(self, old_users):
        ligature, finn = old_users("ﬁnn", "finn")
        assert (ligature.username, ligature.username_key) == ("ﬁnn", None)
        assert (finn.username, finn.username_key) == ("finn", "finn")
        (lonely,) = old_users("ﬂo")
        assert (lonely.username, lonely.username_key) == ("ﬂo", "flo")
        assert User.objects.get_by_natural_key("flo") == lonely

    def test_a_name_that_is_too_long_for_a_key_still_signs_in(self, old_users, now):
        (user,) = old_users("ﷺ" * 150)
        assert user.username_key is None
        assert sign_in(username=user.username, password=PASSWORD, now=now)

    def test_are_not_found_by_a_text_that_is_too_long_for_a_key(self, old_users, now):
        """They have no key, and neither has the text: it must not sign in with their password, nor be taken."""
        _, ligature = old_users("finn", "ﬁnn")
        assert ligature.username_key is None
        text = "\ufdfa" * 26
        assert key_of(text) is None
        assert not User.objects.spelt(text).exists()
        with pytest.raises(InvalidCredentials):
            sign_in(username=text, password=PASSWORD, now=now)
        assert not TokenFamily.objects.exists()
        with pytest.raises(UsernameNotAllowed):
            sign_up(now, text)

    def test_do_not_look_like_a_name_whose_skeleton_is_too_long(self, old_users, now, monkeypatch):
        _, cyrillic = old_users("coco", "сосо")
        assert cyrillic.username_skeleton is None
        monkeypatch.setattr("wallets.services.accounts.skeleton_of", lambda name: None)
        assert accept_new_name("otto") == "otto"

    def test_are_spelt_out_on_the_users_page(self, old_users, admin_client):
        finn, ligature = old_users("finn", "ﬁnn")
        spelt = "U+FB01 latin small ligature fi"
        assert spelt in admin_client.get(f"/admin/wallets/user/{ligature.pk}/change/").content.decode()
        plain = admin_client.get(f"/admin/wallets/user/{finn.pk}/change/").content.decode()
        assert spelt not in plain
        assert "unclear name" not in plain
        assert admin_client.get("/admin/wallets/user/").content.decode().count("unclear name") == 1

    @pytest.mark.parametrize("name", ["ﬁnn", "ﬂo", "аdmin", "\u3164", "x y", "ﷺ" * 150, "сосо"])
    def test_can_be_saved_and_disabled_in_the_admin_as_they_are(self, old_users, admin_client, name):
        old_users("finn", "coco", name)
        user = User.objects.get(username=name)
        key = user.username_key
        fields = {**form_of(admin_client, user), "first_name": "One", "reason": "they say so"}
        assert admin_client.post(f"/admin/wallets/user/{user.pk}/change/", fields).status_code == 302
        del fields["is_active"]
        fields["reason"] = "asked for it"
        assert admin_client.post(f"/admin/wallets/user/{user.pk}/change/", fields).status_code == 302
        user.refresh_from_db()
        assert (user.username, user.first_name, user.is_active) == (name, "One", False)
        assert user.username_key == key

    def test_are_named_on_the_to_do_page_until_the_other_has_gone(self, old_users, admin_client, now):
        finn, ligature, _coco, cyrillic = old_users("finn", "ﬁnn", "coco", "сосо")
        listed = [each for each in list_to_do(now=now) if each.kind is ConcernKind.NAME]
        assert [(each.subject, each.reason, each.target.pk) for each in listed] == [
            ("ﬁnn", "the same name as finn", ligature.pk),
            ("сосо", "looks like coco", cyrillic.pk),
        ]
        page = admin_client.get("/admin/attention/").content.decode()
        assert "the same name as finn, but with ﬁ U+FB01 latin small ligature fi" in page
        assert "looks like coco, but with с U+0441 cyrillic small letter es, о U+043E" in page
        User.objects.filter(pk=cyrillic.pk).update(is_active=False)
        admin_client.post(f"/admin/wallets/user/{finn.pk}/change/", {**form_of(admin_client, finn), "username": "otto"})
        admin_client.post(f"/admin/wallets/user/{ligature.pk}/change/", form_of(admin_client, ligature))
        assert not [each for each in list_to_do(now=now) if each.kind is ConcernKind.NAME]
        ligature.refresh_from_db()
        assert (ligature.username, ligature.username_key) == ("ﬁnn", "finn")

    def test_staff_are_found_and_sign_in_to_the_admin_by_their_exact_names(self, old_users, client, admin_client):
        _, ligature = old_users("finn", "ﬁnn")
        User.objects.update(is_staff=True)
        client.post("/admin/login/", {"username": "ﬁnn", "password": PASSWORD})
        assert client.session["_auth_user_id"] == str(ligature.pk)
        found = admin_client.get("/admin/wallets/user/", {"q": "ﬁnn"}).content.decode()
        assert f"/admin/wallets/user/{ligature.pk}/change/" in found


@pytest.mark.django_db
class TestStaff:
    def test_may_have_a_reserved_name(self, admin_client):
        new = {"email": "new@example.com"}
        answer = admin_client.post("/admin/wallets/user/add/", {"username": "support", **new})
        assert answer.status_code == 302
        call_command("createsuperuser", "--noinput", username="root", email="root@example.com", verbosity=0)
        assert set(User.objects.values_list("username", "username_key")) == {
            (name, name) for name in ("admin", "support", "root")
        }

    @pytest.mark.parametrize("name", ["ａdmin", "аdmin", "fi\u200bnn", "ＦＩＮＮ"])
    def test_add_nobody_under_a_name_that_is_taken_or_unreadable(self, admin_client, now, name):
        sign_up(now, "finn")
        new = {"email": "new@example.com"}
        page = admin_client.post("/admin/wallets/user/add/", {"username": name, **new})
        assert page.context["adminform"].form.errors["username"]
        with pytest.raises((CommandError, DomainError)):
            call_command("createsuperuser", "--noinput", username=name, email="x@example.com", verbosity=0)
        assert User.objects.count() == 2

    def test_rename_by_the_same_rules(self, admin_client, now):
        sign_up(now, "finn")
        sign_up(now, "otto")
        otto = User.objects.get(username="otto")
        for name, status in (("ﬁnn", 200), ("support", 200), ("OTTO", 302), ("ｊim", 302)):
            fields = {**form_of(admin_client, otto), "username": name}
            assert admin_client.post(f"/admin/wallets/user/{otto.pk}/change/", fields).status_code == status
        otto.refresh_from_db()
        assert (otto.username, otto.username_key, otto.username_skeleton) == ("jim", "jim", "jim")

    def test_disable_and_enable_by_the_checkbox_and_old_tokens_stay_dead(self, admin_client, api, shopper):
        fields = {**form_of(admin_client, shopper.user), "reason": "asked for it"}
        without = {name: value for name, value in fields.items() if name != "is_active"}
        for sent in (without, fields):
            assert admin_client.post(f"/admin/wallets/user/{shopper.user.pk}/change/", sent).status_code == 302
        assert User.objects.get(pk=shopper.user.pk).is_active
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401


def test_every_reserved_name_is_refused():
    for name in RESERVED:
        with pytest.raises(UsernameNotAllowed):
            accept_username(name)
        assert accept_username(name, for_staff=True) == name


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20))
def test_every_text_has_a_key_that_is_its_own_key(text):
    assert key_of(key_of(text)) == key_of(text)
    assert skeleton_of(text) is not None
    try:
        name = accept_username(text)
    except UsernameNotAllowed:
        return
    assert accept_username(name) == name
    assert key_of(name) == key_of(text)
