"""Whoever waits for the wallet's lock is judged by what holds once the lock is theirs."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from tests.processes import at_once, count_waits_for_locks, somebody_waits_for_a_lock, wait_for
from tests.staff import give_powers_before_the_rule
from trading.models import Order
from wallets.exceptions import InvalidCredentials, TokenInvalid
from wallets.models import TokenFamily, Transaction, User, Wallet
from wallets.selectors.accounts import ensure_active
from wallets.services.accounts import register, sign_in
from wallets.services.credentials import change_password
from wallets.services.ledger.locking import lock_dollar_wallet
from wallets.services.tokens import read_access_token, rotate_refresh_token, sign_out, start_token_family


def disable(shopper):
    User.objects.filter(pk=shopper.user.pk).update(is_active=False)


def disable_and_enable(shopper):
    disable(shopper)
    User.objects.filter(pk=shopper.user.pk).update(is_active=True)


def set_password(shopper):
    change_password(user=User.objects.get(pk=shopper.user.pk), password="another-one-1")


def save_password(shopper):
    user = User.objects.get(pk=shopper.user.pk)
    user.set_password("another-one-1")
    user.save()


def leave(shopper):
    sign_out(refresh=shopper.tokens.refresh, user_id=shopper.user.pk, now=timezone.now())


def reuse_a_refresh_token(shopper):
    now = timezone.now()
    pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
    rotate_refresh_token(refresh=pair.refresh, now=now)
    with pytest.raises(TokenInvalid):
        rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)


REVOCATIONS = [disable, disable_and_enable, set_password, save_password, leave, reuse_a_refresh_token]


def withdraw(api, shopper):
    return api("PATCH", "accounts/wallet/withdraw/", {"amount": "100.00"}, by=shopper)


def deposit(api, shopper):
    return api("PATCH", "accounts/wallet/deposit/", {"amount": "1.00"}, by=shopper)


def order(api, shopper):
    return api("POST", "orders/", {"crypto": "ABAN", "amount": "1"}, by=shopper)


def cancel(api, shopper):
    return api("POST", f"orders/{Order.objects.get().pk}/cancel/", by=shopper)


ACTS = [order, withdraw, deposit, cancel]


def state():
    """What money-moving requests change."""
    return (
        list(Wallet.objects.order_by("pk").values_list("pk", "balance")),
        list(Order.objects.order_by("pk").values_list("pk", "state")),
        Transaction.objects.count(),
    )


@contextmanager
def lock_on(shopper):
    """Hold the lock of the customer's wallet."""
    with transaction.atomic():
        Wallet.objects.select_for_update().get(owner=shopper.user, asset="USD")
        yield


def elsewhere(call):
    """Run the call over a connection of its own and return its result."""
    return at_once(1, lambda _: call())[0]


@pytest.mark.django_db(transaction=True)
class TestWhoeverWaitsForTheWallet:
    @pytest.fixture
    def waiting(self, api, shopper, coin):
        """Send a request that has to wait for the wallet, do something meanwhile, and return the answer."""

        def wait(act, meanwhile):
            if act is cancel:
                order(api, shopper)
            before = state()
            with ThreadPoolExecutor(1) as pool:
                with lock_on(shopper):
                    answer = pool.submit(elsewhere, lambda: act(api, shopper))
                    wait_for(somebody_waits_for_a_lock)
                    meanwhile()
                    assert not answer.done()
                return answer.result(), before

        return wait

    @pytest.mark.parametrize("act", ACTS)
    @pytest.mark.parametrize("revoke", REVOCATIONS)
    def test_is_refused_after_a_revocation_which_waits_for_nobody(self, waiting, shopper, act, revoke):
        answer, before = waiting(act, lambda: elsewhere(lambda: revoke(shopper)))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
        assert state() == before

    @pytest.mark.parametrize("act", ACTS)
    def test_is_refused_after_a_revocation_by_the_one_who_held_the_lock(self, waiting, shopper, act):
        answer, before = waiting(act, lambda: disable(shopper))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
        assert state() == before

    @pytest.mark.parametrize("act", ACTS)
    def test_is_refused_after_a_freeze(self, waiting, shopper, act):
        answer, before = waiting(act, lambda: Wallet.objects.filter(owner=shopper.user).update(frozen=True))
        assert (answer.status_code, answer.json()["code"]) == (403, "account_frozen")
        assert state() == before

    @pytest.mark.parametrize("act", ACTS)
    def test_is_served_if_nothing_was_revoked(self, waiting, shopper, act):
        def end_another_sign_in():
            start_token_family(user=shopper.user, now=timezone.now())
            TokenFamily.objects.exclude(pk=shopper.family_id).update(ended_at=timezone.now())

        answer, before = waiting(act, end_another_sign_in)
        assert answer.status_code in {200, 201}
        assert state() != before

    def test_is_refused_by_the_state_of_the_wallet_that_it_then_finds(self, waiting, shopper):
        spent = {"balance": Decimal("1.00")}
        answer, _ = waiting(withdraw, lambda: Wallet.objects.filter(owner=shopper.user).update(**spent))
        assert answer.json()["code"] == "insufficient_funds"

    def test_is_refused_by_an_api_process(self, make_api_process, make_shopper):
        shopper = make_shopper()
        client = httpx.Client(base_url=make_api_process(), headers=shopper.headers)
        with client, ThreadPoolExecutor(1) as pool:
            with lock_on(shopper):
                answer = pool.submit(client.patch, "accounts/wallet/withdraw/", json={"amount": "100.00"})
                wait_for(somebody_waits_for_a_lock)
                elsewhere(lambda: disable(shopper))
            refused = answer.result()
        assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")
        assert shopper.wallet.balance == Decimal("100.00")

    def test_is_waited_for_by_a_revocation_once_the_wallet_is_theirs(self, shopper):
        """What commits after a revocation was not allowed before it."""
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                lock_dollar_wallet(principal=read_access_token(shopper.tokens.access))
                revocations = pool.submit(at_once, 2, lambda number: [disable, leave][number](shopper))
                wait_for(lambda: count_waits_for_locks() == 2)
            revocations.result()
        assert not User.objects.get(pk=shopper.user.pk).is_active


