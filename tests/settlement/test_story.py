"""What the home page of a sandbox tells: it is true, names nobody, and is there in a sandbox only."""

from datetime import timedelta
from decimal import Decimal

import pytest

from exchange_site.api.story import Kept, kept_story
from settlement.models import Attempt
from settlement.services.stepping import take_next_step
from tests.configure import configure
from wallets.models import Wallet

STORY = "sandbox/story/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _read_anew():
    kept_story.forget()


class TestTheStory:
    def test_of_an_empty_sandbox_is_empty(self, api, coin):
        story = api("GET", STORY).json()
        assert story["pools"] == [{"crypto": "ABAN", "title": "", "total": "0.00"}]
        assert (story["orders"], story["purchases"], story["found"]) == ([], [], [])
        assert story["ledger"] == {"movements": 0, "sum": "0.00", "changes": {}}

    def test_shows_a_pool_that_fills(self, api, shopper, coin):
        api("POST", "orders/", {"crypto": "ABAN", "total": "4.00"}, by=shopper)
        story = api("GET", STORY).json()
        assert story["threshold"] == "10.00"
        assert story["pools"] == [{"crypto": "ABAN", "title": "", "total": "4.00"}]
        [order] = story["orders"]
        assert (order["crypto"], order["total_price"], order["state"]) == ("ABAN", "4.00", "aggregated")
        assert order["ended_at"] is None
        assert story["open"] == {"aggregated": 1}

    def test_names_no_customer(self, api, shopper, coin):
        api("POST", "orders/", {"crypto": "ABAN", "total": "4.00"}, by=shopper)
        text = api("GET", STORY).content.decode()
        assert shopper.user.username not in text
        assert str(shopper.user.subject) not in text
        assert "customer_id" not in text
        assert api("GET", STORY).json()["orders"][0].keys() == {
            "id", "crypto", "amount", "total_price", "state", "is_aggregated", "created_at", "ended_at",
        }  # fmt: skip

    def test_is_not_told_outside_a_sandbox(self, api, shopper, coin, settings):
        api("POST", "orders/", {"crypto": "ABAN", "total": "4.00"}, by=shopper)
        api("GET", STORY)
        configure(settings, "DEPOSITS", self_service=False)
        answer = api("GET", STORY)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "ABAN" not in answer.content.decode()

    def test_counts_as_any_anonymous_call(self, api, settings):
        configure(settings, "LIMITS", anonymous="2/m")
        assert [api("GET", STORY).status_code for _ in range(3)] == [200, 200, 429]

    def test_is_no_part_of_the_document(self, api):
        assert not [path for path in api("GET", "openapi.json").json()["paths"] if "sandbox" in path]


class TestTheLedgerOfTheStory:
    def test_adds_up_to_zero(self, api, shopper, coin):
        api("PATCH", "accounts/wallet/deposit/", {"amount": "5.00"}, by=shopper)
        api("POST", "orders/", {"crypto": "ABAN", "total": "12.00"}, by=shopper)
        ledger = api("GET", STORY).json()["ledger"]
        assert ledger == {
            "movements": 3,
            "sum": "0.00",
            "changes": {"clearing": "12.00", "customer": "93.00", "funding": "-105.00"},
        }

    def test_does_not_add_up_when_a_stored_balance_is_wrong(self, api, shopper, coin):
        Wallet.objects.filter(pk=shopper.wallet.pk).update(balance=Decimal("100.01"))
        assert api("GET", STORY).json()["ledger"]["sum"] == "0.01"


class TestPurchasesOfTheStory:
    def test_are_told_with_what_they_cost(self, api, shopper, coin, place, claim, venue):
        place("12.00")
        take_next_step(batch_id=claim().pk, get_venue=lambda _: venue)
        story = api("GET", STORY).json()
        [purchase] = story["purchases"]
        assert (purchase["crypto"], purchase["state"], purchase["orders"]) == ("ABAN", "filled", 1)
        assert story["figures"] == {"purchases": 1, "orders_settled": 1, "found_by_lookup": 0}
        assert (story["ledger"]["sum"], story["orders"][0]["state"]) == ("0.00", "completed")

    def test_that_a_lookup_found_are_told_apart(self, api, shopper, coin, place, claim, venue):
        place("12.00")
        take_next_step(batch_id=claim().pk, get_venue=lambda _: venue)
        Attempt.objects.update(lookups=1)
        story = api("GET", STORY).json()
        assert [purchase["id"] for purchase in story["found"]] == [story["purchases"][0]["id"]]
        assert story["figures"]["found_by_lookup"] == 1

    def test_begin_with_the_one_that_was_found_last(self, api, shopper, coin, place, settle):
        for _ in range(2):
            place("12.00")
            settle()
        Attempt.objects.update(lookups=1)
        older, newer = Attempt.objects.order_by("pk")
        Attempt.objects.filter(pk=older.pk).update(ended_at=newer.ended_at + timedelta(seconds=1))
        assert [purchase["id"] for purchase in api("GET", STORY).json()["found"]] == [older.pk, newer.pk]


class TestAKeptText:
    def test_is_read_once_in_its_time(self):
        texts = iter(["one", "two"])
        kept = Kept(lambda: next(texts), seconds=60)
        assert [kept.get(), kept.get()] == ["one", "one"]
        kept.forget()
        assert kept.get() == "two"

    def test_outlives_a_failure(self):
        texts = iter(["one"])
        kept = Kept(lambda: next(texts), seconds=0)
        assert kept.get() == "one"
        with pytest.raises(StopIteration):
            kept.get()
        kept._seconds = kept._until = 60e9
        assert kept.get() == "one"
