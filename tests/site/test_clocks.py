"""API processes on hosts whose clock is wrong."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from trading.models import Coin, CoinPrice, Order
from trading.services.coins import save_coin
from wallets.models import TokenFamily, Transaction, User
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)

CLOCKS = [65, -300, 86_400]
MOMENT = timedelta(seconds=20)  # what a busy machine may take for a call


@pytest.fixture
def make_api_with_clock(make_api_process):
    def begin(seconds, **environment):
        return make_api_process(PYTHONPATH="tests/faults/clock", CLOCK_IS_AHEAD_SECONDS=str(seconds), **environment)

    return begin


@pytest.fixture
def ticker_coin(coin):
    coin.fixed_price = None
    save_coin(coin=coin)
    return coin


def set_price_age(age):
    CoinPrice.objects.update(read_at=clock.database_now() - age)


def place(url, shopper, **body):
    return httpx.post(
        f"{url}orders/", json={"crypto": "ABAN", "amount": "3", **body}, headers=shopper.headers, timeout=30
    )


def is_recent(moment):
    return abs(clock.database_now() - moment) < MOMENT


@pytest.mark.parametrize("seconds", CLOCKS)
def test_a_host_with_a_wrong_clock_sells_and_dates_by_postgres(
    make_api_with_clock, make_shopper, ticker_coin, settings, seconds
):
    url, shopper = make_api_with_clock(seconds), make_shopper("1000.00")

    # An order, and a smaller one, which has a time to settle by.
    set_price_age(timedelta(0))
    for body in ({}, {"amount": "0.5"}):
        answer = place(url, shopper, **body)
        assert answer.status_code == 201, answer.text
        assert is_recent(datetime.fromisoformat(answer.json()["created_at"]))
    orders = list(Order.objects.order_by("id"))
    assert all(is_recent(order.created_at) for order in orders)
    assert is_recent(orders[1].settle_by - settings.POOLS.max_age)

    # Every movement that a customer asks for.
    httpx.post(f"{url}orders/{orders[1].pk}/cancel/", headers=shopper.headers, timeout=30).raise_for_status()
    for path in ("deposit", "withdraw"):
        changed = httpx.patch(
            f"{url}accounts/wallet/{path}/", json={"amount": "5.00"}, headers=shopper.headers, timeout=30
        )
        changed.raise_for_status()
    orders[1].refresh_from_db()
    assert is_recent(orders[1].cancelled_at)
    movements = Transaction.objects.filter(customer_id=shopper.user.pk)
    assert {"deposit", "purchase", "refund", "withdrawal"} <= {each.kind for each in movements}
    assert all(is_recent(each.created_at) for each in movements)

    # What customers look at.
    set_price_age(timedelta(0))
    assert [coin["is_available"] for coin in httpx.get(f"{url}exchanges/crypto-currencies/").json()] == [True]
    set_price_age(2 * settings.PRICES.max_age)
    assert not httpx.get(f"{url}exchanges/crypto-currencies/ABAN/").json()["is_available"]

    # A price that is too old.
    balance, count = shopper.wallet.balance, Order.objects.count()
    refused = place(url, shopper)
    assert (refused.status_code, refused.json()["code"]) == (503, "price_unavailable")
    assert (shopper.wallet.balance, Order.objects.count()) == (balance, count)


def test_tokens_are_good_on_every_host_and_end_everywhere_at_the_same_time(make_api_with_clock, make_api_process):
    urls = [make_api_process(), *map(make_api_with_clock, (3600, -3600))]
    for number, issuer in enumerate(urls):
        credentials = {"username": f"alice{number}", "password": "password123"}
        pair = httpx.post(f"{issuer}accounts/auth/register/", json=credentials, timeout=30).json()
        user = User.objects.get(username=credentials["username"])
        assert is_recent(user.date_joined)
        assert is_recent(user.wallets.get().created_at)
        assert is_recent(TokenFamily.objects.get(user=user).created_at)
        for url in urls:
            headers = {"Authorization": f"Bearer {pair['access']}"}
            assert httpx.get(f"{url}accounts/wallet/", headers=headers, timeout=30).status_code == 200
            pair = httpx.post(f"{url}accounts/auth/refresh/", json={"refresh": pair["refresh"]}, timeout=30).json()
            assert pair.keys() == {"access", "refresh"}


def test_a_token_that_has_expired_is_refused_by_a_host_that_is_behind(make_api_with_clock, shopper, monkeypatch):
    from wallets.services.tokens import start_token_family

    with monkeypatch.context() as patched:
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        patched.setattr(clock, "now", lambda: an_hour_ago)
        old = start_token_family(user=shopper.user, now=an_hour_ago)
    url = make_api_with_clock(-7200)
    headers = {"Authorization": f"Bearer {old.access}"}
    refused = httpx.get(f"{url}accounts/wallet/", headers=headers, timeout=30)
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("seconds", "allowed", "status", "state"),
    [
        (0, "5", 200, "ok"),
        (3, "5", 200, "ok"),
        (65, "5", 503, "drifted"),
        (-65, "5", 503, "drifted"),
        (65, "90", 200, "ok"),
    ],
)
def test_a_host_is_not_ready_while_its_clock_is_too_far_off(
    make_api_process, transactional_db, seconds, allowed, status, state
):
    url = make_api_process(
        PYTHONPATH="tests/faults/clock", CLOCK_IS_AHEAD_SECONDS=str(seconds), CLOCK_MAX_DRIFT_SECONDS=allowed
    )
    base = url.removesuffix("/api/v1/")
    ready = httpx.get(f"{base}/health/ready/", timeout=30)
    assert (ready.status_code, ready.json()["clock"], ready.json()["postgres"]) == (status, state, "ok")
    assert httpx.get(f"{base}/health/", timeout=30).status_code == 200
    [line] = [
        line
        for line in httpx.get(f"{base}/metrics/", timeout=30).text.splitlines()
        if line.startswith("exchange_clock_offset_seconds")
    ]
    assert abs(float(line.split()[-1]) + seconds) < 2


def test_hosts_with_different_clocks_share_the_list_of_coins(make_api_with_clock, coin):
    listed = []
    for seconds in (-300, 300):
        url = make_api_with_clock(seconds, PRICE_CACHE_SECONDS="300")
        listed.append(httpx.get(f"{url}exchanges/crypto-currencies/", timeout=30).json())
        Coin.objects.update(title="a title that is not in the list")
    assert listed[0] == listed[1]


def test_a_clock_that_is_set_while_the_process_runs_changes_nothing_but_readiness(
    make_api_with_clock, make_shopper, ticker_coin, settings, tmp_path
):
    host = tmp_path / "ahead"
    host.write_text("0")
    url, shopper = make_api_with_clock(0, CLOCK_IS_AHEAD_FILE=str(host)), make_shopper("1000.00")
    ready = f"{url.removesuffix('/api/v1/')}/health/ready/"
    for seconds, status in ((0, 200), (3600, 503), (-3600, 503), (0, 200)):
        new = host.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(host)  # no process ever reads an empty file
        set_price_age(timedelta(0))
        answer = place(url, shopper)
        assert answer.status_code == 201, answer.text
        assert is_recent(datetime.fromisoformat(answer.json()["created_at"]))
        assert httpx.get(f"{url}exchanges/crypto-currencies/ABAN/", timeout=30).json()["is_available"]
        assert httpx.get(ready, timeout=30).status_code == status
        set_price_age(2 * settings.PRICES.max_age)
        assert place(url, shopper).json()["code"] == "price_unavailable"
    assert Order.objects.count() == 4
