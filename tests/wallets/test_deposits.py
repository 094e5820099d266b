"""Deposits: received once, with one movement each, and listed to their customers."""

import uuid
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from settlement.verification import verify_everything
from tests.owner import run_as_owner
from tests.processes import at_once
from wallets.exceptions import AccountFrozen, DepositDiffers
from wallets.models import Deposit, Transaction, Wallet
from wallets.payment_references import find_payment_references, is_checked, payment_reference, subjects_of
from wallets.runtime.idempotency import idempotency_key
from wallets.services.cash import book_opening_deposit, deposit
from wallets.services.deposits import IncomingMoney, receive_deposit
from wallets.services.ledger.locking import lock_dollar_wallet

pytestmark = pytest.mark.django_db(transaction=True)

IBAN = "GB82WEST12345698765432"


def receive(shopper, now, *, reference="line 1", amount="5.00"):
    money = IncomingMoney(amount=Decimal(amount), source=IBAN, reference=reference, received_at=now)
    with transaction.atomic():
        return receive_deposit(money=money, wallet=lock_dollar_wallet(principal=shopper.principal), now=now)


class TestReceiveDeposit:
    def test_credits_the_wallet_with_a_movement_that_names_the_deposit(self, shopper, now):
        received = receive(shopper, now)
        movement = Transaction.objects.get(reference=f"deposit:{received.deposit_id}")
        assert (movement.kind, movement.amount, movement.balance_after) == ("deposit", 5, 105)
        assert shopper.wallet.balance == 105
        assert verify_everything() == []

    def test_credits_the_same_money_once(self, shopper, now):
        first = receive(shopper, now)
        again = receive(shopper, now)
        assert (first.is_new, again.is_new, again.deposit_id) == (True, False, first.deposit_id)
        assert shopper.wallet.balance == 105

    def test_tells_accounts_apart_that_use_the_same_reference(self, shopper, now):
        receive(shopper, now)
        money = IncomingMoney(amount=Decimal(5), source="other account", reference="line 1", received_at=now)
        with transaction.atomic():
            receive_deposit(money=money, wallet=lock_dollar_wallet(principal=shopper.principal), now=now)
        assert shopper.wallet.balance == 110

    def test_refuses_another_amount_under_the_same_reference(self, shopper, now):
        receive(shopper, now)
        with pytest.raises(DepositDiffers, match=r"5\.00 USD, and now with 6\.00 USD"):
            receive(shopper, now, amount="6.00")
        assert shopper.wallet.balance == 105
        assert Deposit.objects.filter(source=IBAN).count() == 1

    def test_leaves_no_deposit_without_a_movement(self, shopper, now):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            receive(shopper, now)
            raise ZeroDivisionError
        assert not Deposit.objects.filter(source=IBAN).exists()
        assert shopper.wallet.balance == 100

    def test_credits_once_when_several_tell_it_at_once(self, shopper, now):
        received = at_once(50, lambda _: receive(shopper, now))
        assert sorted(each.is_new for each in received) == [False] * 49 + [True]
        assert shopper.wallet.balance == 105
        assert verify_everything() == []

    def test_credits_once_when_two_name_different_customers(self, make_shopper, now):
        shoppers = [make_shopper() for _ in range(4)]
        received = at_once(4, lambda number: receive(shoppers[number], now))
        assert sum(each.is_new for each in received) == 1
        assert sum(shopper.wallet.balance for shopper in shoppers) == 405
        assert verify_everything() == []


class TestDepositsByThemselves:
    def test_are_deposits_too(self, shopper, now):
        deposit(principal=shopper.principal, amount=Decimal("5.50"), key=None, now=now)
        row = Deposit.objects.get(source="sandbox")
        assert (row.customer_id, row.amount, row.state) == (shopper.user.pk, Decimal("5.50"), "credited")
        assert verify_everything() == []

    def test_are_one_deposit_under_one_key(self, shopper, now):
        key = idempotency_key(key="k", request={"amount": Decimal(5)})
        for _ in range(2):
            deposit(principal=shopper.principal, amount=Decimal(5), key=key, now=now)
        assert Deposit.objects.filter(source="sandbox").count() == 1

    def test_leave_no_row_when_the_customer_is_frozen(self, shopper, now):
        Wallet.objects.filter(owner=shopper.user).update(frozen=True)
        with pytest.raises(AccountFrozen):
            deposit(principal=shopper.principal, amount=Decimal(5), key=None, now=now)
        assert not Deposit.objects.filter(source="sandbox").exists()

    def test_of_seeded_customers_are_booked_once(self, make_shopper, now):
        shopper = make_shopper("")
        for _ in range(2):
            book_opening_deposit(owner_id=shopper.user.pk, amount=Decimal(7), now=now)
        assert shopper.wallet.balance == 7


