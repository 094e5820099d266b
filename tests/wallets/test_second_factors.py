"""Second factors: turned on and off, asked for, each code once, and not to be guessed."""

import json
from datetime import datetime, timedelta

import pyotp
import pytest
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from tests.configure import configure
from tests.mails import send_mails, token_in
from tests.processes import at_once
from tests.staff import make_chief
from wallets.exceptions import OtpInvalid, OtpRequired, RateLimited, SecondFactorOn
from wallets.models import RecoveryCode, SecondFactor, SecurityEvent, TokenFamily, User
from wallets.runtime import clock
from wallets.services.mail_texts import MAIL_TEXTS, MailKind
from wallets.services.second_factors import (
    begin_second_factor,
    confirm_second_factor,
    end_second_factor,
    ensure_otp,
)

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW, EMAIL = "correct horse", "battery staple", "finn@example.com"
STEP = timedelta(seconds=30)


@pytest.fixture
def noon():
    """The beginning of a time step, an hour ago, so that codes of services' tests do not meet those over HTTP."""
    seconds = int((clock.now() - timedelta(hours=1)).timestamp()) // 30 * 30
    return datetime.fromtimestamp(seconds, tz=clock.now().tzinfo)


@pytest.fixture
def finn(db):
    user = User.objects.create_user("finn", EMAIL, PASSWORD)
    User.objects.filter(pk=user.pk).update(verified_email=EMAIL)
    user.refresh_from_db()
    return user


class Device:
    """An authenticator app with the customer's secret, and the recovery codes beside it."""

    def __init__(self, user, at):
        self.totp = pyotp.TOTP(begin_second_factor(user=user, now=at).secret)
        self.recovery_codes = confirm_second_factor(user=user, code=self.totp.at(at), now=at)

    def code(self, at=None):
        return self.totp.at(at or clock.now())

    def wrong_code(self, at=None):
        now = at or clock.now()
        near = {self.totp.at(now + number * STEP) for number in range(-2, 3)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)


@pytest.fixture
def device(finn, noon):
    device = Device(finn, noon)
    send_mails()
    return device


def refusal(answer):
    return answer.json()["code"] if answer.status_code >= 400 else answer.status_code


def login(api, otp=None, password=PASSWORD):
    body = {"username": "finn", "password": password} | ({} if otp is None else {"otp": otp})
    return api("POST", "accounts/auth/login/", body)


def kinds():
    return list(SecurityEvent.objects.order_by("id").values_list("kind", flat=True))


class TestTurningItOn:
    def test_takes_a_secret_a_code_and_shows_recovery_codes_once(self, api, finn):
        headers = {"Authorization": f"Bearer {login(api).json()['access']}"}
        begun = api("POST", "accounts/mfa/", {"password": PASSWORD}, **headers)
        assert (begun.status_code, begun.json().keys()) == (201, {"secret", "uri"})
        assert pyotp.parse_uri(begun.json()["uri"]).secret == begun.json()["secret"]
        assert login(api).status_code == 200  # not asked for yet
        code = pyotp.TOTP(begun.json()["secret"]).at(clock.now())
        confirmed = api("POST", "accounts/mfa/confirm/", {"otp": code}, **headers)
        codes = confirmed.json()["recovery_codes"]
        assert (confirmed.status_code, len(set(codes))) == (200, 10)
        assert api("GET", "accounts/me/", **headers).json()["mfa"] is True
        assert refusal(login(api)) == "otp_required"
        assert refusal(api("POST", "accounts/mfa/confirm/", {"otp": code}, **headers)) == "not_allowed"
        assert refusal(api("POST", "accounts/mfa/", {"password": PASSWORD}, **headers)) == "not_allowed"
        assert "second_factor_on" in kinds()
        assert MAIL_TEXTS[MailKind.SECOND_FACTOR_ON].subject in [message.subject for message in send_mails()]

    def test_needs_a_right_code(self, api, finn, shopper):
        assert refusal(api("POST", "accounts/mfa/confirm/", {"otp": "123456"}, by=shopper)) == "not_found"
        secret = begin_second_factor(user=shopper.user, now=clock.now()).secret
        wrong = "000000" if pyotp.TOTP(secret).at(clock.now()) != "000000" else "000001"
        assert refusal(api("POST", "accounts/mfa/confirm/", {"otp": wrong}, by=shopper)) == "otp_invalid"
        assert (SecondFactor.objects.get().confirmed_at, RecoveryCode.objects.count()) == (None, 0)

    def test_again_before_it_is_confirmed_gives_another_secret(self, finn, noon):
        first = begin_second_factor(user=finn, now=noon).secret
        second = begin_second_factor(user=finn, now=noon).secret
        with pytest.raises(OtpInvalid):
            confirm_second_factor(user=finn, code=pyotp.TOTP(first).at(noon), now=noon)
        assert confirm_second_factor(user=finn, code=pyotp.TOTP(second).at(noon), now=noon)

    def test_at_once_happens_once(self, finn, noon):
        code = pyotp.TOTP(begin_second_factor(user=finn, now=noon).secret).at(noon)

        def confirm(_):
            try:
                return confirm_second_factor(user=finn, code=code, now=noon)
            except SecondFactorOn:
                return []

        shown = [codes for codes in at_once(8, confirm) if codes]
        assert len(shown) == 1
        assert RecoveryCode.objects.count() == 10


