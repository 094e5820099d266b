"""Payees: added and removed by their customers, kept encrypted, shown masked, and on hold at first."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from tests.configure import configure
from tests.mails import send_mails
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.secrecy import ACCOUNT_NUMBER
from tests.wallets.payees import HERS, HIS, IBAN, add, ask, make_staff, state_of
from tests.wallets.test_second_factors import Device
from wallets.exceptions import AccountFrozen, NotFound, OtpInvalid, OtpRequired, TooManyPayees
from wallets.models import Payee, SecurityEvent, User, Wallet
from wallets.runtime import clock
from wallets.services.payees import remove_payee

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"name": "Alice Example", "iban": "GB82 WEST 1234 5698 7654 32"}
US = {"name": "Alice Example", "account": "123-456-789", "routing": "021000021"}


def code_of(answer):
    return answer.status_code, answer.json()["code"]


class TestPayeesOverHttp:
    def test_are_added_masked_and_listed(self, api, shopper):
        added = api("POST", "accounts/payees/", BODY, by=shopper)
        assert added.status_code == 201
        assert added.json().items() >= {
            "name": "Alice Example", "iban": "GB****************5432", "account": None, "routing": None,
            "is_default": True,
        }.items()  # fmt: skip
        other = api("POST", "accounts/payees/", US, by=shopper).json()
        assert (other["iban"], other["account"], other["routing"]) == (None, "*****6789", "021000021")
        assert api("GET", "accounts/payees/", by=shopper).json() == [added.json(), other]
        assert other["is_default"] is False

    def test_that_are_there_already_stay_as_they_are(self, api, shopper):
        first = api("POST", "accounts/payees/", BODY, by=shopper).json()
        again = api("POST", "accounts/payees/", {**BODY, "iban": IBAN}, by=shopper)
        assert (again.status_code, again.json(), Payee.objects.count()) == (201, first, 1)

    def test_are_in_the_security_log_without_their_account(self, api, shopper):
        added = api("POST", "accounts/payees/", BODY, by=shopper).json()
        api("POST", "accounts/payees/", BODY, by=shopper)
        api("DELETE", f"accounts/payees/{added['id']}/", by=shopper)
        told = SecurityEvent.objects.filter(kind__startswith="payee").order_by("id")
        assert [(each.kind, each.user, each.realm, each.details) for each in told] == [
            (kind, shopper.user, "api", {"payee": added["id"]}) for kind in ("payee_added", "payee_removed")
        ]

    def test_are_added_once_by_fifty_calls(self, shopper):
        added = at_once(50, lambda _: add(shopper).pk)
        assert len(set(added)) == Payee.objects.count() == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"iban": "GB82WEST12345698765431"},
            {"iban": None},
            {"account": ACCOUNT_NUMBER},
            {"account": ACCOUNT_NUMBER, "routing": "021000021"},
            {"iban": None, "account": ACCOUNT_NUMBER},
            {"iban": None, "routing": "021000021"},
            {"iban": None, "account": ACCOUNT_NUMBER, "routing": "021000022"},
            {"name": ""},
            {"name": " "},
            {"name": "a\u0001b"},
            {"name": "x" * 71},
            {"bank": "unknown"},
        ],
    )
    def test_with_an_account_that_cannot_be_are_refused(self, api, shopper, changes):
        body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
        assert code_of(api("POST", "accounts/payees/", body, by=shopper)) == (422, "validation_error")
        assert not Payee.objects.exists()

    def test_are_removed(self, api, shopper):
        payee = add(shopper)
        assert api("DELETE", f"accounts/payees/{payee.pk}/", by=shopper).status_code == 204
        assert api("GET", "accounts/payees/", by=shopper).json() == []
        assert code_of(api("DELETE", f"accounts/payees/{payee.pk}/", by=shopper)) == (404, "not_found")

    def test_of_others_are_not_there(self, api, shopper, make_shopper):
        payee = add(make_shopper())
        assert code_of(api("DELETE", f"accounts/payees/{payee.pk}/", by=shopper)) == (404, "not_found")
        assert api("GET", "accounts/payees/", by=shopper).json() == []
        assert Payee.objects.get().removed_at is None

    def test_need_a_code_where_the_second_factor_is_on(self, api, shopper):
        device = Device(shopper.user, clock.now() - timedelta(minutes=5))
        assert code_of(api("POST", "accounts/payees/", BODY, by=shopper)) == (401, "otp_required")
        wrong = {**BODY, "otp": device.wrong_code()}
        assert code_of(api("POST", "accounts/payees/", wrong, by=shopper)) == (422, "otp_invalid")
        assert not Payee.objects.exists()
        right = {**BODY, "otp": device.code()}
        assert api("POST", "accounts/payees/", right, by=shopper).status_code == 201
        assert code_of(api("DELETE", f"accounts/payees/{Payee.objects.get().pk}/", by=shopper)) == (401, "otp_required")
        assert Payee.objects.get().removed_at is None


class TestAnAddress:
    @pytest.fixture(autouse=True)
    def _must_be_proven(self, settings):
        configure(settings, "PAYOUTS", proven_email=True)

    def test_is_proven_before_a_payee_is_added(self, api, shopper):
        answer = api("POST", "accounts/payees/", BODY, by=shopper)
        assert (code_of(answer), Payee.objects.count()) == ((403, "not_allowed"), 0)
        assert "Prove your e-mail address first" in answer.json()["detail"]
        User.objects.filter(pk=shopper.user.pk).update(verified_email="alice@example.com")
        assert api("POST", "accounts/payees/", BODY, by=shopper).status_code == 201

    def test_is_proven_before_money_leaves_to_an_older_payee(self, api, shopper, settings):
        configure(settings, "PAYOUTS", self_service=False, proven_email=False)
        add(shopper)
        configure(settings, "PAYOUTS", proven_email=True)
        for method, path in (("POST", "accounts/payouts/"), ("PATCH", "accounts/wallet/withdraw/")):
            answer = api(method, path, {"amount": "5.00"}, by=shopper)
            assert code_of(answer) == (403, "not_allowed")
        assert shopper.wallet.balance == 100


class TestAPayee:
    def test_is_usable_after_its_hold(self, shopper, settings):
        configure(settings, "PAYOUTS", payee_hold=timedelta(hours=24))
        payee = add(shopper)
        assert payee.usable_at - payee.created_at == timedelta(hours=24)

    def test_is_one_of_a_few(self, shopper, settings):
        configure(settings, "PAYOUTS", most_payees=1)
        add(shopper)
        assert add(shopper) == Payee.objects.get()  # it is there already
        with pytest.raises(TooManyPayees):
            add(shopper, account=HIS)
        remove_payee(principal=shopper.principal, payee_id=Payee.objects.get().pk, otp=None, now=clock.now())
        add(shopper, account=HIS)

    def test_is_not_added_to_a_frozen_account(self, shopper):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            add(shopper)
        assert not Payee.objects.exists()

    def test_is_told_to_the_proven_address_and_holds_payouts(self, shopper):
        User.objects.filter(pk=shopper.user.pk).update(verified_email="a@example.com", email="a@example.com")
        before = clock.database_now()
        payee = add(shopper)
        [mail] = send_mails()
        assert (mail.to, "GB****************5432" in mail.body, IBAN in mail.body) == (["a@example.com"], True, False)
        assert User.objects.get(pk=shopper.user.pk).credentials_changed_at >= before
        remove_payee(principal=shopper.principal, payee_id=payee.pk, otp=None, now=clock.now())
        assert "removed" in send_mails()[0].subject

    def test_takes_its_open_payouts_with_it(self, shopper):
        payee, other = add(shopper), add(shopper, account=HIS)
        gone, kept = ask(shopper, "30.00", payee=payee), ask(shopper, "20.00", payee=other)
        remove_payee(principal=shopper.principal, payee_id=payee.pk, otp=None, now=clock.now())
        assert (state_of(gone), state_of(kept), shopper.wallet.balance) == ("cancelled", "requested", 80)

    def test_of_another_customer_cannot_be_removed(self, shopper, make_shopper):
        payee = add(make_shopper())
        with pytest.raises(NotFound):
            remove_payee(principal=shopper.principal, payee_id=payee.pk, otp=None, now=clock.now())

    def test_needs_a_code_that_is_right(self, shopper):
        device = Device(shopper.user, clock.now() - timedelta(minutes=5))
        for otp, error in ((None, OtpRequired), (device.wrong_code(), OtpInvalid)):
            with pytest.raises(error):
                add(shopper, otp=otp)
        assert not Payee.objects.exists()


class TestEncryption:
    def test_leaves_no_readable_account_in_the_database(self, shopper):
        add(shopper, name="Alice Example")
        add(shopper, name="Alice Example", account=HIS)
        rows = run_as_owner("SELECT to_jsonb(p)::text FROM wallets_payee p")
        for secret in ("Alice", HERS.number, HIS.number, HIS.routing):
            assert not any(secret in row for (row,) in rows)

    def test_is_of_columns_that_the_database_checks(self, shopper):
        payee = add(shopper)
        with (
            pytest.raises(IntegrityError, match="wallets_payee_account_check"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE wallets_payee SET account = 'plain' WHERE id = %s", [payee.pk])

    def test_can_change_its_keys(self, shopper, settings):
        payee = add(shopper, account=HIS)
        configure(settings, "ENCRYPTION", keys=["k" * 40, *settings.ENCRYPTION.keys])
        call_command("rotate_keys", verbosity=0)
        configure(settings, "ENCRYPTION", keys=["k" * 40])
        assert Payee.objects.get(pk=payee.pk).bank_account == HIS


class TestTheAdminOfPayees:
    def test_shows_masked_accounts(self, client, shopper):
        payee = add(shopper)
        client.force_login(make_staff())
        for path in ("", f"{payee.pk}/change/", f"?q={shopper.user.username}"):
            shown = client.get(f"/admin/wallets/payee/{path}", follow=True).content.decode()
            assert "GB****************5432" in shown
            assert IBAN not in shown
            assert "Alice Example" not in shown