class TestTheDatabase:
    @pytest.mark.parametrize(
        ("fields", "rule"),
        [
            ({"amount": 0}, "deposit_amount_is_positive"),
            ({"source": ""}, "a_deposit_names_its_source"),
            ({"state": "lost", "customer_id": None}, "deposit_state_is_known"),
            ({"state": "unassigned"}, "a_credited_deposit_has_its_customer"),
            ({"customer_id": None}, "a_credited_deposit_has_its_customer"),
            ({"customer_id": None, "state": "sent_back"}, "staff_send_deposits_back"),
        ],
    )
    def test_refuses_a_deposit_that_makes_no_sense(self, shopper, now, fields, rule):
        usual = {"customer_id": shopper.user.pk, "amount": 1, "source": "x", "reference": "y", "state": "credited"}
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Deposit.objects.create(received_at=now, **{**usual, **fields})

    def test_refuses_a_second_deposit_of_one_reference(self, shopper, now):
        row = {"customer": shopper.user, "amount": 1, "source": "x", "reference": "y", "state": "credited"}
        Deposit.objects.create(received_at=now, **row)
        with pytest.raises(IntegrityError, match="each_deposit_is_received_once"), transaction.atomic():
            Deposit.objects.create(received_at=now, **row)


class TestVerifyLedger:
    @pytest.mark.parametrize(
        "fault",
        [
            "UPDATE wallets_deposit SET amount = amount + 1 WHERE source LIKE 'GB%'",
            "DELETE FROM wallets_deposit WHERE source LIKE 'GB%'",
            "UPDATE wallets_deposit SET state = 'unassigned', customer_id = NULL WHERE source LIKE 'GB%'",
            "UPDATE wallets_deposit SET customer_id = (SELECT max(id) FROM wallets_user) WHERE source LIKE 'GB%'",
            """INSERT INTO wallets_deposit (customer_id, amount, source, reference, reference_hash, state, received_at,
                                            created_at, note)
               SELECT customer_id, 5, source, reference, 'another', state, now(), now(), note FROM wallets_deposit
                WHERE source LIKE 'GB%'""",
        ],
    )
    def test_finds_a_deposit_that_its_movements_contradict(self, shopper, make_shopper, now, fault):
        deposit_id = receive(shopper, now).deposit_id
        make_shopper()
        assert verify_everything() == []
        run_as_owner(fault)
        found = verify_everything()
        assert [violation.rule for violation in found] == [10]
        if "another" not in fault:
            assert found[0].subject.startswith(f"deposit {deposit_id} ")


class TestPaymentReferences:
    def test_have_the_check_digits_of_the_standard(self):
        assert is_checked("RF18539007547034")  # the example of ISO 11649
        assert is_checked(IBAN)
        assert not is_checked("RF19539007547034")

    def test_lead_back_to_the_customer(self):
        subject = uuid.uuid4()
        first, last = subjects_of(reference=payment_reference(subject=subject))
        assert first <= subject <= last

    def test_are_found_in_a_text_however_they_are_written(self):
        reference = payment_reference(subject=uuid.uuid4())
        grouped = " ".join(reference[start : start + 4] for start in range(0, len(reference), 4)).lower()
        assert find_payment_references(f"for my coins: {grouped}, thank you") == {reference}

    def test_with_a_slip_in_them_are_not_found(self):
        reference = payment_reference(subject=uuid.UUID("65b08bcf-3bdb-4126-a016-f263b7a5d0a7"))
        for place in range(2, len(reference)):
            changed = "0" if reference[place] != "0" else "1"
            assert not find_payment_references(reference[:place] + changed + reference[place + 1 :])


class TestOverHttp:
    def test_the_wallet_shows_its_payment_reference(self, api, shopper):
        wallet = api("GET", "accounts/wallet/", by=shopper).json()
        reference = payment_reference(subject=shopper.user.subject)
        assert wallet == {
            "balance": "100.00", "currency": "USD", "available": "100.00", "on_hold": "0.00", "in_orders": "0.00",
            "in_payouts": "0.00", "reference": reference,
        }  # fmt: skip

    def test_movements_answer_as_before(self, api, shopper):
        for path in ("deposit", "withdraw"):
            answer = api("PATCH", f"accounts/wallet/{path}/", {"amount": "5"}, by=shopper).json()
            assert answer.keys() == {"balance", "currency"}

    def test_deposits_are_listed_newest_first_and_only_to_their_customer(self, api, shopper, make_shopper, now):
        receive(make_shopper(), now, reference="of somebody else")
        receive(shopper, now)
        newest, opening = api("GET", "accounts/deposits/", by=shopper).json()
        assert newest.items() >= {"amount": "5.00", "source": IBAN, "reference": "line 1", "state": "credited"}.items()
        assert opening["amount"] == "100.00"

    def test_deposits_are_listed_in_pages(self, api, shopper, now):
        for number in range(3):
            receive(shopper, now, reference=f"line {number}")
        first = api("GET", "accounts/deposits/?limit=3", by=shopper)
        cursor = first["Link"].split("cursor=")[1].split("&")[0].split(">")[0]
        rest = api("GET", f"accounts/deposits/?limit=3&cursor={cursor}", by=shopper).json()
        assert len({row["id"] for row in [*first.json(), *rest]}) == 4
