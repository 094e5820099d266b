"""Staff: the first two superusers, who is fit to be staff, and the request for when too few superusers are left."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pyotp
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.mails import send_mails, token_in
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.wallets.bank import IBAN, camt, entry, import_file
from tests.wallets.test_changed_meanwhile import meanwhile
from wallets.exceptions import BreakGlassRefused, NotFitForStaff, ProposalClosed
from wallets.models import BreakGlass, Deposit, Proposal, SecurityEvent, User, Wallet
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.selectors.staff import list_able_superusers
from wallets.services.accounts import open_dollar_wallet
from wallets.services.break_glass import break_glass, revoke
from wallets.services.cash import withdraw
from wallets.services.crediting_statements import approve_statement, credit_statement
from wallets.services.deposits import IncomingMoney, receive_deposit
from wallets.services.ledger.locking import lock_wallets_to_credit
from wallets.services.proposals import propose
from wallets.services.proposing import USER_POWERS
from wallets.services.second_factors import begin_second_factor, confirm_second_factor
from wallets.services.security_log import read_powers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds={"powers": Decimal(0)})


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def make(name, email=None):
    return run("bootstrap_staff", name, "--email", email or f"{name}@example.com")


def turn_on_second_factor(user):
    now = clock.now()
    totp = pyotp.TOTP(begin_second_factor(user=user, now=now).secret)
    confirm_second_factor(user=user, code=totp.at(now), now=now)


def make_able(name):
    """Make a superuser who can sign in to the admin of production."""
    address = f"{name}@example.com"
    user = User.objects.create_superuser(name, email=address, verified_email=address)
    turn_on_second_factor(user)
    return user


class TestBootstrapStaff:
    def test_makes_a_superuser_who_chooses_a_password_by_a_link_and_has_no_wallet(self, api):
        assert "A link to choose a password is sent to Ann@example.com" in make("ann", "Ann@EXAMPLE.com")
        ann = User.objects.get()
        assert (ann.is_superuser, ann.is_staff, ann.has_usable_password()) == (True, True, False)
        assert (ann.verified_email, Wallet.objects.filter(owner=ann).exists()) == ("", False)
        [message] = send_mails()
        body = {"token": token_in(message), "new": "battery staple"}
        assert api("POST", "accounts/auth/password/reset/", body).status_code == 204
        ann.refresh_from_db()
        assert (ann.verified_email, ann.check_password("battery staple")) == ("Ann@example.com", True)
        assert not list_able_superusers().exists()
        signed_in = api("POST", "accounts/auth/login/", {"username": "ann", "password": "battery staple"})
        assert signed_in.status_code == 200
        turn_on_second_factor(ann)
        assert list(list_able_superusers()) == [ann]

    def test_is_recorded(self):
        make("ann")
        event = SecurityEvent.objects.get(kind="permissions_changed")
        assert (event.user.username, event.realm, event.actor) == ("ann", "command", None)
        assert event.details["is_superuser"] == {"old": False, "new": True}
        assert SecurityEvent.objects.filter(kind="reset_sent", user=event.user).count() == 1

    def test_shows_the_link_where_no_mail_is_sent(self, settings, api):
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
        told = make("ann")
        token = next(line for line in told.splitlines() if line.count(":") == 1 and " " not in line)
        body = {"token": token, "new": "battery staple"}
        assert api("POST", "accounts/auth/password/reset/", body).status_code == 204

    def test_sends_the_link_again_until_the_superuser_is_complete(self):
        make("ann")
        assert "ann is a superuser" in make("ann")
        assert len(send_mails()) == 2
        turn_on_second_factor(User.objects.get())
        with pytest.raises(CommandError, match="ann is complete"):
            make("ann")
        assert send_mails() == []

    def test_refuses_once_two_superusers_have_a_second_factor(self):
        make("ann")
        make_able("bob")
        make("carl")
        make_able("dora")
        with pytest.raises(CommandError, match="Two superusers with a second factor exist"):
            make("eve")
        assert not User.objects.filter(username="eve").exists()

    def test_refuses_where_somebody_has_money(self, shopper):
        with pytest.raises(CommandError, match="Somebody has money here"):
            make("ann")
        assert not User.objects.filter(is_superuser=True).exists()

    @pytest.mark.parametrize(
        ("name", "email", "sentence"),
        [
            ("eve", "no address", "no e-mail address"),
            ("eve", "ANN@example.com", "Another member of staff has this"),
            ("ann", "eve@example.com", "has another e-mail address"),
        ],
    )
    def test_refuses_an_address_that_is_not_ones_own(self, name, email, sentence):
        make("ann")
        with pytest.raises(CommandError, match=sentence):
            make(name, email)
        assert User.objects.count() == 1

    def test_makes_no_superuser_of_a_customer(self, make_shopper):
        customer = make_shopper().user
        run_as_owner("UPDATE wallets_wallet SET balance = 0 WHERE owner_id IS NOT NULL")
        with pytest.raises(CommandError, match="is a customer"):
            make(customer.username)
        assert not User.objects.filter(is_superuser=True).exists()


@pytest.mark.usefixtures("_two")
class TestOtherCommandsInProduction:
    def test_make_no_superuser(self):
        with pytest.raises(CommandError, match="bootstrap_staff"):
            call_command("createsuperuser", interactive=False, username="root_of_all", email="")
        assert not User.objects.exists()

    def test_set_no_password(self, admin_user, monkeypatch):
        monkeypatch.setattr("getpass.getpass", lambda **_: "another horse")
        with pytest.raises(CommandError, match="by a link"):
            call_command("changepassword", "admin")
        admin_user.refresh_from_db()
        assert admin_user.check_password("password")

    def test_replace_the_public_password_of_the_development_data(self, admin_user, monkeypatch):
        admin_user.set_password("new_password")
        admin_user.save()
        monkeypatch.setattr("getpass.getpass", lambda **_: "another horse")
        call_command("changepassword", "admin")
        admin_user.refresh_from_db()
        assert admin_user.check_password("another horse")

    def test_write_no_development_data_once_somebody_has_money(self, shopper):
        users = User.objects.count()
        with pytest.raises(CommandError, match="Somebody has money here"):
            call_command("seeder", "--force", "--user", "1")
        assert User.objects.count() == users


class TestStaffPowers:
    def ask(self, user):
        new = {**read_powers(user), "is_staff": True}
        payload = USER_POWERS.payload_of(user=user, new=new)
        by = User.objects.filter(username="chief").first() or User.objects.create_superuser("chief")
        return propose(kind="powers", payload=payload, reason="hired", asked_by=by)

    def is_customer(self, user):
        user.refresh_from_db()
        return not user.is_staff and not Proposal.objects.exists()

    def test_are_given_to_somebody_with_a_proven_address_and_no_money(self):
        carl = User.objects.create_user("carl", email="carl@example.com", verified_email="carl@example.com")
        self.ask(carl)
        carl.refresh_from_db()
        assert carl.is_staff

    def test_take_the_empty_wallet_of_somebody_who_has_registered(self, api, coin):
        zed, headers = self.register(api)
        self.ask(zed)
        zed.refresh_from_db()
        assert (zed.is_staff, Wallet.objects.filter(owner=zed).exists()) == (True, False)
        order = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, **headers)
        assert (order.status_code, order.json()["detail"]) == (404, "This account has no wallet.")
        assert api("GET", "accounts/wallet/", **headers).status_code == 404

    def test_leave_a_payment_with_their_reference_to_nobody(self, api):
        zed, _ = self.register(api)
        self.ask(zed)
        imported = import_file(camt(entry("50", text=payment_reference(subject=zed.subject)), closing="50"), by=zed)
        approve_statement(statement_id=imported.statement.pk, by=zed, approved_by=None)
        credit_statement(statement_id=imported.statement.pk)
        deposit = Deposit.objects.get()
        assert (deposit.customer, deposit.state) == (None, "unassigned")

    def register(self, api):
        """Return a customer with an empty wallet and a proven address, and the headers of their calls."""
        body = {"username": "zed", "password": "correct horse", "email": "zed@example.com"}
        tokens = api("POST", "accounts/auth/register/", body).json()
        User.objects.update(verified_email="zed@example.com")
        return User.objects.get(username="zed"), {"Authorization": f"Bearer {tokens['access']}"}

    @pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
    def test_by_rule_are_nobodys_who_has_or_had_money(self, shopper, make_shopper, flag):
        spent = make_shopper("5.00")
        withdraw(principal=spent.principal, amount=Decimal("5.00"), key=None)
        for customer in (shopper, spent):
            with pytest.raises(IntegrityError, match="has or had money"), transaction.atomic():
                User.objects.filter(pk=customer.user.pk).update(**{flag: True})
            assert Wallet.objects.filter(owner=customer.user).exists()

    def test_by_rule_keep_a_wallet_from_being_opened(self):
        eve = User.objects.create_user("eve", is_staff=True)
        with pytest.raises(IntegrityError, match="staff have no wallet"), transaction.atomic():
            open_dollar_wallet(owner=eve)
        assert not Wallet.objects.filter(owner=eve).exists()

    def test_wait_for_a_deposit_that_is_under_way(self, make_shopper, now):
        customer = make_shopper(None)
        money = IncomingMoney(amount=Decimal(5), source=IBAN, reference="b1", received_at=now)
        with meanwhile(lambda: User.objects.filter(pk=customer.user.pk).update(is_staff=True)) as begin:
            wallet = lock_wallets_to_credit(customer_ids=[customer.user.pk])[customer.user.pk]
            receive_deposit(money=money, wallet=wallet, now=wallet.now)
            answer = begin()
        with pytest.raises(IntegrityError, match="has or had money"):
            answer.result()
        assert customer.wallet.balance == 5

    def test_are_not_given_to_somebody_with_dollars(self, shopper):
        User.objects.filter(pk=shopper.user.pk).update(verified_email="finn@example.com")
        with pytest.raises(NotFitForStaff, match="money"):
            self.ask(User.objects.get(pk=shopper.user.pk))
        assert self.is_customer(shopper.user)

    def test_are_not_given_to_somebody_whose_coins_are_under_way(self, shopper, coin, api):
        User.objects.filter(pk=shopper.user.pk).update(verified_email="finn@example.com")
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "25"}, by=shopper).status_code == 201
        with pytest.raises(NotFitForStaff, match="money"):
            self.ask(User.objects.get(pk=shopper.user.pk))
        assert self.is_customer(shopper.user)

    @pytest.mark.parametrize(
        ("address", "sentence"), [("", "has not proven"), ("BOSS@example.com", "Another member of staff")]
    )
    def test_are_not_given_without_an_address_of_ones_own(self, address, sentence):
        User.objects.create_user("boss", is_staff=True, verified_email="boss@example.com")
        carl = User.objects.create_user("carl", verified_email=address)
        with pytest.raises(NotFitForStaff, match=sentence):
            self.ask(carl)
        assert self.is_customer(carl)

    def test_by_rule_belong_to_different_addresses(self):
        User.objects.create_user("boss", is_staff=True, verified_email="boss@example.com")
        carl = User.objects.create_user("carl", verified_email="Boss@example.com")
        with pytest.raises(IntegrityError, match="staff_have_different_addresses"), transaction.atomic():
            User.objects.filter(pk=carl.pk).update(is_staff=True)
        carl.refresh_from_db()
        assert not carl.is_staff

    def test_are_not_shared_by_a_link_to_the_same_mailbox(self, api):
        make("ann", "boss@example.com")
        [message] = send_mails()
        User.objects.create_user("boss", is_staff=True, email="boss@example.com", verified_email="boss@example.com")
        body = {"token": token_in(message), "new": "battery staple"}
        assert api("POST", "accounts/auth/password/reset/", body).status_code == 401
        assert User.objects.get(username="ann").verified_email == ""

    def test_come_without_a_wallet_for_a_user_who_is_added_as_staff(self, admin_client):
        fields = {"username": "new", "email": "new@example.com", "for_staff": "on"}
        assert admin_client.post("/admin/wallets/user/add/", fields).status_code == 302
        assert not Wallet.objects.filter(owner__username="new").exists()


class TestBreakGlass:
    @pytest.fixture
    def carl(self):
        return User.objects.create_user("carl", email="carl@example.com", verified_email="carl@example.com")

    @pytest.fixture
    def ann(self):
        ann = make_able("ann")
        send_mails()
        return ann

    def ask(self, user, reason="bob is gone"):
        return break_glass(user=user, reason=reason, asked_from="root@server")

    def age(self, hours):
        run_as_owner(
            f"UPDATE wallets_breakglass SET asked_at = asked_at - interval '{hours} hours',"
            f" ready_at = ready_at - interval '{hours} hours'"
        )

    def is_customer(self, user):
        user.refresh_from_db()
        return not (user.is_staff or user.is_superuser)

    def test_waits_a_day_and_tells_all_staff(self, ann, carl):
        User.objects.create_user("clerk", is_staff=True, email="clerk@example.com")
        User.objects.create_user("gone", is_staff=True, is_active=False, email="gone@example.com")
        told = run("break_glass", "carl", "--reason", "bob is gone")
        request = BreakGlass.objects.get()
        assert abs(request.ready_at - request.asked_at - timedelta(hours=24)) < timedelta(minutes=1)
        assert f"waits until {request.ready_at:%Y-%m-%d %H:%M}" in told
        assert self.is_customer(carl)
        messages = send_mails()
        assert sorted(message.to[0] for message in messages) == ["ann@example.com", "clerk@example.com"]
        assert all("carl" in message.body and "bob is gone" in message.body for message in messages)
        [concern] = [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.BREAK_GLASS]
        assert "bob is gone" in concern.reason

    def test_takes_effect_when_it_is_run_again_after_the_delay(self, ann, carl):
        self.ask(carl)
        self.age(23)
        assert self.ask(carl).outcome is None
        assert self.is_customer(carl)
        self.age(1)
        assert "is a superuser now" in run("break_glass", "carl")
        carl.refresh_from_db()
        assert (carl.is_staff, carl.is_superuser, BreakGlass.objects.get().outcome) == (True, True, "done")
        assert SecurityEvent.objects.filter(kind="permissions_changed", user=carl).count() == 1
        assert "Somebody is a superuser now" in [message.subject for message in send_mails()]
        assert not [each for each in list_to_do(now=clock.now()) if each.kind is ConcernKind.BREAK_GLASS]

    def test_has_one_effect_when_it_is_run_many_times_at_once(self, ann, carl):
        at_once(8, lambda _: self.ask(carl))
        assert BreakGlass.objects.count() == 1
        self.age(24)
        at_once(8, lambda _: self.ask(carl))
        assert SecurityEvent.objects.filter(kind="permissions_changed", user=carl).count() == 1

    def test_is_revoked_by_any_member_of_staff_in_the_admin(self, ann, carl, client):
        request = self.ask(carl)
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert "bob is gone" in client.get(f"/admin/wallets/breakglass/{request.pk}/change/").content.decode()
        data = {"action": "revoke", "_selected_action": [request.pk], "reason": "nobody is gone"}
        client.post("/admin/wallets/breakglass/", data)
        request.refresh_from_db()
        assert (request.outcome, request.ended_by.username, request.note) == ("revoked", "clerk", "nobody is gone")
        self.age(24)
        again = self.ask(carl)
        assert (again.outcome, again.pk != request.pk, self.is_customer(carl)) == (None, True, True)

    @pytest.mark.usefixtures("_two")
    @pytest.mark.parametrize("taken", [{"is_active": False}, {"is_staff": False, "is_superuser": False}])
    def test_is_told_to_those_whose_powers_somebody_has_taken_alone(self, ann, carl, taken):
        bob = make_able("bob")
        payload = USER_POWERS.payload_of(user=bob, new={**read_powers(bob), **taken})
        assert not propose(kind="powers", payload=payload, reason="x", asked_by=ann).needs_two
        send_mails()
        self.ask(carl)
        assert {to for message in send_mails() for to in message.to} == {"ann@example.com", "bob@example.com"}

    @pytest.mark.parametrize("fields", [{}, {"is_staff": True, "is_active": False}])
    def test_is_not_revoked_by_anybody_else(self, ann, carl, fields):
        request = self.ask(carl)
        with pytest.raises(BreakGlassRefused):
            revoke(request_id=request.pk, revoked_by=User.objects.create_user("eve", **fields), note="x")
        request.refresh_from_db()
        assert request.outcome is None

    def test_is_not_revoked_after_its_end(self, ann, carl):
        request = self.ask(carl)
        self.age(24)
        self.ask(carl)
        with pytest.raises(ProposalClosed):
            revoke(request_id=request.pk, revoked_by=ann, note="too late")

    def test_lapses_if_nobody_comes_back(self, ann, carl):
        first = self.ask(carl)
        self.age(24 + 72)
        second = self.ask(carl)
        first.refresh_from_db()
        assert (first.outcome, second.outcome, self.is_customer(carl)) == ("lapsed", None, True)

    def test_is_refused_while_two_superusers_can_sign_in(self, ann, carl):
        bob = make_able("bob")
        with pytest.raises(BreakGlassRefused, match="Two superusers"):
            self.ask(carl)
        assert not BreakGlass.objects.exists()
        User.objects.filter(pk=bob.pk).update(is_active=False)
        self.ask(carl)
        User.objects.filter(pk=bob.pk).update(is_active=True)
        self.age(24)
        with pytest.raises(BreakGlassRefused, match="Two superusers"):
            self.ask(carl)
        assert self.is_customer(carl)

    def test_is_refused_for_whoever_is_not_fit_to_be_staff(self, ann, shopper):
        with pytest.raises(NotFitForStaff):
            self.ask(shopper.user)
        with pytest.raises(NotFitForStaff):
            self.ask(User.objects.create_user("eve"))
        assert not BreakGlass.objects.exists()


class TestTheDatabase:
    @pytest.fixture
    def request_(self):
        carl = User.objects.create_user("carl", verified_email="carl@example.com")
        return break_glass(user=carl, reason="bob is gone", asked_from="root@server")

    def test_gives_no_power_before_the_delay_is_over(self, request_):
        with pytest.raises(IntegrityError, match="ends_as_it_may"), transaction.atomic():
            BreakGlass.objects.filter(pk=request_.pk).update(outcome="done")

    @pytest.mark.parametrize("change", ["ready_at = asked_at", "user_id = user_id + 1", "reason = 'x'"])
    def test_changes_nothing_that_was_asked_for_even_for_its_owner(self, request_, change):
        with by_owner(), pytest.raises(DatabaseError, match="end once"), transaction.atomic():
            transaction.get_connection().cursor().execute(f"UPDATE wallets_breakglass SET {change}")

    def test_ends_a_request_once(self, request_):
        eve = User.objects.create_user("eve", is_staff=True)
        revoke(request_id=request_.pk, revoked_by=eve, note="")
        with pytest.raises(DatabaseError, match="end once"), transaction.atomic():
            BreakGlass.objects.filter(pk=request_.pk).update(outcome="lapsed", ended_by=None)

    def test_keeps_requests(self, request_):
        for statement in ("DELETE FROM wallets_breakglass", "TRUNCATE wallets_breakglass"):
            with by_owner(), pytest.raises(DatabaseError, match="are kept"), transaction.atomic():
                transaction.get_connection().cursor().execute(statement)
        assert BreakGlass.objects.count() == 1

    @pytest.mark.parametrize(
        ("values", "rule"),
        [
            ({"reason": ""}, "a_break_glass_request_has_a_reason"),
            ({"ready_at": "2001-01-01T00:00:00Z"}, "a_break_glass_request_waits_before_its_effect"),
            ({}, "one_break_glass_request_of_a_user_waits"),
        ],
    )
    def test_refuses_requests_that_cannot_be(self, request_, values, rule):
        given = {"user": request_.user, "reason": "x", "asked_from": "x", "ready_at": request_.ready_at, **values}
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            BreakGlass.objects.create(**given)

    def test_begins_no_request_with_its_end(self, request_):
        eve = User.objects.create_user("eve")
        given = {"user": eve, "reason": "x", "asked_from": "x", "ready_at": request_.ready_at}
        with pytest.raises(DatabaseError, match="begins without an end"), transaction.atomic():
            BreakGlass.objects.create(**given, outcome="revoked", ended_by=eve, ended_at=clock.now())


class TestTwoBrowsers:
    @pytest.mark.usefixtures("_two")
    def test_of_one_person_are_one_person(self):
        """A second sign-in of the author is no second person."""
        User.objects.create_superuser("ann")
        carl = User.objects.create_user("carl", email="carl@example.com", verified_email="carl@example.com")
        clients = [Client(), Client()]
        for client in clients:
            client.force_login(User.objects.get(username="ann"))
        data = {"username": "carl", "is_active": "on", "is_staff": "on", "reason": "hired"}
        clients[0].post(f"/admin/wallets/user/{carl.pk}/change/", data)
        action = {"action": "approve", "_selected_action": [Proposal.objects.get().pk], "reason": "x"}
        shown = clients[1].post("/admin/wallets/proposal/", action, follow=True).content.decode()
        assert "Somebody else has to decide" in shown
        carl.refresh_from_db()
        assert not carl.is_staff
