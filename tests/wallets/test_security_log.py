"""The security log: what is recorded about accounts, by whom, from where, and what is not."""

import json
import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.configure import configure
from wallets.models import SecurityEvent, User
from wallets.services.security_log import prune_security_events

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "203.0.113.7"


def events(**conditions):
    return list(SecurityEvent.objects.filter(**conditions).order_by("id"))


def kinds(**conditions):
    return [event.kind for event in events(**conditions)]


@pytest.fixture
def customer(api):
    """A customer who registered over HTTP."""
    body = {"username": "finn", "password": "correct horse"}
    return {**api("POST", "accounts/auth/register/", body).json(), "user": User.objects.get(username="finn")}


@pytest.fixture
def staff(admin_user, client):
    client.post("/admin/login/", {"username": "admin", "password": "password"}, REMOTE_ADDR=ADDRESS)
    return admin_user


def sign_in(api, name="finn", password="correct horse"):
    return api("POST", "accounts/auth/login/", {"username": name, "password": password})


class TestSigningIn:
    def test_is_recorded_with_account_address_and_realm(self, api, customer):
        assert sign_in(api).status_code == 200
        registered, signed_in = events()
        assert (registered.kind, registered.user, registered.realm) == ("registered", customer["user"], "api")
        assert (signed_in.kind, signed_in.user, signed_in.address) == ("signed_in", customer["user"], "127.0.0.1")
        assert abs(timezone.now() - signed_in.at) < timedelta(minutes=1)

    def test_that_fails_is_recorded_under_the_account(self, api, customer):
        assert sign_in(api, "FINN", "wrong").status_code == 401
        [event] = events(kind="sign_in_failed")
        assert (event.user, event.name_hash) == (customer["user"], "")

    def test_that_fails_is_recorded_under_the_account_that_would_have_been_signed_in(self, api):
        """Of two users from before keys who share one, the exact name decides."""
        finn, ligature = (User.objects.create_user(name) for name in ("new1", "new2"))
        User.objects.filter(pk=ligature.pk).update(username="ﬁnn", username_key=None, username_skeleton=None)
        User.objects.filter(pk=finn.pk).update(username="finn", username_key="finn")
        for name in ("ﬁnn", "finn", "FINN"):
            assert sign_in(api, name, "wrong").status_code == 401
        assert [event.user for event in events(kind="sign_in_failed")] == [ligature, finn, finn]

    def test_with_a_name_that_nobody_has_leaves_only_its_hash(self, api, caplog):
        with caplog.at_level(logging.INFO, logger="security"):
            for name in ("my secret password", "my secret password", "zero\x01"):
                assert sign_in(api, name, "x" * 8).status_code == 401
        first, second, _ = events(kind="sign_in_failed")
        assert first.name_hash == second.name_hash != ""
        assert first.user is None
        everything = json.dumps(list(SecurityEvent.objects.values()), default=str)
        lines = " ".join(str(vars(record)) for record in caplog.records)
        assert "my secret password" not in everything + lines
        assert first.name_hash in lines

    def test_never_records_a_password(self, api, customer):
        sign_in(api, "finn", "a wrong passphrase")
        sign_in(api)
        everything = json.dumps(list(SecurityEvent.objects.values()), default=str)
        assert "a wrong passphrase" not in everything
        assert "correct horse" not in everything

    def test_that_fails_fills_no_more_than_a_few_rows_a_minute(self, api, settings, customer):
        configure(settings, "SECURITY_LOG", most_per_minute=3)
        for _ in range(5):
            assert sign_in(api, "finn", "wrong").status_code == 401
        failures = events(kind="sign_in_failed")
        assert [event.details for event in failures] == [{}, {}, {"others_may_be_missing": True}]
        assert sign_in(api).status_code == 200
        assert kinds()[-1] == "signed_in"  # a success is recorded, however many failures came before


class TestTokens:
    def test_signing_out_is_recorded(self, api, customer):
        headers = {"Authorization": f"Bearer {customer['access']}"}
        assert api("POST", "accounts/auth/logout/", {"refresh": customer["refresh"]}, **headers).status_code == 204
        assert kinds(user=customer["user"]) == ["registered", "signed_out"]


