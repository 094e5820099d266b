"""Sessions of the admin, where staff need a second factor: only those that were opened with a code open a page."""

import pyotp
import pytest
from django.test import Client

from tests.configure import configure
from wallets.models import User
from wallets.runtime import clock
from wallets.services.second_factors import begin_second_factor, confirm_second_factor

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse"


@pytest.fixture
def chief(db):
    return User.objects.create_superuser("chief", "", PASSWORD)


def enroll(user):
    """Turn the second factor on, and return a recovery code."""
    now = clock.now()
    code = pyotp.TOTP(begin_second_factor(user=user, now=now).secret).at(now)
    return confirm_second_factor(user=user, code=code, now=now)[0]


def sign_in(client, otp=""):
    return client.post("/admin/login/", {"username": "chief", "password": PASSWORD, "otp": otp})


def opens(client):
    return client.get("/admin/wallets/user/").status_code == 200


class TestASession:
    def test_from_before_the_switch_opens_nothing_after_it(self, chief, settings):
        client = Client()
        sign_in(client)
        assert opens(client)
        configure(settings, "SIGN_IN", staff_second_factor=True)
        assert not opens(client)
        assert client.post("/admin/wallets/user/add/", {"username": "eve"}).status_code == 302
        assert not User.objects.filter(username="eve").exists()

    def test_from_before_the_second_factor_opens_nothing_after_the_switch(self, chief, settings):
        client = Client()
        client.force_login(chief)
        enroll(chief)
        configure(settings, "SIGN_IN", staff_second_factor=True)
        assert not opens(client)

    def test_that_began_with_a_code_stays_open(self, chief, settings):
        client, code = Client(), enroll(chief)
        assert sign_in(client, code).status_code == 302
        configure(settings, "SIGN_IN", staff_second_factor=True)
        assert opens(client)

    def test_that_is_old_is_renewed_by_signing_in_with_a_code(self, chief, settings):
        client = Client()
        sign_in(client)
        code = enroll(chief)
        configure(settings, "SIGN_IN", staff_second_factor=True)
        assert client.get("/admin/login/").status_code == 200
        assert sign_in(client, code).status_code == 302
        assert opens(client)

    def test_of_one_person_gives_another_one_nothing(self, chief, settings):
        client = Client()
        sign_in(client, enroll(chief))
        configure(settings, "SIGN_IN", staff_second_factor=True)
        client.force_login(User.objects.create_superuser("other"))
        assert not opens(client)
