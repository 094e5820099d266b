from decimal import Decimal

import pytest
from django.db import OperationalError

from tests.configure import configure
from wallets.exceptions import AccountFrozen, Busy, DepositsClosed, IdempotencyKeyReused, InsufficientFunds
from wallets.models import Transaction, Wallet
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import idempotency_key
from wallets.services.cash import deposit, withdraw

pytestmark = pytest.mark.django_db


def key_for(amount, name="k"):
    return idempotency_key(key=name, request={"amount": Decimal(amount)})


class TestDeposit:
    def test_credits_the_wallet(self, shopper, now):
        moved = deposit(principal=shopper.principal, amount=Decimal("5.50"), key=None, now=now)
        assert (moved.balance, shopper.wallet.balance) == (Decimal("105.50"), Decimal("105.50"))

    def test_repeated_with_its_key_has_one_effect_and_one_answer(self, shopper, now):
        deposit(principal=shopper.principal, amount=Decimal(5), key=key_for(5), now=now)
        deposit(principal=shopper.principal, amount=Decimal(7), key=None, now=now)
        again = deposit(principal=shopper.principal, amount=Decimal("5.00"), key=key_for("5.00"), now=now)
        assert (again.balance, again.replayed) == (Decimal("105.00"), True)
        assert shopper.wallet.balance == Decimal("112.00")

    def test_refuses_the_key_of_a_different_request(self, shopper, now):
        deposit(principal=shopper.principal, amount=Decimal(5), key=key_for(5), now=now)
        with pytest.raises(IdempotencyKeyReused):
            deposit(principal=shopper.principal, amount=Decimal(6), key=key_for(6), now=now)
        assert shopper.wallet.balance == Decimal(105)

    def test_can_be_closed(self, shopper, now, settings):
        configure(settings, "DEPOSITS", self_service=False)
        with pytest.raises(DepositsClosed):
            deposit(principal=shopper.principal, amount=Decimal(5), key=None, now=now)
        assert shopper.wallet.balance == Decimal(100)


class TestWithdraw:
    def test_debits_the_wallet(self, shopper, now):
        withdraw(principal=shopper.principal, amount=Decimal(100), key=None, now=now)
        assert shopper.wallet.balance == 0

    def test_refuses_more_than_the_balance(self, shopper, now):
        before = Transaction.objects.count()
        with pytest.raises(InsufficientFunds):
            withdraw(principal=shopper.principal, amount=Decimal("100.01"), key=key_for("100.01"), now=now)
        assert (shopper.wallet.balance, Transaction.objects.count()) == (Decimal(100), before)

    def test_may_use_the_key_of_a_deposit(self, shopper, now):
        deposit(principal=shopper.principal, amount=Decimal(5), key=key_for(5), now=now)
        assert not withdraw(principal=shopper.principal, amount=Decimal(5), key=key_for(5), now=now).replayed

    def test_is_refused_to_frozen_customers(self, shopper, now):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            withdraw(principal=shopper.principal, amount=Decimal(5), key=None, now=now)


class TestRetriedOnConflict:
    class Deadlock(Exception):
        sqlstate = "40P01"

    def failing(self, times):
        calls = []

        @retried_on_conflict
        def transact():
            calls.append(1)
            if len(calls) <= times:
                raise OperationalError from self.Deadlock()
            return len(calls)

        return transact

    def test_repeats_the_transaction_after_a_conflict(self):
        assert self.failing(2)() == 3

    def test_raises_busy_after_three_conflicts(self):
        with pytest.raises(Busy):
            self.failing(3)()

    def test_does_not_catch_other_errors(self):
        @retried_on_conflict
        def transact():
            raise OperationalError("gone")

        with pytest.raises(OperationalError, match="gone"):
            transact()
