"""Fixtures: staff, and customers whose bank has paid a deposit in or taken it back."""

import pytest

from tests.wallets.returned import receive, spend, take
from wallets.models import User


@pytest.fixture
def staff(db):
    return [User.objects.create_user(f"staff{number}", is_staff=True) for number in range(2)]


@pytest.fixture
def bank_deposit(shopper, now):
    """A deposit of 25.00 dollars; its customer holds 125.00."""
    return receive(shopper, now)


@pytest.fixture
def debtor(shopper, bank_deposit, now):
    """A customer who held 10.00 when the bank took 25.00 back, and owes 15.00."""
    spend(shopper, "115.00")
    take(bank_deposit, now)
    return shopper
