"""Coins of a customer who owes become inventory at the bid of the moment, for a part of the debt."""

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, connection

from exchange_site.configuration.persons import KINDS
from exchange_site.stack.processes import PROJECT
from settlement.selectors.results import read_result
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import run_as_owner
from tests.processes import at_once
from tests.staff import make_chief
from tests.wallets.returned import owed, receive, spend, take
from trading.exceptions import NoBid
from trading.models import Coin, CoinPrice, Order
from trading.rounding import proceeds_of
from trading.services.proposing.kinds import REPURCHASE
from trading.services.repurchasing import Repurchase, bid_of, repurchase
from wallets.exceptions import DomainError, NotFound, OwesLess
from wallets.models import Transaction, Wallet, WalletRole
from wallets.services.proposals import approve, propose
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def debtor(shopper, coin, now, place, settle):
    """A customer with 15 coins for 60.00 dollars, who owes 25.00. The coin's bid is 3.90."""
    deposit = receive(shopper, now)
    place("60.00")
    settle()
    spend(shopper, "65.00")
    take(deposit, now)
    set_bid("3.90")
    return shopper


def set_bid(bid, *, age=timedelta(0)):
    now = CoinPrice.objects.get().read_at
    CoinPrice.objects.update(bid=Decimal(bid), details_at=now - age, read_at=now - age, quoted_at=now - age)


def coins_of(debtor, amount, *, bid="3.90"):
    wanted = Repurchase(customer_id=debtor.user.pk, coin_name="ABAN", amount=Decimal(amount), name=f"a{amount}")
    return repurchase(wanted=wanted, bid=Decimal(bid))


def inventory():
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset="ABAN")


class TestRepurchase:
    def test_moves_the_coins_to_inventory_and_pays_the_debt(self, debtor, now):
        held, before = debtor.holding("ABAN"), inventory()
        assert coins_of(debtor, "5") == Decimal("19.50")
        assert (debtor.holding("ABAN"), owed(debtor)) == (held - 5, Decimal("5.50"))
        after = inventory()
        assert (after.balance, after.cost) == (before.balance + 5, (before.cost or 0) + Decimal("19.50"))
        assert debtor.wallet.balance == 0
        assert sum_house_wallet(role=WalletRole.RECEIVABLE) == Decimal("-5.50")
        assert verify_everything() == []

    def test_is_part_of_the_houses_result(self, debtor, now):
        coins_of(debtor, "5")
        today = Transaction.objects.latest("id").created_at.date()
        result = read_result(first=Order.objects.get().created_at.date(), last=today)
        assert result.differences == ()
        assert (result.total.repurchased, result.total.repurchase_cost) == (5, Decimal("19.50"))
        assert result.stock.cost == inventory().cost
        assert result.rows[-1].stock.coins == inventory().balance

    def test_is_never_worth_more_than_the_debt(self, debtor):
        with pytest.raises(OwesLess):
            coins_of(debtor, "7")
        assert (debtor.holding("ABAN"), owed(debtor)) == (15, 25)

    def test_happens_as_often_as_the_debt_allows_when_several_run_at_once(self, debtor):
        def run(number):
            wanted = Repurchase(customer_id=debtor.user.pk, coin_name="ABAN", amount=Decimal(2), name=str(number))
            while True:
                try:
                    repurchase(wanted=wanted, bid=Decimal("3.90"))
                except OwesLess:
                    return False
                except OperationalError:  # waited too long for the coin on a busy machine
                    connection.close()
                else:
                    return True

        assert sum(at_once(8, run)) == 3
        assert (debtor.holding("ABAN"), owed(debtor)) == (9, Decimal("1.60"))
        assert verify_everything() == []

    def test_takes_no_coins_that_the_customer_does_not_hold(self, debtor):
        with pytest.raises(NotFound, match="holds 15 ABAN"):
            coins_of(debtor, "15.1", bid="0.01")
        assert (debtor.holding("ABAN"), owed(debtor)) == (15, 25)

    def test_is_found_if_a_part_of_it_was_changed_by_hand(self, debtor):
        coins_of(debtor, "5")
        run_as_owner("UPDATE wallets_transaction SET amount = amount - 1 WHERE kind = 'repurchase' AND asset = 'USD'")
        assert {violation.rule for violation in verify_everything()} >= {9, 10}

    def test_of_a_process_that_is_killed_in_between_has_no_effect(self, debtor, tmp_path):
        code = (
            "import django; django.setup()\n"
            "from decimal import Decimal\n"
            "from trading.services.repurchasing import Repurchase, repurchase\n"
            f"wanted = Repurchase(customer_id={debtor.user.pk}, coin_name='ABAN', amount=Decimal(5), name='a')\n"
            "repurchase(wanted=wanted, bid=Decimal('3.90'))"
        )
        environment = process_environment(
            FAILPOINTS="repurchase.took_coins=kill",
            FAILPOINTS_DIR=str(tmp_path),
            DJANGO_SETTINGS_MODULE="exchange_site.settings",
        )
        for expected, left in ((-9, 25), (0, Decimal("5.50"))):
            done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=False)
            assert (done.returncode, owed(debtor)) == (expected, left)
            assert verify_everything() == []

    def test_rounds_the_dollars_down_to_the_cent(self):
        assert proceeds_of(amount=Decimal("0.33333333"), bid=Decimal("3.90")) == Decimal("1.29")