class TestStaff:
    def test_signing_in_at_a_new_address_is_recorded_once(self, staff, client):
        assert kinds(user=staff) == ["staff_at_new_address", "signed_in"]
        client.post("/admin/logout/", REMOTE_ADDR=ADDRESS)
        client.post("/admin/login/", {"username": "admin", "password": "password"}, REMOTE_ADDR=ADDRESS)
        client.post("/admin/logout/", REMOTE_ADDR=ADDRESS)
        client.post("/admin/login/", {"username": "admin", "password": "password"}, REMOTE_ADDR="203.0.113.8")
        assert kinds(user=staff)[2:] == [
            "signed_out",
            "signed_in",
            "signed_out",
            "staff_at_new_address",
            "signed_in",
        ]
        assert {event.realm for event in events(user=staff)} == {"admin"}

    def test_a_customer_with_the_right_password_is_recorded_as_a_failure(self, client, customer):
        form = {"username": "finn", "password": "correct horse"}
        assert client.post("/admin/login/", form, REMOTE_ADDR=ADDRESS).status_code == 200
        [event] = events(kind="sign_in_failed")
        assert (event.user, event.realm, event.address) == (customer["user"], "admin", ADDRESS)
        assert events(kind="signed_in") == []

    def test_changes_of_powers_are_recorded_with_old_new_and_who(self, staff, client, customer):
        user = customer["user"]
        User.objects.filter(pk=user.pk).update(email="finn@example.com", verified_email="finn@example.com")
        group = Group.objects.create(name="readers")
        form = {
            "username": "finn",
            "is_active": "on",
            "is_staff": "on",
            "groups": [group.pk],
            "email": "",
            "reason": "a new task",
        }
        assert client.post(f"/admin/wallets/user/{user.pk}/change/", form).status_code == 302
        [event] = events(kind="permissions_changed")
        assert (event.user, event.actor, event.realm) == (user, staff, "admin")
        assert event.details == {
            "is_staff": {"old": False, "new": True},
            "groups": {"old": [], "new": ["readers"]},
        }

    def test_disabling_and_enabling_are_recorded(self, staff, client, customer):
        user = customer["user"]
        reason = {"reason": "on leave"}
        for form in ({"username": "finn", **reason}, {"username": "finn", "is_active": "on", **reason}):
            assert client.post(f"/admin/wallets/user/{user.pk}/change/", form).status_code == 302
        assert kinds(user=user)[-2:] == ["disabled", "enabled"]
        assert {event.actor for event in events(kind__in=["disabled", "enabled"])} == {staff}

    def test_permissions_of_a_group_are_recorded(self, staff, client):
        group = Group.objects.create(name="readers")
        permission = Permission.objects.get(codename="freeze_user")
        form = {"name": "readers", "permissions": [permission.pk], "reason": "a new task"}
        assert client.post(f"/admin/auth/group/{group.pk}/change/", form).status_code == 302
        [event] = events(kind="permissions_changed")
        assert event.details == {"group": "readers", "old": [], "new": ["wallets.freeze_user"]}
        assert event.actor == staff

    def test_a_link_for_a_new_password_and_a_freeze_are_recorded(self, staff, client, customer):
        user = customer["user"]
        User.objects.filter(pk=user.pk).update(email="finn@example.com")
        form = {"action": "send_reset_link", "_selected_action": user.pk, "reason": "asked by phone"}
        assert client.post("/admin/wallets/user/", form).status_code == 302
        form = {"action": "freeze", "_selected_action": user.pk, "reason": "asked by phone", "confirmed": "yes"}
        client.post("/admin/wallets/user/", form)
        assert kinds(user=user, actor=staff)[0] == "reset_sent"
        assert "frozen" in kinds(user=user, actor=staff)

    def test_see_a_customers_entries_in_the_admin(self, staff, client, customer):
        page = client.get(f"/admin/wallets/user/{customer['user'].pk}/change/").content.decode()
        assert f"/admin/wallets/securityevent/?user__id__exact={customer['user'].pk}" in page
        listed = client.get(f"/admin/wallets/securityevent/?user__id__exact={customer['user'].pk}").content.decode()
        assert "registered" in listed.lower()
        entry = events(user=customer["user"])[0]
        assert client.get(f"/admin/wallets/securityevent/{entry.pk}/change/").status_code == 200
        for term in ("finn", "203.0.113.7", "nobody", str(entry.pk)):
            assert client.get("/admin/wallets/securityevent/", {"q": term}).status_code == 200

    def test_read_the_details_in_words(self, staff, client, customer):
        for details in (
            {"is_staff": {"old": False, "new": True}, "permissions": {"old": ["a.b", "c.d"], "new": ["a.b", "e.f"]}},
            {"group": "Support", "old": [], "new": ["a.b"]},
            {"others_may_be_missing": True},
            {"not known yet": "<b>"},
        ):
            SecurityEvent.objects.create(kind="permissions_changed", realm="admin", details=details)
        page = client.get("/admin/wallets/securityevent/").content.decode()
        for words in (
            "staff: no → yes",
            "permissions: + e.f, − c.d",
            "group Support<br>+ a.b",
            "more may have happened",
            "not known yet: &lt;b&gt;",
        ):
            assert words in page
        assert "others_may_be_missing" not in page

    def test_follow_an_address_and_an_unknown_name_to_all_their_entries(self, staff, client, api):
        sign_in(api, "hunter2")
        name_hash = SecurityEvent.objects.get(kind="sign_in_failed").name_hash
        page = client.get("/admin/wallets/securityevent/").content.decode()
        for query, found, missing in (
            (f"name_hash={name_hash}", "badge-sign_in_failed", "badge-signed_in"),
            (f"address={ADDRESS}", "badge-signed_in", "badge-sign_in_failed"),
        ):
            assert f"/admin/wallets/securityevent/?{query}" in page
            listed = client.get(f"/admin/wallets/securityevent/?{query}").content.decode()
            assert found in listed
            assert missing not in listed

    def test_cannot_change_or_delete_an_entry(self, staff, client):
        [entry, *_] = events()
        assert client.post(f"/admin/wallets/securityevent/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
        client.post(f"/admin/wallets/securityevent/{entry.pk}/change/", {"address": "192.0.2.1"})
        entry.refresh_from_db()
        assert entry.address == ADDRESS


class TestCommands:
    def test_record_a_new_superuser(self, monkeypatch):
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse")
        call_command("createsuperuser", interactive=False, username="root_of_all", email="")
        [event] = events(kind="permissions_changed")
        assert (event.realm, event.user.username, event.actor) == ("command", "root_of_all", None)
        assert event.details["is_superuser"] == {"old": False, "new": True}

    @pytest.mark.parametrize("arguments", [["finn"], []])
    def test_record_a_new_password_of_staff(self, customer, monkeypatch, arguments):
        User.objects.filter(pk=customer["user"].pk).update(is_staff=True)
        monkeypatch.setattr("getpass.getuser", lambda: "finn")
        monkeypatch.setattr("getpass.getpass", lambda **_: "another horse")
        call_command("changepassword", *arguments)
        customer["user"].refresh_from_db()
        assert customer["user"].check_password("another horse")
        [event] = events(kind="password_changed")
        assert (event.realm, event.user) == ("command", customer["user"])

    def test_set_no_customers_password(self, customer, monkeypatch):
        monkeypatch.setattr("getpass.getpass", lambda **_: "another horse")
        before = kinds()
        with pytest.raises(CommandError, match="by a link"):
            call_command("changepassword", "FINN")
        customer["user"].refresh_from_db()
        assert customer["user"].check_password("correct horse")
        assert kinds() == before


class TestTheTable:
    @pytest.fixture
    def entry(self, customer):
        return events()[0]

    def test_refuses_changes(self, entry):
        with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():
            SecurityEvent.objects.filter(pk=entry.pk).update(address="192.0.2.1")
        entry.refresh_from_db()
        assert entry.address == "127.0.0.1"

    def test_keeps_thirty_days_and_lets_older_entries_go(self, entry):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            entry.delete()
        SecurityEvent.objects.create(kind="signed_in", realm="api", at=timezone.now() - timedelta(days=500))
        assert prune_security_events(before=timezone.now() - timedelta(days=400)) == 1
        assert events() == [entry]

    def test_is_pruned_in_pieces_that_are_quick_enough_for_the_statement_timeout(self, entry, monkeypatch):
        monkeypatch.setattr("wallets.services.security_log._PRUNED_AT_ONCE", 3)
        for days in range(401, 409):
            SecurityEvent.objects.create(kind="signed_in", realm="api", at=timezone.now() - timedelta(days=days))
        with CaptureQueriesContext(connection) as captured:
            assert prune_security_events(before=timezone.now() - timedelta(days=400)) == 8
        assert len([query for query in captured if query["sql"].startswith("DELETE")]) == 4  # 3, 3, 2 and none
        assert events() == [entry]

    @pytest.mark.parametrize("fields", [{"kind": "unheard_of"}, {"realm": "moon"}])
    def test_refuses_unknown_words(self, fields):
        with pytest.raises(IntegrityError), transaction.atomic():
            SecurityEvent.objects.create(**{"kind": "signed_in", "realm": "api", **fields})
        assert events() == []

    def test_refuses_a_hash_beside_an_account(self, customer):
        with pytest.raises(IntegrityError, match="name_of_an_account_is_not_hashed"), transaction.atomic():
            SecurityEvent.objects.create(kind="signed_in", realm="api", user=customer["user"], name_hash="ab")

    def test_commits_with_the_change_or_not_at_all(self, customer):
        from wallets.services.credentials import change_password

        with pytest.raises(RuntimeError), transaction.atomic():
            change_password(user=customer["user"], password="another horse")
            raise RuntimeError
        assert kinds() == ["registered"]

    def test_finds_what_it_counts_by_an_index(self, customer):
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'wallets_securityevent'")
            assert "security_event_of_network" in {name for (name,) in cursor.fetchall()}