@pytest.mark.django_db
class TestARevokedToken:
    @pytest.mark.parametrize("revoke", REVOCATIONS)
    def test_moves_no_money_and_reads_nothing(self, api, shopper, coin, revoke):
        order(api, shopper)
        revoke(shopper)
        before = state()
        answers = [act(api, shopper) for act in ACTS]
        answers += [
            api("GET", path, by=shopper)
            for path in (
                "accounts/wallet/",
                "accounts/holdings/",
                "transactions/",
                "orders/",
                f"orders/{before[1][0][0]}/",
            )
        ]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "token_invalid")}
        assert state() == before

    @pytest.mark.parametrize("revoke", REVOCATIONS)
    def test_is_not_answered_with_its_earlier_order_either(self, api, shopper, coin, revoke):
        body = {"crypto": "ABAN", "amount": "1"}
        assert api("POST", "orders/", body, by=shopper, Idempotency_Key="once").status_code == 201
        revoke(shopper)
        assert api("POST", "orders/", body, by=shopper, Idempotency_Key="once").status_code == 401

    @pytest.mark.parametrize("revoke", REVOCATIONS)
    def test_is_refused_as_a_refresh_token_too(self, shopper, now, revoke):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        shopper.tokens = pair
        revoke(shopper)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=pair.refresh, now=now)

    @pytest.mark.parametrize("revoke", REVOCATIONS)
    def test_is_refused_without_a_wallet(self, shopper, revoke):
        principal = read_access_token(shopper.tokens.access)
        ensure_active(principal=principal)
        revoke(shopper)
        with pytest.raises(TokenInvalid):
            ensure_active(principal=principal)

    def test_of_one_sign_in_leaves_the_others_alone(self, api, shopper, now):
        other = start_token_family(user=shopper.user, now=now)
        leave(shopper)
        shopper.headers = {"Authorization": f"Bearer {other.access}"}
        assert withdraw(api, shopper).status_code == 200

    def test_of_a_family_that_is_not_there_is_refused(self, api, shopper):
        TokenFamily.objects.all().delete()
        assert withdraw(api, shopper).status_code == 401
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401


@pytest.mark.django_db
class TestTheVersionOfTokens:
    def version(self, shopper):
        return User.objects.get(pk=shopper.user.pk).token_version

    @pytest.mark.parametrize("revoke", [disable, set_password, save_password])
    def test_is_counted_once_for_each_revocation(self, shopper, revoke):
        revoke(shopper)
        assert self.version(shopper) == 1

    @pytest.mark.django_db(transaction=True)  # powers are given by another connection
    def test_is_counted_by_the_command_that_changes_passwords(self, shopper, monkeypatch):
        monkeypatch.setattr("getpass.getpass", lambda **_: "another-one-1")
        give_powers_before_the_rule(shopper.user)
        call_command("changepassword", shopper.user.username, verbosity=0)
        assert self.version(shopper) == 1

    def test_is_counted_for_sql_too(self, shopper):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE wallets_user SET password = '!' WHERE id = %s", [shopper.user.pk])
        assert self.version(shopper) == 1

    def test_never_goes_back_when_an_old_copy_of_the_user_is_saved(self, shopper):
        old = User.objects.get(pk=shopper.user.pk)
        set_password(shopper)
        old.password = User.objects.get(pk=shopper.user.pk).password
        old.email = "alice@example.com"
        old.save()
        assert self.version(shopper) == 1

    def test_stays_when_something_else_is_saved(self, shopper):
        user = User.objects.get(pk=shopper.user.pk)
        user.first_name = "Alice"
        user.save()
        assert self.version(shopper) == 0

    def test_stays_when_the_same_password_is_hashed_anew(self, now):
        pair = register(username="alice", password="password123", email="", now=now)
        weak = PBKDF2PasswordHasher().encode("password123", "salt", iterations=1)
        User.objects.update(password=weak, password_renewals=1)
        assert sign_in(username="alice", password="password123", now=now)
        assert User.objects.get().password != weak
        ensure_active(principal=read_access_token(pair.access))

    def test_a_hash_is_not_renewed_over_a_password_that_has_changed_meanwhile(self, now):
        register(username="alice", password="password123", email="", now=now)
        weak = PBKDF2PasswordHasher().encode("password123", "salt", iterations=1)
        User.objects.update(password=weak)
        signing_in = User.objects.get()
        change_password(user=User.objects.get(), password="another-one-1")
        assert signing_in.check_password("password123")
        with pytest.raises(InvalidCredentials):
            sign_in(username="alice", password="password123", now=now)
        assert sign_in(username="alice", password="another-one-1", now=now)
