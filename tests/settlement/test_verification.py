import pytest
from django.core.management import call_command

from settlement.verification import verify_everything
from tests.owner import run_as_owner
from tests.settlement.conftest import attempts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def settled(place, settle):
    """A completed order, and two that wait in the pool."""
    place("2.00")
    place("60.00")
    settle()
    place("4.00")


def test_finds_no_violation_in_a_correct_ledger(settled, capsys):
    call_command("verify_ledger")
    assert "balances" in capsys.readouterr().out
    call_command("verify_ledger", "--quiet")


@pytest.mark.parametrize(
    ("statement", "rule", "named"),
    [
        (
            "UPDATE wallets_wallet SET balance = balance + 1 WHERE role = 'customer' AND asset = 'USD'",
            1,
            "wallet",
        ),
        (
            "UPDATE wallets_transaction SET balance_after = balance_after + 1 WHERE kind = 'deposit'",
            1,
            "transaction",
        ),
        (
            "UPDATE trading_order SET total_price = total_price + 1, amount = amount + 0.25 WHERE state = 'aggregated'",
            2,
            "clearing",
        ),
        ("DELETE FROM wallets_transaction WHERE kind = 'purchase' AND amount = 60", 3, "order"),
        ("UPDATE wallets_transaction SET amount = amount + 1 WHERE kind = 'delivery'", 3, "order"),
        (
            "UPDATE trading_order SET state = 'refunded', completed_at = NULL, refunded_at = now() WHERE state = 'completed'",
            3,
            "order",
        ),
        ("UPDATE wallets_wallet SET balance = balance + 1 WHERE role = 'inventory'", 4, "ABAN"),
        ("UPDATE settlement_attempt SET executed = executed - 1", 4, "attempt"),
        ("DELETE FROM settlement_attempt", 4, "attempt"),
        ("DELETE FROM wallets_transaction WHERE kind = 'revenue'", 5, "paid"),
        ("UPDATE trading_order SET fee = 1, booked_fee = 1, total_price = 61 WHERE state = 'completed'", 5, "paid"),
    ],
)
def test_names_each_record_changed_by_hand(settled, statement, rule, named, capsys):
    run_as_owner(statement)
    found = [finding for finding in verify_everything() if finding.rule == rule]
    assert found, verify_everything()
    assert named in found[0].subject
    with pytest.raises(SystemExit) as stopped:
        call_command("verify_ledger")
    assert stopped.value.code == 1
    assert named in capsys.readouterr().out


def test_finds_an_attempt_that_was_booked_twice(settled):
    run_as_owner(
        "INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, created_at)"
        " SELECT asset, amount, source_id, destination_id, kind, reference || ':again', created_at"
        " FROM wallets_transaction WHERE kind = 'fill'"
    )
    assert {finding.rule for finding in verify_everything()} >= {1, 4}
    assert attempts()
