"""What a stolen access token does not do: keep the owner out of the account."""

import pyotp
import pytest

from tests.configure import configure
from wallets.models import SecondFactor, SecurityEvent, User
from wallets.runtime import clock
from wallets.services.tokens import start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse"


@pytest.fixture
def finn(db):
    return User.objects.create_user("finn", "finn@example.com", PASSWORD)


@pytest.fixture
def stolen(finn):
    """The header of somebody who has a token of the customer, and not the password."""
    return {"Authorization": f"Bearer {start_token_family(user=finn, now=clock.now()).access}"}


def login(api):
    return api("POST", "accounts/auth/login/", {"username": "finn", "password": PASSWORD})


class TestAStolenToken:
    @pytest.mark.parametrize("body", [None, {}, {"password": "a guess"}, {"password": ""}, {"otp": "123456"}])
    def test_begins_no_second_factor(self, api, finn, stolen, body):
        answer = api("POST", "accounts/mfa/", body, **stolen)
        assert answer.status_code in {400, 401, 415, 422}
        assert not SecondFactor.objects.exists()
        assert login(api).status_code == 200

    def test_guesses_no_password_there_beyond_the_limit_of_sign_ins(self, api, finn, stolen, settings):
        configure(settings, "LIMITS", login="2/h")
        answers = [api("POST", "accounts/mfa/", {"password": "a guess"}, **stolen).json()["code"] for _ in range(3)]
        assert answers == ["invalid_credentials", "invalid_credentials", "rate_limited"]
        assert SecurityEvent.objects.filter(kind="sign_in_failed", user=finn).count() == 2
        assert not SecondFactor.objects.exists()

    def test_with_the_password_is_the_owner_who_turns_it_on(self, api, finn, stolen):
        begun = api("POST", "accounts/mfa/", {"password": PASSWORD}, **stolen)
        code = pyotp.TOTP(begun.json()["secret"]).at(clock.now())
        assert api("POST", "accounts/mfa/confirm/", {"otp": code}, **stolen).status_code == 200
        assert login(api).json()["code"] == "otp_required"