class TestTheBid:
    def test_is_that_of_a_new_reading(self, coin, now):
        Coin.objects.update(fixed_price=None)
        set_bid("3.90")
        assert bid_of(coin_name="ABAN", now=CoinPrice.objects.get().read_at) == Decimal("3.90")

    def test_is_not_known_without_a_new_reading(self, coin, now):
        CoinPrice.objects.update(bid=None)
        with pytest.raises(NoBid):
            bid_of(coin_name="ABAN", now=now)
        set_bid("3.90", age=timedelta(days=1))
        with pytest.raises(NoBid):
            bid_of(coin_name="ABAN", now=now)


class TestAProposal:
    @pytest.fixture(autouse=True)
    def _two(self, settings):
        configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))

    @pytest.fixture
    def ask(self, debtor):
        ann = make_chief("ann")

        def run(amount):
            payload = REPURCHASE.payload_of(customer_id=debtor.user.pk, coin_name="ABAN", amount=Decimal(amount))
            return propose(kind=REPURCHASE.name, payload=payload, reason="because", asked_by=ann)

        return run

    @pytest.fixture
    def bob(self, db):
        return make_chief("bob")

    def test_is_carried_out_at_the_bid_of_the_approval(self, debtor, ask, bob):
        asked = ask("5")
        assert owed(debtor) == 25
        set_bid("3.80")
        assert approve(proposal_id=asked.pk, approved_by=bob).outcome == "done"
        assert owed(debtor) == 6
        assert verify_everything() == []

    def test_is_refused_once_the_bid_has_moved_too_far(self, debtor, ask, bob):
        asked = ask("5")
        set_bid("1.00")
        record = approve(proposal_id=asked.pk, approved_by=bob)
        assert (record.outcome, owed(debtor), debtor.holding("ABAN")) == ("refused", 25, 15)

    def test_is_refused_once_the_bid_is_old(self, debtor, ask, bob):
        asked = ask("5")
        set_bid("3.90", age=timedelta(days=1))
        record = approve(proposal_id=asked.pk, approved_by=bob)
        assert (record.outcome, owed(debtor), debtor.holding("ABAN")) == ("refused", 25, 15)

    def test_is_not_asked_for_beyond_the_debt(self, debtor, ask):
        with pytest.raises(DomainError, match=r"owes 25\.00"):
            ask("10")

    def test_is_asked_for_in_the_admin(self, debtor, admin_client, settings):
        configure(settings, "PROPOSALS", kinds={})
        page = "/admin/wallets/receivable/"
        told = {"_selected_action": [debtor.user.pk], "reason": "because"}
        admin_client.post(page, {"action": "repurchase", "coin": "aban", "amount": "5", **told})
        assert owed(debtor) == Decimal("5.50")
        admin_client.post(page, {"action": "write_off", "amount": "5.50", **told})
        assert owed(debtor) == 0
        assert admin_client.get(page).status_code == 200
        assert admin_client.get(f"{page}{debtor.user.pk}/change/").status_code == 200
        assert verify_everything() == []
