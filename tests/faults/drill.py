"""The steps of a drill in which the database forgets what happened, and what must be true afterwards."""

import subprocess
import time
from contextlib import contextmanager
from decimal import Decimal

import httpx
from django.db import connection

from exchange_site.stack.processes import PROJECT, manage
from settlement.models import Attempt, AttemptState, DatabaseWatch
from settlement.verification import verify_everything
from tests.faults.truths import FINAL, assert_the_venues_book_is_ours, read_book
from tests.patience import stretched
from tests.staff import make_chief
from trading.models import Order, OrderState
from wallets.models import User, Wallet, WalletRole

# Coins of orders of 12.00 dollars at 4.00 that were committed and not acknowledged, one a customer, and rounding.
SLACK = 12


class Drill:
    """Prints how long each step took, for `pytest -s`."""

    def __init__(self, world):
        self.world = world

    @contextmanager
    def step(self, name):
        began = time.monotonic()
        yield
        print(f"{name}: {time.monotonic() - began:.1f} s")  # noqa: T201  the drill's result

    def manage(self, *arguments):
        environment = self.world.supervisor.children["api 1"].environment
        return subprocess.run(
            manage(*arguments),
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=stretched(180),
        )


def is_stopped():
    connection.close()
    try:
        return DatabaseWatch.objects.filter(stopped_at__isnull=False).exists()
    except Exception:  # noqa: BLE001  Postgres may be away
        return False


def wait_for_purchases(world, trade):
    filled = Attempt.objects.filter(coin=trade.coin, state=AttemptState.FILLED)
    before = filled.count()
    world.wait_for(lambda: filled.count() > before, seconds=60)


def _someone_of_staff():
    """Return the name of a superuser, who may not have survived."""
    if not User.objects.filter(username="restorer").exists():
        make_chief("restorer")
    return "restorer"


def assert_put_right(world, trade, watch, drill, *, bought):
    """Run after_restore; then every surviving order is settled, and what was bought for lost ones is in inventory."""
    with drill.step("manage.py after_restore"):
        done = drill.manage("after_restore", "--by", _someone_of_staff())
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201  the drill's result
    connection.close()
    assert Attempt.objects.filter(batch=None).exists()
    orders = Order.objects.filter(coin=trade.coin)
    with drill.step("until every order was settled"):
        world.wait_for(lambda: not orders.exclude(state__in=FINAL).exists(), seconds=90)
    assert set(orders.values_list("state", flat=True)) == {OrderState.COMPLETED}
    assert verify_everything() == []
    verified, reconciled = drill.manage("verify_ledger"), drill.manage("reconcile", "--days", "1")
    assert (verified.returncode, reconciled.returncode) == (0, 0), verified.stdout + reconciled.stdout
    assert "0 open" in reconciled.stdout
    assert_the_venues_book_is_ours(world, coins={trade.coin.name})
    lost = lost_coins(trade, watch)
    surplus = Wallet.objects.get(role=WalletRole.INVENTORY, asset=trade.coin.name).balance
    assert surplus <= lost + SLACK, f"{surplus} in inventory, {lost} of lost orders: something was bought twice"
    print(f"{bought} purchases before, {len(read_book(world))} after; {lost} coins of lost orders")  # noqa: T201


def lost_coins(trade, watch):
    """Return how many coins the acknowledged orders had that the database has forgotten."""
    known = set(Order.objects.filter(coin=trade.coin).values_list("idempotency_key", flat=True))
    acknowledged = [
        (key, answer.json()) for _, name, key, answer in watch.answered if name == "order" and answer.is_success
    ]
    acknowledged += [(placed.key, placed.answer) for placed in trade.placed]
    return sum((Decimal(body["amount"]) for key, body in acknowledged if key not in known), Decimal(0))


def assert_tokens_are_refused(world, lost):
    """A customer who is lost is nobody, also after another customer has signed up."""
    for url in world.apis.values():
        answer = httpx.get(f"{url}/api/v1/accounts/wallet/", headers=lost.headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
