"""Payouts: asked for, approved or rejected, cancelled, and their holds."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.test import Client

from exchange_site.admin.roles import make_roles_after_migrate
from exchange_site.configuration.persons import KINDS
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.configure import configure
from tests.owner import by_owner
from tests.processes import at_once
from tests.wallets.payees import HIS, add, ask, decide, make_staff, state_of
from tests.wallets.test_second_factors import Device
from wallets.exceptions import (
    AccountFrozen,
    CredentialHold,
    FundsOnHold,
    IdempotencyKeyReused,
    InsufficientFunds,
    NoPayee,
    NotFound,
    PayeeOnHold,
    PayoutNotCancellable,
    PayoutRefused,
    ProposalRefused,
)
from wallets.models import Deposit, Payee, Payout, Proposal, Transaction, User, Wallet, WalletRole
from wallets.runtime import clock
from wallets.runtime.idempotency import idempotency_key
from wallets.services.cash import withdraw
from wallets.services.credentials import change_own_password
from wallets.services.emails import verify_email
from wallets.services.ledger.locking import lock_dollar_wallet
from wallets.services.mailed_tokens import Purpose, make_mailed_token
from wallets.services.payouts.ending import cancel_open_payouts, cancel_payout
from wallets.services.second_factors import end_second_factor
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture
def ann(db):
    return make_staff()


@pytest.fixture
def payee(shopper):
    return add(shopper)


def payable():
    return sum_house_wallet(role=WalletRole.PAYABLE)


def key_for(amount, name="k", payee=None):
    return idempotency_key(key=name, request={"amount": Decimal(amount), "payee": payee})


def deposit_from_bank(shopper, amount):
    """Add a deposit of a bank beside what the wallet holds already."""
    Deposit.objects.create(
        customer=shopper.user, amount=amount, source="bank", reference=f"b{amount}", state="credited",
        received_at=clock.now(), created_at=clock.now(),
    )  # fmt: skip


def nothing_has_happened(shopper, balance=100):
    return shopper.wallet.balance == balance and not Payout.objects.exists() and payable() == 0


def change_password(user):
    change_own_password(user=user, password="battery staple")


def change_email(user):
    given = {"user": user, "email": "new@example.com", "now": clock.now(), "lifetime": HOUR}
    verify_email(token=make_mailed_token(purpose=Purpose.VERIFY_EMAIL, **given), now=clock.now())


def turn_second_factor_on(user):
    Device(user, clock.now())


def turn_second_factor_off(user):
    device = Device(user, clock.now() - timedelta(seconds=1))
    User.objects.filter(pk=user.pk).update(credentials_changed_at=None)
    end_second_factor(user=user, code=device.recovery_codes[0], now=clock.now())


class TestAPayout:
    def test_moves_the_money_to_payable_at_once(self, shopper, payee):
        payout = ask(shopper, "30.00")
        assert (payout.state, payout.payee, shopper.wallet.balance, payable()) == ("requested", payee, 70, 30)
        movement = Transaction.objects.get(reference=f"payout:{payout.pk}")
        assert (movement.kind, movement.amount, movement.balance_after) == ("withdrawal", 30, 70)
        assert verify_everything() == []

    def test_goes_to_the_payee_that_is_named(self, shopper, payee):
        other = add(shopper, account=HIS)
        assert ask(shopper, payee=other).payee == other

    def test_needs_a_payee_of_the_customer(self, shopper, make_shopper):
        with pytest.raises(NoPayee):
            ask(shopper)
        for stranger in (add(make_shopper()), Payee(pk=2**62)):
            with pytest.raises(NotFound):
                ask(shopper, payee=stranger)
        assert nothing_has_happened(shopper)

    def test_needs_the_money(self, shopper, payee):
        with pytest.raises(InsufficientFunds):
            ask(shopper, "100.01")
        assert nothing_has_happened(shopper)

    def test_is_refused_to_frozen_customers(self, shopper, payee):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            ask(shopper)
        assert nothing_has_happened(shopper)

    def test_repeated_with_its_key_is_one(self, shopper, payee):
        first = ask(shopper, "30", key=key_for(30))
        assert ask(shopper, "30.00", key=key_for("30.00")) == first
        with pytest.raises(IdempotencyKeyReused):
            ask(shopper, "31", key=key_for(31))
        assert (shopper.wallet.balance, Payout.objects.count()) == (70, 1)

    def test_asked_for_fifty_times_at_once_under_one_key_is_one(self, shopper, payee):
        asked = at_once(50, lambda _: ask(shopper, "30", key=key_for(30)).pk)
        assert (len(set(asked)), shopper.wallet.balance, payable()) == (1, 70, 30)
        assert verify_everything() == []

    def test_never_takes_more_than_there_is_however_many_are_asked_for_at_once(self, shopper, payee):
        def try_to_ask(_):
            try:
                return ask(shopper, "30")
            except InsufficientFunds:
                return None

        assert sum(payout is not None for payout in at_once(50, try_to_ask)) == 3
        assert (shopper.wallet.balance, payable()) == (10, 90)
        assert verify_everything() == []

    def test_does_not_change_what_it_is_about(self, shopper, payee):
        payout = ask(shopper)
        for changes in ({"amount": 1}, {"customer_id": make_staff().pk}, {"end_to_end_id": "x"}):
            with by_owner(), pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
                Payout.objects.filter(pk=payout.pk).update(**changes)
        with by_owner(), pytest.raises(DatabaseError, match="never removed"), transaction.atomic():
            Payout.objects.filter(pk=payout.pk).delete()
        for changes in ({"amount": 1}, {"customer_id": 1}):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                Payout.objects.filter(pk=payout.pk).update(**changes)

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"state": "sent"}, "requested does not become sent"),
            ({"state": "returned"}, "requested does not become returned"),
            ({"state": "approved"}, "an_approved_payout_has_the_time"),
            ({"sent_at": "2026-01-31T12:00:00Z"}, "a_sent_payout_has_the_time"),
            ({"rejected_at": "2026-01-31T12:00:00Z"}, "a_rejected_payout_has_the_time"),
            ({"cancelled_at": "2026-01-31T12:00:00Z"}, "a_cancelled_payout_has_the_time"),
            ({"paid_at": "2026-01-31T12:00:00Z"}, "a_paid_payout_has_the_time"),
            ({"failed_at": "2026-01-31T12:00:00Z"}, "a_failed_payout_has_the_time"),
            ({"returned_at": "2026-01-31T12:00:00Z"}, "a_returned_payout_has_the_time"),
            ({"state": "gone"}, "does not become gone|payout_state_is_known"),
        ],
    )
    def test_takes_no_state_out_of_turn(self, shopper, payee, changes, rule):
        payout = ask(shopper)
        with pytest.raises(DatabaseError, match=rule), transaction.atomic():
            Payout.objects.filter(pk=payout.pk).update(**changes)

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"amount": 0}, "payout_amount_is_positive"),
            ({"payee": None}, "a_payout_without_a_payee_was_paid"),
            ({"idempotency_key": "k"}, "payout_key_has_its_request_hash"),
        ],
    )
    def test_that_cannot_be_is_refused_by_the_database(self, shopper, payee, changes, rule):
        fields = {
            "customer": shopper.user,
            "payee": payee,
            "amount": 1,
            "state": "requested",
            "created_at": clock.now(),
        }
        with pytest.raises(DatabaseError, match=rule), transaction.atomic():
            Payout(**{**fields, **changes}).save()


class TestHolds:
    def test_keep_deposits_of_a_bank_from_leaving(self, shopper, payee, settings):
        configure(settings, "PAYOUTS", deposit_hold=72 * HOUR)
        deposit_from_bank(shopper, Decimal("60.00"))
        with pytest.raises(FundsOnHold) as refused:
            ask(shopper, "40.01")
        assert (refused.value.available, nothing_has_happened(shopper)) == (40, True)
        ask(shopper, "40.00")
        with by_owner():
            Deposit.objects.filter(source="bank").update(created_at=clock.now() - 73 * HOUR)
        ask(shopper, "60.00")

    def test_are_of_the_balance_at_most(self, api, shopper, settings):
        configure(settings, "PAYOUTS", deposit_hold=72 * HOUR)
        deposit_from_bank(shopper, Decimal("150.00"))
        wallet = api("GET", "accounts/wallet/", by=shopper).json()
        assert (wallet["balance"], wallet["available"], wallet["on_hold"]) == ("100.00", "0.00", "100.00")

    def test_do_not_keep_money_from_buying(self, api, shopper, coin, settings):
        configure(settings, "PAYOUTS", deposit_hold=72 * HOUR)
        deposit_from_bank(shopper, Decimal("150.00"))
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 201

    def test_keep_a_new_payee_from_being_used(self, shopper, settings):
        configure(settings, "PAYOUTS", payee_hold=24 * HOUR)
        payee = add(shopper)
        with pytest.raises(PayeeOnHold):
            ask(shopper)
        with by_owner():
            Payee.objects.update(created_at=clock.now() - 25 * HOUR, usable_at=clock.now() - HOUR)
        assert nothing_has_happened(shopper)
        assert ask(shopper).payee == payee

    def test_choose_the_payee_that_can_be_used(self, shopper, payee, settings):
        configure(settings, "PAYOUTS", payee_hold=24 * HOUR)
        newer = add(shopper, account=HIS)
        assert ask(shopper).payee == payee
        with pytest.raises(PayeeOnHold):
            ask(shopper, payee=newer)

    def test_keep_everything_for_a_while_after_a_change_of_credentials(self, shopper, payee, settings):
        configure(settings, "PAYOUTS", credential_hold=24 * HOUR)
        with pytest.raises(CredentialHold):
            ask(shopper)
        assert nothing_has_happened(shopper)

    @pytest.mark.parametrize("change", [change_password, change_email, turn_second_factor_on, turn_second_factor_off])
    def test_begin_with_every_change_of_credentials(self, shopper, settings, change):
        began = clock.database_now()
        change(shopper.user)
        changed = User.objects.get(pk=shopper.user.pk).credentials_changed_at
        assert began - timedelta(seconds=5) <= changed <= clock.database_now() + timedelta(seconds=5)

    def test_are_not_shortened_by_saving_the_user(self, shopper, payee):
        changed = User.objects.get(pk=shopper.user.pk).credentials_changed_at
        shopper.user.save()  # read before the change
        User.objects.filter(pk=shopper.user.pk).update(credentials_changed_at=changed - HOUR)
        assert User.objects.get(pk=shopper.user.pk).credentials_changed_at == changed

    def test_are_looked_at_again_when_staff_approve(self, shopper, payee, ann, settings):
        payout = ask(shopper)
        configure(settings, "PAYOUTS", credential_hold=24 * HOUR)
        with pytest.raises(CredentialHold):
            decide(payout, "approved", by=ann)
        configure(settings, "PAYOUTS", credential_hold=timedelta(0))
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            decide(payout, "approved", by=ann)
        Wallet.objects.filter(owner=shopper.user).update(frozen=False)
        User.objects.filter(pk=shopper.user.pk).update(is_active=False)
        with pytest.raises(PayoutRefused, match="disabled"):
            decide(payout, "approved", by=ann)
        assert (state_of(payout), Proposal.objects.exists()) == ("requested", False)


class TestSmallPayouts:
    @pytest.fixture(autouse=True)
    def _limits(self, settings):
        configure(settings, "PAYOUTS", auto_customer_day=Decimal(50), auto_day=Decimal(80))

    def test_to_an_old_payee_need_no_staff(self, shopper, payee):
        payout = ask(shopper, "30")
        assert (payout.state, payout.is_automatic, payout.approved_at) == ("approved", True, payout.created_at)

    def test_need_staff_beyond_the_limit_of_the_customer_and_day(self, shopper, payee):
        states = [ask(shopper, amount).state for amount in ("30", "20.01", "20", "0.01")]
        assert states == ["approved", "requested", "approved", "requested"]

    def test_of_yesterday_do_not_count(self, shopper, payee):
        first = ask(shopper, "50")
        with by_owner():
            Payout.objects.filter(pk=first.pk).update(approved_at=clock.now() - 24 * HOUR)
        assert ask(shopper, "50").state == "approved"

    def test_that_were_cancelled_do_not_count(self, shopper, payee):
        cancel_payout(principal=shopper.principal, payout_id=ask(shopper, "50").pk)
        assert ask(shopper, "50").state == "approved"

    def test_keep_to_the_ceiling_of_all_customers_however_many_ask_at_once(self, make_shopper):
        shoppers = [make_shopper() for _ in range(10)]
        for shopper in shoppers:
            add(shopper)
        at_once(10, lambda number: ask(shoppers[number], "30"))
        assert Payout.objects.filter(state="approved").count() == 2

    def test_to_a_new_payee_need_staff(self, shopper, payee, settings):
        configure(settings, "PAYOUTS", auto_payee_age=HOUR)
        assert ask(shopper, "1").state == "requested"

    @pytest.mark.parametrize("limit", ["auto_customer_day", "auto_day"])
    def test_need_staff_without_a_limit(self, shopper, payee, settings, limit):
        configure(settings, "PAYOUTS", **{limit: Decimal(0)})
        assert ask(shopper, "0.01").state == "requested"


class TestACancelledPayout:
    @pytest.mark.parametrize("approved", [False, True])
    def test_gives_the_money_back(self, shopper, payee, ann, approved):
        payout = ask(shopper, "30")
        if approved:
            decide(payout, "approved", by=ann)
        cancelled = cancel_payout(principal=shopper.principal, payout_id=payout.pk)
        assert (cancelled.state, shopper.wallet.balance, payable()) == ("cancelled", 100, 0)
        assert Transaction.objects.get(reference=f"payout:{payout.pk}:back").kind == "return"
        assert verify_everything() == []

    def test_is_cancelled_once_by_fifty_calls(self, shopper, payee):
        payout = ask(shopper, "30")
        at_once(50, lambda _: cancel_payout(principal=shopper.principal, payout_id=payout.pk))
        assert (shopper.wallet.balance, payable()) == (100, 0)
        assert verify_everything() == []

    def test_is_not_one_that_was_rejected(self, shopper, payee, ann):
        payout = ask(shopper, "30")
        decide(payout, "rejected", by=ann)
        with pytest.raises(PayoutNotCancellable, match="rejected"):
            cancel_payout(principal=shopper.principal, payout_id=payout.pk)
        assert shopper.wallet.balance == 100

    def test_is_not_somebody_elses(self, shopper, payee, make_shopper):
        payout = ask(shopper)
        with pytest.raises(NotFound):
            cancel_payout(principal=make_shopper().principal, payout_id=payout.pk)
        assert state_of(payout) == "requested"

    def test_is_one_of_all_when_a_deposit_is_taken_back(self, shopper, payee, ann):
        payouts = [ask(shopper, amount) for amount in ("30", "20")]
        decide(payouts[0], "approved", by=ann)
        with transaction.atomic():
            wallet = lock_dollar_wallet(principal=shopper.principal)
            assert (cancel_open_payouts(wallet=wallet), wallet.balance) == (50, 100)
        assert {state_of(payout) for payout in payouts} == {"cancelled"}
        assert verify_everything() == []


class TestStaff:
    def test_approve_once(self, shopper, payee, ann):
        payout = ask(shopper)
        decide(payout, "approved", by=ann)
        assert (state_of(payout), payable()) == ("approved", 30)
        with pytest.raises(ProposalRefused, match="does not wait"):
            decide(payout, "approved", by=ann)

    def test_reject_with_a_reason_and_the_money_is_back(self, shopper, payee, ann):
        payout = ask(shopper)
        decide(payout, "rejected", by=ann, told="the name is another one")
        payout.refresh_from_db()
        assert (payout.state, payout.reason, shopper.wallet.balance) == ("rejected", "the name is another one", 100)
        assert Proposal.objects.get().beneficiary == shopper.user
        assert verify_everything() == []

    def test_do_not_approve_what_changed_meanwhile(self, shopper, payee, ann, settings):
        payout = ask(shopper)
        stale = Payout.objects.get(pk=payout.pk)
        cancel_payout(principal=shopper.principal, payout_id=payout.pk)
        with pytest.raises(ProposalRefused):
            decide(stale, "approved", by=ann)
        assert shopper.wallet.balance == 100

    def test_are_told_of_payouts_that_wait_too_long(self, shopper, payee, ann, settings):
        payout, limits = ask(shopper), settings.TO_DO

        def kinds(after):
            return [
                each.kind for each in list_to_do(now=clock.now() + after) if each.kind.value.startswith("payout")
            ]  # fmt: skip

        assert kinds(timedelta(0)) == []
        assert kinds(limits.payout_request_limit + HOUR) == [ConcernKind.PAYOUT_REQUEST]
        decide(payout, "approved", by=ann)
        assert kinds(limits.payout_request_limit + HOUR) == []
        assert kinds(limits.payout_export_limit + HOUR) == [ConcernKind.PAYOUT_EXPORT]


class TestTheAdminOfPayouts:
    @pytest.fixture
    def clients(self, settings):
        configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))
        make_roles_after_migrate(using="default")
        clients = {}
        for role in ("finance", "manager", "support"):
            user = User.objects.create_user(role, is_staff=True)
            user.groups.add(Group.objects.get(name=role))
            clients[role] = Client()
            clients[role].force_login(user)
        return clients

    def act(self, client, model, action, pk):
        fields = {"action": action, "_selected_action": [pk], "reason": "because"}
        return client.post(f"/admin/wallets/{model}/", fields, follow=True)

    def test_lets_finance_ask_and_a_manager_approve(self, shopper, payee, clients):
        payout = ask(shopper)
        shown = self.act(clients["finance"], "payout", "approve", payout.pk).content.decode()
        assert "another member of staff has to approve" in shown
        proposal = Proposal.objects.get()
        assert self.act(clients["finance"], "proposal", "approve", proposal.pk).status_code == 200
        assert state_of(payout) == "requested"
        self.act(clients["manager"], "proposal", "approve", proposal.pk)
        assert state_of(payout) == "approved"

    def test_is_closed_to_others(self, shopper, payee, clients):
        payout = ask(shopper)
        for action in ("approve", "reject", "mark_paid", "mark_failed", "mark_returned"):
            assert self.act(clients["support"], "payout", action, payout.pk).status_code == 403
            self.act(clients["manager"], "payout", action, payout.pk)
        assert (state_of(payout), Proposal.objects.exists(), shopper.wallet.balance) == ("requested", False, 70)

    def test_shows_what_fits_and_no_account_in_full(self, shopper, payee, clients):
        payout = ask(shopper)
        for path in ("", f"{payout.pk}/change/", f"?q={payout.end_to_end_id}", f"?payee__id__exact={payee.pk}"):
            shown = clients["finance"].get(f"/admin/wallets/payout/{path}", follow=True).content.decode()
            assert "GB****************5432" in shown
            assert payee.account not in shown
        page = clients["finance"].get(f"/admin/wallets/payout/{payout.pk}/change/").content.decode()
        assert "Approve" in page
        assert "Mark as paid" not in page


class TestWithdraw:
    def test_is_a_payout_that_is_paid_at_once_in_a_sandbox(self, shopper):
        withdraw(principal=shopper.principal, amount=Decimal(30), key=key_for(30))
        payout = Payout.objects.get()
        assert (payout.state, payout.payee, shopper.wallet.balance, payable()) == ("paid", None, 70, 0)
        assert withdraw(principal=shopper.principal, amount=Decimal(30), key=key_for(30)).replayed
        assert Payout.objects.count() == 1
        assert verify_everything() == []

    def test_goes_to_the_default_payee_elsewhere(self, shopper, payee, settings):
        configure(settings, "PAYOUTS", self_service=False)
        moved = withdraw(principal=shopper.principal, amount=Decimal(30), key=key_for(30))
        assert (moved.balance, Payout.objects.get().state, Payout.objects.get().payee) == (70, "requested", payee)
        assert withdraw(principal=shopper.principal, amount=Decimal(30), key=key_for(30)).replayed
        assert (shopper.wallet.balance, Payout.objects.count()) == (70, 1)

    def test_needs_a_payee_elsewhere(self, api, shopper, settings):
        configure(settings, "PAYOUTS", self_service=False)
        answer = api("PATCH", "accounts/wallet/withdraw/", {"amount": "5"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (422, "no_payee")
        assert nothing_has_happened(shopper)

    def test_needs_a_code_where_the_second_factor_is_on(self, api, shopper):
        device = Device(shopper.user, clock.now() - timedelta(minutes=5))
        answer = api("PATCH", "accounts/wallet/withdraw/", {"amount": "5"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (401, "otp_required")
        assert nothing_has_happened(shopper)
        body, key = {"amount": "5", "otp": device.code()}, {"Idempotency_Key": "k"}
        assert api("PATCH", "accounts/wallet/withdraw/", body, by=shopper, **key).json()["balance"] == "95.00"
        again = api("PATCH", "accounts/wallet/withdraw/", body, by=shopper, **key)  # its code is used
        assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")


class TestPayoutsOverHttp:
    def test_are_asked_for_listed_and_cancelled(self, api, shopper, payee):
        body = {"amount": "30", "payee": payee.pk}
        asked = api("POST", "accounts/payouts/", body, by=shopper, Idempotency_Key="k")
        assert asked.status_code == 201
        assert asked.json().items() >= {
            "amount": "30.00", "payee": payee.pk, "state": "requested", "bank_reference": None, "approved_at": None,
        }.items()  # fmt: skip
        again = api("POST", "accounts/payouts/", body, by=shopper, Idempotency_Key="k")
        assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, asked.json(), "true")
        pk = asked.json()["id"]
        assert api("GET", f"accounts/payouts/{pk}/", by=shopper).json() == asked.json()
        assert api("GET", "accounts/payouts/", by=shopper).json() == [asked.json()]
        wallet = api("GET", "accounts/wallet/", by=shopper).json()
        assert (wallet["balance"], wallet["available"], wallet["in_payouts"]) == ("70.00", "70.00", "30.00")
        cancelled = api("POST", f"accounts/payouts/{pk}/cancel/", by=shopper)
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        assert api("POST", f"accounts/payouts/{pk}/cancel/", by=shopper).status_code == 200
        assert shopper.wallet.balance == 100

    def test_are_in_the_statement_with_their_direction(self, api, shopper, payee):
        cancel_payout(principal=shopper.principal, payout_id=ask(shopper, "30").pk)
        listed = api("GET", "transactions/?limit=2", by=shopper).json()
        assert [(each["type"], each["kind"], each["amount"]) for each in listed] == [
            ("deposit", "return", "30.00"),
            ("withdrawal", "withdrawal", "30.00"),
        ]
        kinds = [each["kind"] for each in api("GET", "transactions/?type=deposit", by=shopper).json()]
        assert kinds == ["return", "deposit"]
        assert len(api("GET", "transactions/?type=withdrawal", by=shopper).json()) == 1

    def test_of_others_are_not_found(self, api, shopper, payee, make_shopper):
        payout, other = ask(shopper), make_shopper()
        assert api("GET", f"accounts/payouts/{payout.pk}/", by=other).status_code == 404
        assert api("POST", f"accounts/payouts/{payout.pk}/cancel/", by=other).status_code == 404
        assert api("GET", "accounts/payouts/", by=other).json() == []
        assert state_of(payout) == "requested"

    def test_are_refused_with_their_codes(self, api, shopper, payee, settings):
        def refusal(body):
            answer = api("POST", "accounts/payouts/", body, by=shopper)
            return answer.status_code, answer.json()["code"]

        assert refusal({"amount": "100.01"}) == (400, "insufficient_funds")
        assert refusal({"amount": "1", "payee": 2**62}) == (404, "not_found")
        for amount in ("0", "-1", "0.001", "NaN", "1e30"):
            assert refusal({"amount": amount}) == (422, "validation_error")
        configure(settings, "PAYOUTS", credential_hold=HOUR)
        assert refusal({"amount": "1"}) == (403, "credential_hold")
        configure(settings, "PAYOUTS", credential_hold=timedelta(0), deposit_hold=HOUR)
        deposit_from_bank(shopper, Decimal("100.00"))
        assert refusal({"amount": "1"}) == (403, "funds_on_hold")
        with by_owner():
            Payee.objects.update(usable_at=clock.now() + HOUR)
        assert refusal({"amount": "1"}) == (403, "payee_on_hold")
        Payee.objects.update(removed_at=clock.now())
        assert refusal({"amount": "1"}) == (422, "no_payee")
        assert nothing_has_happened(shopper)


def test_a_wallet_shows_what_open_orders_were_charged(api, shopper, coin):
    api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
    api("POST", "orders/", {"crypto": "ABAN", "amount": "0.5"}, by=shopper)
    wallet = api("GET", "accounts/wallet/", by=shopper).json()
    assert (wallet["balance"], wallet["in_orders"]) == ("86.00", "14.00")
