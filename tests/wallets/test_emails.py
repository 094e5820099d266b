"""E-mail addresses of accounts, and the tokens that are sent to them."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.configure import configure
from tests.mails import send_mails, token_in
from tests.processes import at_once
from wallets.exceptions import NoMail, TokenInvalid
from wallets.models import SecurityEvent, TokenFamily, User
from wallets.services import mailing
from wallets.services.credentials import reset_password, send_reset
from wallets.services.emails import verify_email
from wallets.services.mail_texts import MAIL_TEXTS, MailKind
from wallets.services.mailed_tokens import Purpose, make_mailed_token, read_mailed_token

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW = "correct horse", "battery staple"
EMAIL = "finn@example.com"


class Customer:
    def __init__(self, api, *, name="finn", email=EMAIL):
        body = {"username": name, "password": PASSWORD, "email": email}
        self.api = api
        self.tokens = api("POST", "accounts/auth/register/", body).json()
        self.headers = {"Authorization": f"Bearer {self.tokens['access']}"}

    @property
    def user(self):
        return User.objects.get(username="finn")

    def sign_in(self, password=PASSWORD):
        body = {"username": "finn", "password": password}
        answer = self.api("POST", "accounts/auth/login/", body)
        if answer.status_code == 200:
            self.headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        return answer.status_code


@pytest.fixture
def finn(api):
    """A customer whose first e-mail was sent and not read."""
    customer = Customer(api)
    customer.first_mail = send_mails()[0]
    return customer


@pytest.fixture
def proven(finn):
    """The customer, whose address is proven."""
    verify(finn.api, token_in(finn.first_mail))
    return finn


def verify(api, token):
    return refusal(api("POST", "accounts/email/verify/", {"token": token}))


def forgot(api, email):
    return refusal(api("POST", "accounts/auth/password/forgot/", {"email": email}))


def reset(api, token, new=NEW):
    return refusal(api("POST", "accounts/auth/password/reset/", {"token": token, "new": new}))


def refusal(answer):
    """Return the status of a success, else the code of the refusal."""
    return answer.json()["code"] if answer.status_code >= 400 else answer.status_code


def kinds():
    return list(SecurityEvent.objects.order_by("id").values_list("kind", flat=True))


class TestMe:
    def test_says_who_is_signed_in(self, api, finn):
        me = api("GET", "accounts/me/", by=finn).json()
        assert me.pop("created_at").endswith("Z")
        assert me.pop("limits").keys() == {"calls", "orders", "quotes", "wallet"}
        assert (me["id"], me["username"]) == (str(finn.user.subject), "finn")
        assert (me["email"], me["email_verified"]) == (EMAIL, False)

    def test_needs_a_token(self, api):
        assert refusal(api("GET", "accounts/me/")) == "token_invalid"


class TestVerification:
    def test_begins_with_the_account_and_ends_with_the_token(self, api, finn):
        assert finn.first_mail.to == [EMAIL]
        assert verify(api, token_in(finn.first_mail)) == 204
        assert api("GET", "accounts/me/", by=finn).json()["email_verified"] is True
        assert kinds()[-1] == "email_verified"
        assert send_mails() == []

    def test_works_once(self, api, proven):
        before = kinds()
        assert verify(api, token_in(proven.first_mail)) == "token_invalid"
        assert kinds() == before

    def test_of_a_new_address_changes_it_and_tells_the_old_one(self, api, proven):
        body = {"email": "new@example.com", "password": PASSWORD}
        assert refusal(api("POST", "accounts/email/", body, by=proven)) == 202
        assert proven.user.email == EMAIL
        [message] = send_mails()
        assert message.to == ["new@example.com"]
        assert verify(api, token_in(message)) == 204
        assert (proven.user.email, proven.user.verified_email) == ("new@example.com", "new@example.com")
        [told] = send_mails()
        assert (told.to, told.subject) == ([EMAIL], MAIL_TEXTS[MailKind.EMAIL_CHANGED].subject)
        assert verify(api, token_in(proven.first_mail)) == verify(api, token_in(message)) == "token_invalid"
        assert proven.user.email == "new@example.com"

    def test_is_not_begun_by_whoever_has_the_token_but_not_the_password(self, api, proven):
        body = {"email": "thief@example.com", "password": "a wrong one"}
        assert refusal(api("POST", "accounts/email/", body, by=proven)) == "invalid_credentials"
        assert send_mails() == []
        assert kinds()[-1] == "sign_in_failed"

    def test_is_refused_after_the_password_was_changed(self, api, finn):
        token = token_in(finn.first_mail)
        body = {"current": PASSWORD, "new": NEW}
        assert refusal(api("POST", "accounts/auth/password/", body, by=finn)) == 204
        assert verify(api, token) == "token_invalid"
        assert finn.user.verified_email == ""

    def test_is_refused_when_the_time_is_over_and_for_other_tokens(self, finn, now):
        token = token_in(finn.first_mail)
        for wrong in (token[:-2], f"{token}x", "", "x", ":", "é:é", finn.tokens["refresh"]):
            with pytest.raises(TokenInvalid):
                verify_email(token=wrong, now=now)
        with pytest.raises(TokenInvalid):
            verify_email(token=token, now=now + timedelta(hours=24, minutes=5))
        with pytest.raises(TokenInvalid):
            reset_password(token=token, new=NEW, now=now)
        User.objects.update(is_active=False)
        with pytest.raises(TokenInvalid):
            verify_email(token=token, now=now)
        assert finn.user.verified_email == ""

    def test_is_counted_by_address(self, api, settings):
        configure(settings, "LIMITS", login_address="2/h")
        assert [verify(api, "x") for _ in range(3)] == ["token_invalid", "token_invalid", "rate_limited"]


class TestChangingThePassword:
    def change(self, finn, current=PASSWORD, new=NEW):
        return refusal(finn.api("POST", "accounts/auth/password/", {"current": current, "new": new}, by=finn))

    def test_ends_every_sign_in_and_tells_the_owner(self, api, proven):
        assert self.change(proven) == 204
        assert refusal(api("GET", "accounts/me/", by=proven)) == "token_invalid"
        assert refusal(api("POST", "accounts/auth/refresh/", {"refresh": proven.tokens["refresh"]})) == "token_invalid"
        assert [message.subject for message in send_mails()] == [MAIL_TEXTS[MailKind.PASSWORD_CHANGED].subject]
        assert (proven.sign_in(), proven.sign_in(NEW)) == (401, 200)
        assert "password_changed" in kinds()

    def test_is_refused_with_a_wrong_password_and_changes_nothing(self, api, proven):
        hashed = proven.user.password
        assert self.change(proven, current="a wrong one") == "invalid_credentials"
        assert proven.user.password == hashed
        assert (send_mails(), kinds()[-1]) == ([], "sign_in_failed")
        assert api("GET", "accounts/me/", by=proven).status_code == 200

    def test_names_the_field_of_a_weak_password(self, proven, settings):
        settings.AUTH_PASSWORD_VALIDATORS = [
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}
        ]
        body = {"current": PASSWORD, "new": "password123"}
        answer = proven.api("POST", "accounts/auth/password/", body, by=proven)
        assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["new"])

    def test_counts_guesses_like_sign_ins(self, finn, settings):
        configure(settings, "LIMITS", login="2/h")
        guesses = [self.change(finn, current=f"guess {number}") for number in range(3)]
        assert guesses == ["invalid_credentials", "invalid_credentials", "rate_limited"]
        assert self.change(finn) == "rate_limited"
        assert finn.sign_in() == 429


class TestForgetting:
    def test_sends_a_token_that_sets_a_new_password_and_proves_the_address(self, api, finn):
        assert forgot(api, EMAIL) == 202
        [message] = send_mails()
        assert (message.to, "finn" in message.body) == ([EMAIL], True)
        assert reset(api, token_in(message)) == 204
        assert finn.user.verified_email == EMAIL
        assert [mail.subject for mail in send_mails()] == [MAIL_TEXTS[MailKind.PASSWORD_CHANGED].subject]
        assert (finn.sign_in(), finn.sign_in(NEW)) == (401, 200)

    def test_ends_every_earlier_sign_in(self, api, proven):
        forgot(api, EMAIL)
        reset(api, token_in(send_mails()[0]))
        assert refusal(api("GET", "accounts/me/", by=proven)) == "token_invalid"

    def test_lets_a_token_work_once_also_when_four_use_it_at_once(self, finn, now, settings):
        configure(settings, "SIGN_IN", hashing_slots=4)
        forgot(finn.api, EMAIL)
        token = token_in(send_mails()[0])

        def use(number):
            try:
                reset_password(token=token, new=f"{NEW} {number}", now=now)
            except TokenInvalid:
                return False
            return True

        assert sum(at_once(4, use)) == 1
        assert reset(finn.api, token) == "token_invalid"
        assert kinds().count("password_changed") == 1

    def test_makes_every_other_token_useless_once_one_was_used(self, api, finn):
        forgot(api, EMAIL)
        forgot(api, EMAIL)
        first, second = (token_in(message) for message in send_mails())
        assert reset(api, second) == 204
        assert reset(api, first, "another staple") == "token_invalid"
        assert finn.sign_in(NEW) == 200

    def test_gives_the_same_answer_for_an_address_that_nobody_has(self, api, proven):
        answers = [
            api("POST", "accounts/auth/password/forgot/", {"email": email}) for email in (EMAIL, "nobody@example.com")
        ]
        assert [(answer.status_code, answer.content) for answer in answers] == 2 * [(202, b"")]
        assert {*answers[0].headers} == {*answers[1].headers}
        assert ProcrastinateJob.objects.filter(task_name=mailing.MAIL_TASK).count() == 2
        assert [message.to for message in send_mails()] == [[EMAIL]]

    def test_runs_the_same_statements_for_an_address_that_nobody_has(self, api, proven, django_assert_num_queries):
        from django.test.utils import CaptureQueriesContext

        ran = []
        for email in (EMAIL, "nobody@example.com"):
            with CaptureQueriesContext(connection) as captured:
                forgot(api, email)
            ran.append([re.sub(r"'.*?'", "''", query["sql"]).split("(")[0] for query in captured])
        assert ran[0] == ran[1]

    def test_sends_no_more_than_some_to_a_mailbox_and_does_not_tell(self, api, finn, settings):
        configure(settings, "LIMITS", mailbox="2/h")
        answers = [
            api("POST", "accounts/auth/password/forgot/", {"email": email}) for email in [EMAIL, EMAIL.upper(), EMAIL]
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202]
        assert all("mailbox" not in answer["RateLimit"] for answer in answers)
        assert len(send_mails()) == 2
        assert forgot(api, "other@example.com") == 202

    def test_is_counted_by_address(self, api, settings):
        configure(settings, "LIMITS", mail="2/h")
        assert [forgot(api, EMAIL) for _ in range(3)] == [202, 202, "rate_limited"]
        assert ProcrastinateJob.objects.count() == 2

    def test_goes_to_the_proven_address_only(self, api, proven):
        """Staff, or a command, may have changed the address: nobody has proven to read the new one."""
        User.objects.update(email="thief@example.com")
        forgot(api, "thief@example.com")
        forgot(api, EMAIL)
        assert send_mails() == []

    def test_never_goes_to_an_address_that_only_looks_alike(self, api):
        Customer(api, email="mike@example.com")
        send_mails()
        for lookalike in ("mi\N{KELVIN SIGN}e@example.com", "m\N{LATIN SMALL LETTER DOTLESS I}ke@example.com"):
            forgot(api, lookalike)
        assert {address for message in send_mails() for address in message.to} <= {"mike@example.com"}

    def test_sends_nothing_to_a_disabled_customer(self, api, proven):
        User.objects.update(is_active=False)
        assert forgot(api, EMAIL) == 202
        assert send_mails() == []

    def test_of_several_accounts_with_one_address_names_each(self, api, finn):
        Customer(api, name="finns_other_account")
        send_mails()
        forgot(api, EMAIL)
        assert [("finns_other_account" in message.body) for message in send_mails()] == [False, True]


class TestATokenThatWasMailed:
    def test_leads_to_the_page_that_is_set_behind_a_fragment(self, api, finn, settings):
        configure(settings, "MAIL", link_url="https://shop.example/account/")
        forgot(api, EMAIL)
        [message] = send_mails()
        link = re.search(r"https://shop\.example/account/reset-password#token=(\S+)", message.body)
        assert reset(api, link.group(1)) == 204

    def test_is_in_no_table(self, api, finn):
        forgot(api, EMAIL)
        jobs = json.dumps(list(ProcrastinateJob.objects.values_list("args", flat=True)))
        assert EMAIL not in jobs
        token = token_in(send_mails()[0])
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{token}%"])
                assert cursor.fetchone()[0] == 0, table

    def test_is_good_for_one_purpose_and_one_address(self, finn, now):
        for purpose in Purpose:
            token = make_mailed_token(
                purpose=purpose, user=finn.user, email=EMAIL, now=now, lifetime=timedelta(hours=1)
            )
            for other in Purpose:
                if other is purpose:
                    assert read_mailed_token(purpose=other, token=token, now=now).email == EMAIL
                else:
                    with pytest.raises(TokenInvalid):
                        read_mailed_token(purpose=other, token=token, now=now)
        elsewhere = {"user": finn.user, "email": "else@example.com", "now": now, "lifetime": timedelta(hours=1)}
        with pytest.raises(TokenInvalid):
            reset_password(token=make_mailed_token(purpose=Purpose.RESET_PASSWORD, **elsewhere), new=NEW, now=now)
        assert finn.sign_in() == 200


class TestAnEmail:
    def test_is_not_sent_if_its_cause_is_rolled_back(self, finn):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            send_reset(user=finn.user)
            raise ZeroDivisionError
        assert send_mails() == []

    def test_is_sent_by_a_worker(self, api, finn, settings):
        from tests.settlement.test_jobs import run_jobs

        forgot(api, EMAIL)
        from django.core import mail

        before = len(mail.outbox)
        run_jobs()
        assert [message.to for message in mail.outbox[before:]] == [[EMAIL]]
        assert not ProcrastinateJob.objects.filter(task_name=mailing.MAIL_TASK).exists()

    def test_from_staff_needs_somebody_who_gets_it(self, finn, settings):
        User.objects.update(email="")
        with pytest.raises(NoMail):
            send_reset(user=finn.user)
        User.objects.update(email=EMAIL)
        kept, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.dummy.EmailBackend"
        with pytest.raises(NoMail):
            send_reset(user=finn.user)
        settings.EMAIL_BACKEND = kept
        send_reset(user=finn.user)
        assert [message.to for message in send_mails()] == [[EMAIL]]
        assert kinds()[-1] == "reset_sent"
        assert TokenFamily.objects.filter(ended_at=None).count() == 1
