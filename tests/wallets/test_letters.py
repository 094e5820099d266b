"""E-mails as a worker sends them: only while they are still meant, to the right accounts, and none twice."""

import smtplib

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.configure import configure
from tests.mails import send_mails, token_in
from wallets.exceptions import TokenInvalid
from wallets.models import SecurityEvent, TokenFamily, User
from wallets.runtime import clock
from wallets.services import mailing
from wallets.services.credentials import ask_for_reset, change_password
from wallets.services.emails import change_email, verify_email
from wallets.services.tokens import start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW, EMAIL = "correct horse", "battery staple", "finn@example.com"


@pytest.fixture
def finn(db):
    user = User.objects.create_user("finn", EMAIL, PASSWORD)
    User.objects.filter(pk=user.pk).update(verified_email=EMAIL)
    user.refresh_from_db()
    return user


def ask(user, email, password=PASSWORD):
    """Ask for another address, as somebody who has read the account just now."""
    change_email(user=user, password=password, email=email, otp=None, now=clock.now())


def use(message):
    verify_email(token=token_in(message), now=clock.now())


def addresses(user):
    user.refresh_from_db()
    return user.email, user.verified_email


class TestALinkToAnotherAddress:
    def test_is_not_sent_once_the_password_has_changed(self, finn):
        ask(finn, "thief@example.com")
        change_password(user=User.objects.get(pk=finn.pk), password=NEW)
        assert [message.to for message in send_mails()] == [[EMAIL]]  # that the password was changed
        assert addresses(finn) == (EMAIL, EMAIL)

    def test_is_not_sent_if_the_password_changed_while_it_was_checked(self, finn):
        as_read = User.objects.get(pk=finn.pk)
        change_password(user=User.objects.get(pk=finn.pk), password=NEW)
        send_mails()
        ask(as_read, "thief@example.com")
        assert send_mails() == []

    def test_is_not_sent_once_another_address_is_proven(self, finn):
        ask(finn, "b@example.com")
        [first] = send_mails()
        ask(finn, "c@example.com")
        use(first)
        assert [message.to for message in send_mails()] == [[EMAIL]]  # that the address was changed
        assert addresses(finn) == ("b@example.com", "b@example.com")

    def test_works_once_also_when_the_first_address_has_come_back(self, finn):
        ask(finn, "b@example.com")
        [to_b] = send_mails()
        use(to_b)
        finn.refresh_from_db()
        send_mails()
        ask(finn, EMAIL)
        [back] = send_mails()
        use(back)
        assert addresses(finn) == (EMAIL, EMAIL)
        for used in (to_b, back):
            with pytest.raises(TokenInvalid):
                use(used)
        assert addresses(finn) == (EMAIL, EMAIL)
        assert SecurityEvent.objects.filter(kind="email_changed").count() == 2


class TestALinkForANewPassword:
    def test_goes_to_the_account_that_has_proven_the_address_first(self, db):
        for number in range(6):
            User.objects.create_user(f"squatter{number}", EMAIL, PASSWORD)
        owner = User.objects.create_user("owner", EMAIL, PASSWORD)
        User.objects.filter(pk=owner.pk).update(verified_email=EMAIL)
        ask_for_reset(email=EMAIL)
        sent = send_mails()
        assert len(sent) == 5
        assert "account owner" in sent[0].body

    def test_is_not_kept_from_anybody_by_other_e_mails(self, api, finn, shopper, settings):
        configure(settings, "LIMITS", mailbox="2/h")
        for _ in range(4):
            api("POST", "accounts/email/", {"email": EMAIL, "password": "a guess"}, by=shopper)
        for number in range(4):
            body = {"username": f"eve{number}", "password": PASSWORD, "email": EMAIL}
            assert api("POST", "accounts/auth/register/", body).status_code == 201
        send_mails()
        api("POST", "accounts/auth/password/forgot/", {"email": EMAIL})
        assert "account finn" in send_mails()[0].body

    def test_ends_the_sign_ins_that_it_makes_worthless(self, finn):
        for _ in range(3):
            start_token_family(user=finn, now=clock.now())
        change_password(user=finn, password=NEW)
        assert TokenFamily.objects.filter(user=finn, ended_at=None).count() == 0


