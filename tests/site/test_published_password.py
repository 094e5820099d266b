"""The seeded administrator's password, which everybody can read in this repository, opens nothing in production."""

import io
import os
import secrets
import subprocess

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from exchange_site.seeding.published import ADMIN_PASSWORD, refuse_published_password
from exchange_site.stack.processes import API, PROJECT
from tests.conftest import process_environment
from wallets.models import User

OWN_PASSWORD = "correct horse battery"


def sign_in(api, username, password=ADMIN_PASSWORD):
    body = {"username": username, "password": password}
    return api("POST", "accounts/auth/login/", body, X_Request_ID="the-same")


def enter(client, username, password=ADMIN_PASSWORD):
    """Return whether the admin lets somebody in."""
    client.post("/admin/login/", {"username": username, "password": password})
    return client.get("/admin/").status_code == 200


@pytest.mark.django_db
class TestSignIn:
    def test_refuses_it_as_it_refuses_a_wrong_password(self, api, client):
        User.objects.create_superuser("admin", password=ADMIN_PASSWORD)
        answer, wrong = sign_in(api, "admin"), sign_in(api, "admin", "wrong")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
        assert answer.json() == wrong.json()
        assert not enter(client, "admin")

    def test_refuses_it_also_after_the_account_was_renamed(self, api, client):
        User.objects.create_superuser("chief", password=ADMIN_PASSWORD)
        assert sign_in(api, "chief").status_code == 401
        assert not enter(client, "chief")

    def test_accepts_another_password_of_the_same_account(self, api, client):
        User.objects.create_superuser("admin", password=OWN_PASSWORD)
        assert sign_in(api, "admin", OWN_PASSWORD).status_code == 200
        assert enter(client, "admin", OWN_PASSWORD)

    def test_accepts_it_in_development(self, api, client, settings):
        settings.DEBUG = True
        User.objects.create_superuser("admin", password=ADMIN_PASSWORD)
        assert sign_in(api, "admin").status_code == 200
        assert enter(client, "admin")


@pytest.mark.django_db(transaction=True)
class TestTheCheck:
    def check(self):
        call_command("check", "--database", "default", stdout=io.StringIO(), stderr=io.StringIO())

    def test_reports_it_in_production(self, settings):
        User.objects.create_superuser("admin", password=ADMIN_PASSWORD)
        with pytest.raises(SystemCheckError, match="'admin' still has the password of the development data"):
            self.check()
        settings.DEBUG = True
        self.check()

    @pytest.mark.parametrize(
        "user", [{"username": "admin", "password": OWN_PASSWORD}, {"username": "admin", "is_active": False}, None]
    )
    def test_reports_nothing_else(self, user):
        if user:
            User.objects.create_superuser(**{"password": ADMIN_PASSWORD, **user})
        self.check()


@pytest.mark.django_db(transaction=True)
def test_an_empty_database_is_not_complained_about(monkeypatch, capsys):
    monkeypatch.setattr("exchange_site.seeding.published._HASH", "SELECT password FROM not_migrated WHERE %s = ''")
    refuse_published_password()
    assert capsys.readouterr() == ("", "")


@pytest.mark.django_db(transaction=True)
def test_the_api_does_not_start_in_production_while_it_is_in_use():
    User.objects.create_superuser("admin", password=ADMIN_PASSWORD)
    environment = process_environment(
        DEBUG="False",
        HOUSE_LOSS_PER_DAY="500.00",
        SECRET_KEY=secrets.token_urlsafe(50),
        JWT_SECRET_KEY=secrets.token_urlsafe(50),
        ENCRYPTION_KEYS=secrets.token_urlsafe(50),
        POSTGRES_PASSWORD=os.environ.get("POSTGRES_PASSWORD") or secrets.token_urlsafe(24),
    )
    done = subprocess.run(API, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("The account 'admin' still has the password of the development data")
    assert ADMIN_PASSWORD not in sentence