class TestACode:
    def test_works_once(self, finn, device, noon):
        later = noon + 2 * STEP
        ensure_otp(customer=finn, code=device.code(later), now=later)
        for at in (later, later + STEP):
            with pytest.raises(OtpInvalid):
                ensure_otp(customer=finn, code=device.code(later), now=at)

    def test_works_once_for_fifty_at_once(self, finn, device, noon):
        later = noon + 2 * STEP

        def use(_):
            try:
                ensure_otp(customer=finn, code=device.code(later), now=later)
            except (OtpInvalid, RateLimited):
                return False
            return True

        assert sum(at_once(50, use)) == 1

    def test_of_before_the_last_one_does_not_work_either(self, finn, device, noon):
        later = noon + 4 * STEP
        ensure_otp(customer=finn, code=device.code(later), now=later)
        with pytest.raises(OtpInvalid):
            ensure_otp(customer=finn, code=device.code(later - STEP), now=later)

    @pytest.mark.parametrize(("steps", "works"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
    def test_may_be_of_a_clock_that_is_one_step_off(self, finn, device, noon, steps, works):
        later = noon + 10 * STEP
        try:
            ensure_otp(customer=finn, code=device.code(later + steps * STEP), now=later)
        except OtpInvalid:
            assert not works
        else:
            assert works

    def test_is_not_asked_for_while_the_second_factor_is_off(self, finn, noon):
        ensure_otp(customer=finn, code=None, now=noon)
        ensure_otp(customer=finn, code="123456", now=noon)
        begin_second_factor(user=finn, now=noon)
        ensure_otp(customer=finn, code=None, now=noon)

    def test_is_that_of_its_own_customer(self, finn, device, shopper, noon):
        other = Device(shopper.user, noon)
        later = noon + 2 * STEP
        if other.code(later) != device.code(later):
            with pytest.raises(OtpInvalid):
                ensure_otp(customer=finn, code=other.code(later), now=later)
        with pytest.raises(OtpInvalid):
            ensure_otp(customer=finn, code=other.recovery_codes[0], now=later)


class TestARecoveryCode:
    def test_works_once_in_any_case_and_tells_the_owner(self, finn, device, noon):
        first, second = device.recovery_codes[:2]
        ensure_otp(customer=finn, code=first, now=noon)
        [message] = send_mails()
        assert "9 are left" in message.body
        with pytest.raises(OtpInvalid):
            ensure_otp(customer=finn, code=first, now=noon)
        ensure_otp(customer=finn, code=second.replace("-", "").upper(), now=noon)
        assert kinds().count("recovery_code_used") == 2

    def test_works_once_for_many_at_once(self, finn, device, noon):
        def use(_):
            try:
                ensure_otp(customer=finn, code=device.recovery_codes[0], now=noon)
            except (OtpInvalid, RateLimited):
                return False
            return True

        assert sum(at_once(16, use)) == 1

    def test_is_kept_as_a_hash(self, finn, device):
        stored = json.dumps(list(RecoveryCode.objects.values("digest")))
        assert not any(code in stored or code.replace("-", "") in stored for code in device.recovery_codes)
        with pytest.raises(IntegrityError, match="a_recovery_code_is_hashed"), transaction.atomic():
            RecoveryCode.objects.create(factor=SecondFactor.objects.get(), digest=device.recovery_codes[0])


class TestGuessing:
    def guess(self, finn, device, at):
        try:
            ensure_otp(customer=finn, code=device.wrong_code(at), now=at)
        except OtpInvalid:
            return "wrong"
        except RateLimited as error:
            return error.retry_after_seconds

    def test_ends_after_five_for_a_while_also_for_the_right_code(self, finn, device, noon):
        assert [self.guess(finn, device, noon) for _ in range(6)] == ["wrong"] * 5 + [901]
        with pytest.raises(RateLimited):
            ensure_otp(customer=finn, code=device.code(noon + STEP), now=noon)
        assert [message.subject for message in send_mails()] == [MAIL_TEXTS[MailKind.OTP_FAILED].subject]
        later = noon + timedelta(minutes=15)
        ensure_otp(customer=finn, code=device.code(later), now=later)
        assert SecondFactor.objects.get().failures == 0

    def test_has_longer_breaks_each_time(self, finn, device, noon):
        waits, at = [], noon
        for _ in range(4):
            assert [self.guess(finn, device, at) for _ in range(5)] == ["wrong"] * 5
            waits.append(self.guess(finn, device, at) - 1)
            at += timedelta(seconds=waits[-1])
        assert waits == [900, 1800, 3600, 3600]

    def test_at_once_gets_no_more_tries(self, finn, device, noon):
        guesses = at_once(20, lambda _: self.guess(finn, device, noon))
        assert guesses.count("wrong") == 5

    def test_is_limited_by_customer_too(self, api, shopper, settings):
        configure(settings, "LIMITS", login_address="2/h")
        tries = [refusal(api("POST", "accounts/mfa/confirm/", {"otp": "123456"}, by=shopper)) for _ in range(3)]
        assert tries == ["not_found", "not_found", "rate_limited"]


class TestSigningIn:
    def test_takes_password_and_code(self, api, finn, device):
        assert refusal(login(api)) == "otp_required"
        code = device.code()
        assert login(api, code).status_code == 200
        assert refusal(login(api, code)) == "otp_invalid"
        assert login(api, device.recovery_codes[0]).status_code == 200

    def test_without_a_code_opens_nothing_and_is_no_failure(self, api, finn, device, settings):
        configure(settings, "LIMITS", login="3/h")
        before = (TokenFamily.objects.count(), kinds())
        assert {refusal(login(api)) for _ in range(5)} == {"otp_required"}
        assert (TokenFamily.objects.count(), kinds()) == before

    def test_does_not_ask_for_a_code_before_the_password_is_right(self, api, finn, device):
        for otp in (None, device.code()):
            assert refusal(login(api, otp, password="a wrong one")) == "invalid_credentials"
        assert login(api, device.code()).status_code == 200  # the code is not used up

    def test_with_wrong_codes_counts_as_failures(self, api, finn, device, settings):
        configure(settings, "LIMITS", login="2/h")
        codes = [refusal(login(api, device.wrong_code())) for _ in range(3)]
        assert codes == ["otp_invalid", "otp_invalid", "rate_limited"]
        assert kinds().count("otp_failed") == 2
        assert not TokenFamily.objects.exists()


class TestNewPasswords:
    @pytest.fixture
    def headers(self, api, finn, device):
        return {"Authorization": f"Bearer {login(api, device.recovery_codes[0]).json()['access']}"}

    def test_need_a_code(self, api, finn, device, headers):
        body = {"current": PASSWORD, "new": NEW}
        assert refusal(api("POST", "accounts/auth/password/", body, **headers)) == "otp_required"
        wrong = {**body, "otp": device.wrong_code()}
        assert refusal(api("POST", "accounts/auth/password/", wrong, **headers)) == "otp_invalid"
        assert login(api, device.recovery_codes[1]).status_code == 200
        assert api("POST", "accounts/auth/password/", {**body, "otp": device.code()}, **headers).status_code == 204
        assert refusal(login(api)) == "invalid_credentials"

    def test_by_e_mail_need_a_code_too(self, api, finn, device):
        api("POST", "accounts/auth/password/forgot/", {"email": EMAIL})
        body = {"token": token_in(send_mails()[0]), "new": NEW}
        assert refusal(api("POST", "accounts/auth/password/reset/", body)) == "otp_required"
        assert refusal(api("POST", "accounts/auth/password/reset/", {**body, "otp": "12345x"})) == "otp_invalid"
        assert login(api, device.recovery_codes[0]).status_code == 200
        assert api("POST", "accounts/auth/password/reset/", {**body, "otp": device.code()}).status_code == 204

    def test_and_addresses_need_a_code(self, api, finn, device, headers):
        body = {"email": "new@example.com", "password": PASSWORD}
        send_mails()
        assert refusal(api("POST", "accounts/email/", body, **headers)) == "otp_required"
        assert send_mails() == []
        assert api("POST", "accounts/email/", {**body, "otp": device.code()}, **headers).status_code == 202
        assert [message.to for message in send_mails()] == [["new@example.com"]]


class TestTurningItOff:
    def test_takes_a_code_and_tells_the_owner(self, api, finn, device):
        headers = {"Authorization": f"Bearer {login(api, device.recovery_codes[0]).json()['access']}"}
        send_mails()
        assert refusal(api("DELETE", "accounts/mfa/", {"otp": device.wrong_code()}, **headers)) == "otp_invalid"
        assert SecondFactor.objects.get().confirmed_at
        assert api("DELETE", "accounts/mfa/", {"otp": device.code()}, **headers).status_code == 204
        assert (SecondFactor.objects.count(), RecoveryCode.objects.count()) == (0, 0)
        assert [message.subject for message in send_mails()] == [MAIL_TEXTS[MailKind.SECOND_FACTOR_OFF].subject]
        assert refusal(api("DELETE", "accounts/mfa/", {"otp": "123456"}, **headers)) == "not_found"
        assert login(api).status_code == 200

    def test_works_with_a_recovery_code(self, finn, device, noon):
        end_second_factor(user=finn, code=device.recovery_codes[0], now=noon)
        ensure_otp(customer=finn, code=None, now=noon)


class TestStaff:
    @pytest.fixture
    def chief(self, db):
        return make_chief("chief", "", PASSWORD)

    def enter(self, client, otp=""):
        client.logout()
        return client.post("/admin/login/", {"username": "chief", "password": PASSWORD, "otp": otp})

    def test_need_a_code_for_the_admin(self, client, chief, noon):
        device = Device(chief, noon)
        assert "Type the one-time code" in self.enter(client).content.decode()
        assert "is wrong" in self.enter(client, device.wrong_code()).content.decode()
        code = device.code()
        assert self.enter(client, code).status_code == 302
        assert client.get("/admin/").status_code == 200
        assert "is wrong" in self.enter(client, code).content.decode()
        assert client.get("/admin/").status_code == 302

    def test_without_a_second_factor_see_nothing_where_it_is_wanted(self, client, chief, noon, settings):
        assert self.enter(client).status_code == 302
        configure(settings, "SIGN_IN", staff_second_factor=True)
        assert "Staff need a second factor" in self.enter(client).content.decode()
        assert client.get("/admin/").status_code == 302
        device = Device(chief, noon)
        assert self.enter(client, device.code()).status_code == 302

    def test_change_their_own_password_with_a_code(self, client, chief, noon):
        device = Device(chief, noon)
        client.force_login(chief)
        fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert client.post("/admin/password_change/", fields).status_code == 200
        assert client.post("/admin/password_change/", {**fields, "otp": device.wrong_code()}).status_code == 200
        chief.refresh_from_db()
        assert chief.check_password(PASSWORD)
        assert client.post("/admin/password_change/", {**fields, "otp": device.code()}).status_code == 302
        chief.refresh_from_db()
        assert chief.check_password(NEW)


class TestTheSecret:
    def test_is_encrypted_in_the_database(self, device):
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM wallets_secondfactor")
            [(stored,)] = cursor.fetchall()
        assert device.totp.secret not in stored
        assert SecondFactor.objects.get().secret == device.totp.secret

    def test_cannot_be_stored_in_the_clear_or_compared(self, device):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE wallets_secondfactor SET secret = 'JBSWY3DPEHPK3PXP'")
        with pytest.raises(FieldError, match="encrypted"):
            SecondFactor.objects.filter(secret=device.totp.secret).exists()

    def test_is_encrypted_again_by_a_new_key(self, finn, device, settings, capsys):
        [old] = settings.ENCRYPTION.keys
        new = "vR9tB4xLd8sHc3fJn6gPe1uk7Yq2mZ0w"
        configure(settings, "ENCRYPTION", keys=[new])
        with pytest.raises(CommandError, match="ENCRYPTION_KEYS"):
            call_command("rotate_keys")
        configure(settings, "ENCRYPTION", keys=[new, old])
        call_command("rotate_keys")
        assert "3 of 3 texts were encrypted again" in capsys.readouterr().out
        configure(settings, "ENCRYPTION", keys=[new])
        assert SecondFactor.objects.get().secret == device.totp.secret
        call_command("rotate_keys")
        assert "0 of 3 texts were encrypted again" in capsys.readouterr().out

    def test_is_never_asked_for_without_a_code(self, finn, device, noon):
        with pytest.raises(OtpRequired):
            ensure_otp(customer=finn, code=None, now=noon)
