"""Sign-ins that customers list and end, and the notice of one on a new device."""

import uuid
from datetime import timedelta

import pytest

from tests.configure import configure
from tests.mails import send_mails
from tests.processes import at_once
from wallets.exceptions import NotFound
from wallets.models import KnownAddress, SecurityEvent, TokenFamily, User
from wallets.services.mail_texts import MAIL_TEXTS, MailKind
from wallets.services.tokens import end_session, rotate_refresh_token

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, EMAIL = "correct horse", "finn@example.com"
LAPTOP, PHONE = "Laptop/1.0", "Phone/2.0"


@pytest.fixture
def finn(api):
    """Signs the customer finn in, who has registered on a laptop and has a proven address."""
    body = {"username": "finn", "password": PASSWORD, "email": EMAIL}
    assert api("POST", "accounts/auth/register/", body, User_Agent=LAPTOP).status_code == 201
    User.objects.update(verified_email=EMAIL)
    send_mails()

    def sign_in(*, device=LAPTOP):
        body = {"username": "finn", "password": PASSWORD}
        answer = api("POST", "accounts/auth/login/", body, User_Agent=device)
        assert answer.status_code == 200
        return {"Authorization": f"Bearer {answer.json()['access']}", "refresh": answer.json()["refresh"]}

    return sign_in


def sessions(api, headers):
    return api("GET", "accounts/sessions/", Authorization=headers["Authorization"]).json()


def end(api, headers, session_id):
    return api("DELETE", f"accounts/sessions/{session_id}/", Authorization=headers["Authorization"]).status_code


class TestSessions:
    def test_say_where_and_since_when(self, api, finn):
        finn()
        headers = finn(device=PHONE)
        phone, laptop, first = sessions(api, headers)
        assert [each["device"] for each in (phone, laptop, first)] == [PHONE, LAPTOP, LAPTOP]
        assert [each["current"] for each in (phone, laptop, first)] == [True, False, False]
        assert phone.keys() == {"id", "address", "device", "signed_in_at", "used_at", "current"}
        assert phone["address"] == "127.0.0.1"

    def test_that_were_refreshed_come_first(self, api, finn, now):
        laptop = finn()
        phone = finn(device=PHONE)
        rotate_refresh_token(refresh=laptop["refresh"], now=now + timedelta(minutes=1))
        assert [each["device"] for each in sessions(api, phone)] == [LAPTOP, PHONE, LAPTOP]

    def test_that_are_over_are_left_out(self, api, finn):
        finn()
        first, second = TokenFamily.objects.order_by("created_at")
        TokenFamily.objects.filter(pk=first.pk).update(expires_at=first.created_at)
        TokenFamily.objects.filter(pk=second.pk).update(ended_at=second.created_at)
        headers = finn()
        assert [each["current"] for each in sessions(api, headers)] == [True]

    def test_are_the_callers_own(self, api, finn, shopper):
        assert len(sessions(api, finn())) == 2
        assert [each["current"] for each in sessions(api, shopper.headers)] == [True]

    def test_show_no_unprintable_and_no_endless_device(self, api, finn):
        headers = finn(device="Evil\t\x7f" + "x" * 500)
        [device] = {each["device"] for each in sessions(api, headers)} - {LAPTOP}
        assert device == "Evil" + "x" * 194


class TestEndingASession:
    def test_ends_its_tokens_at_once(self, api, finn):
        laptop, phone = finn(), finn(device=PHONE)
        [found] = [each["id"] for each in sessions(api, laptop) if each["device"] == PHONE]
        assert end(api, laptop, found) == 204
        assert api("GET", "accounts/me/", Authorization=phone["Authorization"]).status_code == 401
        assert api("GET", "accounts/wallet/", Authorization=phone["Authorization"]).status_code == 401
        assert api("POST", "accounts/auth/refresh/", {"refresh": phone["refresh"]}).status_code == 401
        assert len(sessions(api, laptop)) == 2
        assert SecurityEvent.objects.latest("id").kind == "session_ended"

    def test_may_end_the_one_that_asks(self, api, finn):
        headers = finn()
        [current] = [each["id"] for each in sessions(api, headers) if each["current"]]
        assert (end(api, headers, current), end(api, headers, current)) == (204, 401)

    def test_of_somebody_else_or_of_nobody_is_not_found(self, api, finn, shopper):
        headers = finn()
        before = SecurityEvent.objects.count()
        for session_id in (shopper.family_id, uuid.uuid4(), "not-an-id", 1):
            assert end(api, headers, session_id) == 404
        assert not TokenFamily.objects.exclude(ended_at=None).exists()
        assert SecurityEvent.objects.count() == before

    def test_ends_it_once(self, api, finn, now):
        finn()
        user, family = User.objects.get(), TokenFamily.objects.first()

        def attempt(_):
            try:
                end_session(family_id=family.pk, user_id=user.pk, now=now)
            except NotFound:
                return False
            return True

        assert sum(at_once(8, attempt)) == 1
        assert SecurityEvent.objects.filter(kind="session_ended").count() == 1


class TestANewDevice:
    def told(self):
        subjects = [message.subject for message in send_mails()]
        assert set(subjects) <= {MAIL_TEXTS[MailKind.NEW_DEVICE].subject}
        return len(subjects)

    def test_is_told_to_the_owner_once(self, finn):
        finn()
        assert self.told() == 0
        finn(device=PHONE)
        assert self.told() == 1
        finn(device=PHONE)
        assert self.told() == 0
        assert SecurityEvent.objects.filter(kind="new_device").count() == 1

    def test_is_also_one_at_a_new_address(self, finn):
        KnownAddress.objects.all().delete()
        finn()
        assert self.told() == 1

    def test_is_named_with_time_address_and_device(self, finn):
        finn(device=PHONE)
        [message] = send_mails()
        assert message.to == [EMAIL]
        for part in ("finn", PHONE, "127.0.0.1", "UTC"):
            assert part in message.body

    def test_is_told_to_no_address_that_nobody_has_proven(self, finn):
        User.objects.update(verified_email="")
        finn(device=PHONE)
        assert self.told() == 0

    def test_is_not_told_when_signing_in_fails(self, api, finn, settings):
        configure(settings, "LIMITS", login="100/h")
        body = {"username": "finn", "password": "wrong"}
        assert api("POST", "accounts/auth/login/", body, User_Agent=PHONE).status_code == 401
        assert self.told() == 0