class TestTheSignInsOfAUser:
    def test_are_not_listed_after_a_new_password(self, api, finn):
        start_token_family(user=finn, now=clock.now())
        change_password(user=finn, password=NEW)
        finn.refresh_from_db()
        pair = start_token_family(user=finn, now=clock.now())
        listed = api("GET", "accounts/sessions/", Authorization=f"Bearer {pair.access}").json()
        assert [session["current"] for session in listed] == [True]


class TestLinksThatProveAnAddress:
    def test_are_limited_by_mailbox_also_for_new_accounts(self, api, settings):
        configure(settings, "LIMITS", mailbox="2/h", register="100/m")
        for number in range(4):
            body = {"username": f"eve{number}", "password": PASSWORD, "email": EMAIL.upper()}
            assert api("POST", "accounts/auth/register/", body).status_code == 201
        assert len(send_mails()) == 2
        assert User.objects.filter(email__iexact=EMAIL).count() == 4

    def test_are_not_counted_before_the_password_is_right(self, api, finn, settings):
        configure(settings, "LIMITS", mailbox="1/h")
        headers = {"Authorization": f"Bearer {start_token_family(user=finn, now=clock.now()).access}"}
        for password in ("a guess", "a guess", PASSWORD):
            api("POST", "accounts/email/", {"email": "new@example.com", "password": password}, **headers)
        assert [message.to for message in send_mails()] == [["new@example.com"]]


class Server:
    """A mail server that refuses some of the e-mails, by their number, and keeps what it takes."""

    def __init__(self, monkeypatch, refusals):
        self.calls, self.taken, self.refusals = 0, [], refusals
        monkeypatch.setattr(mailing, "send_mail", self.send_mail)

    def send_mail(self, subject, text, sender, to):
        self.calls += 1
        if error := self.refusals.get(self.calls):
            raise error
        self.taken.append(text)


def recipients_refused(code):
    return smtplib.SMTPRecipientsRefused({EMAIL: (code, f"<{EMAIL}>: no".encode())})


def run_jobs():
    """Run each job for e-mails once, as a worker does; those that fail stay."""
    failures = []
    for job in ProcrastinateJob.objects.filter(task_name=mailing.MAIL_TASK).order_by("id"):
        try:
            mailing.send(**job.args, now=clock.now())
        except OSError as error:
            failures.append(error)
        else:
            ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete("default")
    return failures


class TestARefusedRecipient:
    @pytest.mark.parametrize(
        "refusal",
        [
            recipients_refused(550),
            smtplib.SMTPDataError(554, f"{EMAIL} is bad".encode()),
            ValueError(f"Invalid address; only a part could be parsed from {EMAIL}"),
        ],
    )
    def test_is_given_up_and_named_by_its_account_only(self, finn, monkeypatch, caplog, refusal):
        ask_for_reset(email=EMAIL)
        server = Server(monkeypatch, {1: refusal})
        assert run_jobs() == []
        assert (server.calls, ProcrastinateJob.objects.count()) == (1, 0)
        assert f"user {finn.pk}" in caplog.text
        assert EMAIL not in caplog.text

    def test_is_tried_again_if_it_is_for_now(self, finn, monkeypatch):
        ask_for_reset(email=EMAIL)
        server = Server(monkeypatch, {1: recipients_refused(451)})
        [failure] = run_jobs()
        assert (EMAIL in str(failure), failure.__context__, failure.__cause__) == (False, None, None)
        assert run_jobs() == []
        assert len(server.taken) == 1

    def test_costs_the_other_accounts_nothing_and_sends_none_twice(self, finn, monkeypatch):
        for number in range(3):
            User.objects.create_user(f"other{number}", EMAIL, PASSWORD)
        ask_for_reset(email=EMAIL)
        server = Server(monkeypatch, {2: recipients_refused(550), 3: recipients_refused(451), 4: OSError("away")})
        run_jobs()
        run_jobs()
        run_jobs()
        names = sorted(text.split("account ")[1].split(".")[0] for text in server.taken)
        assert names == ["finn", "other1", "other2"]
        assert ProcrastinateJob.objects.count() == 0
        assert mail.outbox == []
