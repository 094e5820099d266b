"""The admin: its pages, the permissions of staff, and the number of statements for a page."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from model_bakery import baker
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.models import (
    AccountMove,
    Attempt,
    BalanceReading,
    Batch,
    DatabaseWatch,
    Excess,
    FailingItem,
    FindingKind,
    Intervention,
    InterventionAction,
    Pause,
    VenueAccount,
    begin_watch,
)
from settlement.services.claiming import claim_waiting_orders
from settlement.services.findings import Contradiction, close_finding, raise_finding
from settlement.services.intervening.requests import request_intervention
from settlement.services.pausing import pause_buying
from tests.configure import configure
from tests.conftest import make_coin
from tests.mails import send_mails, token_in
from trading.models import Coin, DayLoss, Headroom, Order, PriceRule, Review, SalesLimit, SalesStop, Shop
from wallets.admin import actions, records
from wallets.models import BreakGlass, Proposal, Transaction, User
from wallets.runtime import clock
from wallets.services.proposing import FREEZE

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = [
    "wallets/user", "wallets/breakglass", "wallets/wallet", "wallets/transaction", "trading/coin", "trading/order", "trading/review",
    "settlement/batch", "settlement/attempt", "settlement/intervention", "settlement/finding", "settlement/pause",
    "settlement/failingitem", "settlement/venueaccount", "settlement/databasewatch", "settlement/installation",
    "settlement/excess", "settlement/accountmove", "settlement/balancereading", "wallets/securityevent", "trading/dayloss", "trading/salesstop",
    "trading/pricerule", "trading/saleslimit", "trading/headroom",
    "procrastinate/procrastinatejob",
]  # fmt: skip


WITHOUT_FILTERS = {
    "wallets/breakglass",
    "settlement/pause", "settlement/venueaccount", "settlement/databasewatch", "settlement/installation",
    "settlement/balancereading", "settlement/excess", "trading/headroom",
}  # fmt: skip


@pytest.fixture
def order(api, shopper, coin):
    return Order.objects.get(pk=api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["id"])


@pytest.fixture
def held(api, shopper, coin, settings):
    configure(settings, "RISK", max_value=Decimal("11.99"))
    return Order.objects.get(pk=api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["id"])


@pytest.fixture
def batch(order, now):
    return claim_waiting_orders(coin_id=order.coin_id, now=now)


@pytest.fixture
def concerns(batch, admin_user, now):
    """A finding, a pause, an intervention, an item that fails, a loss, a stop of sales, and an account at a venue."""
    begin_watch()
    BreakGlass(user=admin_user, reason="x", asked_from="x", ready_at=now + timedelta(days=1)).save()
    baker.make(VenueAccount, free=9)
    baker.make(BalanceReading, asset="ABAN", amount=5, proposed=5)
    baker.make(AccountMove, asset="USDT", kind="move", amount=-1, booked_by=admin_user)
    baker.make(DayLoss, coin=batch.coin, coins=1, cost=9, charge=4)
    baker.make(PriceRule, coin=batch.coin, spread_rate=0)
    baker.make(SalesLimit, coin=batch.coin, most=100)
    baker.make(Headroom, coin=batch.coin, most=100, used=90, room=10, whole=100, near_since=now)
    baker.make(SalesStop, loss=5, ceiling=5, stopped_at=now)
    baker.make(FailingItem)
    raise_finding(contradiction=Contradiction(kind=FindingKind.EXTRA, subject="order 7"), now=now)
    pause_buying(coin=batch.coin, reason="looking into it", set_by=admin_user, now=now)
    action = InterventionAction.LOOK_UP
    look_up = request_intervention(batch=batch, action=action, reason="to see", requested_by=admin_user, now=now)
    baker.make(Excess, attempt=batch.attempts.get(), intervention=look_up, quantity=1, cost=0, commission=0)


@pytest.fixture
def make_staff(db):
    """Make a member of staff with one permission."""

    def make(permission):
        app, codename = permission.split(".")
        staff = User.objects.create_user(codename, password="password", is_staff=True)
        staff.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        return staff

    return make


def page(client, path):
    answer = client.get(f"/admin/{path}")
    assert answer.status_code == 200, path
    return answer.content.decode()


def act(client, path, action, *chosen, **more):
    fields = {"action": action, "_selected_action": [each.pk for each in chosen], **more}
    address = f"/admin/{path}" if "?" in path else f"/admin/{path}/"
    return client.post(address, fields, follow=True).content.decode()


def offered_actions(client, path):
    """Return the actions that the page of a record offers."""
    return set(re.findall(r'name="action" value="(\w+)"', page(client, f"{path}/change/")))


class TestPages:
    @pytest.mark.parametrize("path", LISTS)
    def test_offer_search_and_filters_that_work(self, admin_client, batch, held, path, concerns):
        listed = page(admin_client, f"{path}/")
        assert 'class="field-' in listed or path == "trading/review"
        for term in ("nothing-like-it", "1", "9" * 30, "<b>", "x@example.com"):
            page(admin_client, f"{path}/?q={term}")
        links = set(re.findall(r'href="\?([a-z][^"]*=[^"]*)"', listed))
        assert links or path in WITHOUT_FILTERS
        for link in links:
            page(admin_client, f"{path}/?{link.replace('&amp;', '&')}")

    def test_of_a_record_link_to_related_records(self, admin_client, batch, shopper):
        order = Order.objects.get()
        movement = Transaction.objects.get(kind="purchase")
        seen = page(admin_client, f"trading/order/{order.pk}/change/")
        for link in (f"/admin/wallets/user/{shopper.user.pk}/change/", f"/admin/settlement/batch/{batch.pk}/change/"):
            assert link in seen
        assert f"order_id={order.pk}" in seen
        seen = page(admin_client, f"wallets/transaction/{movement.pk}/change/")
        assert f"/admin/trading/order/{order.pk}/change/" in seen
        assert f"/admin/wallets/wallet/{shopper.wallet.pk}/change/" in seen
        seen = page(admin_client, f"settlement/batch/{batch.pk}/change/")
        assert f"batch_id={batch.pk}" in seen
        assert f"batch__id__exact={batch.pk}" in seen
        assert order.customer.username in page(admin_client, f"trading/order/?batch_id={batch.pk}")
        for path in (f"settlement/attempt/{Attempt.objects.get().pk}", f"wallets/wallet/{shopper.wallet.pk}"):
            page(admin_client, f"{path}/change/")
        page(admin_client, f"procrastinate/procrastinatejob/{ProcrastinateJob.objects.first().pk}/change/")

    def test_find_records_by_whole_usernames_and_references(self, admin_client, order, shopper, make_shopper):
        make_shopper()
        name = shopper.user.username
        for path in ("wallets/user", "wallets/wallet", "wallets/transaction", "trading/order"):
            found = page(admin_client, f"{path}/?q={name.upper()}")
            assert name in found
        assert "purchase" in page(admin_client, f"wallets/transaction/?q=order:{order.pk}:charge")

    def test_show_states_in_colour(self, admin_client, order):
        assert '<span class="badge badge-pending">pending</span>' in page(admin_client, "trading/order/")

    def test_show_times_with_seconds_and_zone(self, admin_client, held):
        shown = f"{held.held_at:%Y-%m-%d %H:%M:%S} UTC"
        for path in (f"trading/order/{held.pk}/change/", f"trading/review/{held.pk}/change/", "trading/review/"):
            assert shown in page(admin_client, path), path

    def test_show_figures_of_an_order_with_their_units(self, admin_client, order):
        for path in ("trading/order/", f"trading/order/{order.pk}/change/"):
            seen = page(admin_client, path)
            for shown in ("Charge (USD)", "Price (USD)", f"{order.charge:,.2f}", "3 ABAN"):
                assert shown in seen, (path, shown)

    def test_show_small_numbers_without_exponent(self, admin_client, coin):
        Coin.objects.filter(pk=coin.pk).update(step=Decimal("0.00000001"))
        form = page(admin_client, f"trading/coin/{coin.pk}/change/")
        assert 'name="step" value="0.00000001"' in form

    def test_show_no_part_of_a_password_hash(self, admin_client, shopper):
        shopper.user.set_password("correct horse")
        shopper.user.save()
        seen = page(admin_client, f"wallets/user/{shopper.user.pk}/change/")
        assert "Send a link for a new password" in seen
        assert "algorithm" not in seen
        assert not re.search(r"salt|hash|\*{4}", re.sub(r"<[^>]*>", "", seen))

    def test_offer_no_password_and_to_viewers_no_link(self, client, make_staff, shopper):
        client.force_login(make_staff("wallets.view_user"))
        seen = page(client, f"wallets/user/{shopper.user.pk}/change/")
        assert shopper.user.username in seen
        assert "../password/" not in seen
        assert "Send a link" not in seen

    def test_say_that_a_page_is_not_permitted(self, client, make_staff):
        client.force_login(make_staff("wallets.view_user"))
        answer = client.get("/admin/wallets/wallet/")
        assert answer.status_code == 403
        assert "An administrator can give you the permission" in answer.content.decode()

    @pytest.mark.parametrize("path", LISTS)
    def test_take_the_same_number_of_statements_for_few_and_many_rows(
        self, admin_client, api, make_shopper, coin, path, now
    ):
        def more():
            for _ in range(4):
                shopper = make_shopper()
                for total in ("12.00", "13.00"):
                    api("POST", "orders/", {"crypto": "ABAN", "total": total}, by=shopper)
            claim_waiting_orders(coin_id=coin.pk, now=now)
            Attempt.objects.update(state="empty", ended_at=now)

        counts = []
        for _ in range(2):
            more()
            with CaptureQueriesContext(connection) as captured:
                page(admin_client, f"{path}/")
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 14

    def test_are_read_only_where_money_is_recorded(self, admin_client, batch, shopper):
        movement = Transaction.objects.first()
        for path in (
            f"wallets/wallet/{shopper.wallet.pk}/change/",
            f"wallets/transaction/{movement.pk}/change/",
            f"trading/order/{Order.objects.get().pk}/change/",
            f"settlement/batch/{batch.pk}/change/",
            "wallets/transaction/add/",
            f"wallets/user/{shopper.user.pk}/delete/",
            f"trading/coin/{Order.objects.get().coin_id}/delete/",
        ):
            assert admin_client.post(f"/admin/{path}", {"balance": "1", "post": "yes"}).status_code == 403, path
        assert shopper.wallet.balance == 88

    def test_stop_counting_rows_at_the_maximum(self, admin_client, shopper, settings):
        records.MAX_COUNT, kept = 1, records.MAX_COUNT
        try:
            assert re.search(r"\b1 wallet", page(admin_client, "wallets/wallet/"))
        finally:
            records.MAX_COUNT = kept


class TestSigningIn:
    def test_has_the_same_limit_as_in_the_api(self, client, settings):
        configure(settings, "LIMITS", login="2/h")
        User.objects.create_superuser("chief", password="new_password")
        for password in ("wrong", "wrong"):
            client.post("/admin/login/", {"username": "chief", "password": password})
        refused = client.post("/admin/login/", {"username": "chief", "password": "new_password"})
        assert "Too many calls" in refused.content.decode()
        assert "_auth_user_id" not in client.session

    def test_ends_for_good_when_the_account_is_disabled(self, client, admin_user):
        client.force_login(admin_user)
        assert client.get("/admin/").status_code == 200
        for is_active in (False, True):
            User.objects.filter(pk=admin_user.pk).update(is_active=is_active)
        assert client.get("/admin/").status_code == 302, "the session from before"
        client.force_login(User.objects.get(pk=admin_user.pk))
        assert client.get("/admin/").status_code == 200

    def test_goes_on_after_a_change_of_the_own_password(self, client, admin_user):
        client.force_login(admin_user)
        other = Client()
        other.force_login(admin_user)
        fields = {"old_password": "password", "new_password1": "a-new-one-1", "new_password2": "a-new-one-1"}
        assert client.post("/admin/password_change/", fields).status_code == 302
        assert client.get("/admin/").status_code == 200
        assert other.get("/admin/").status_code == 302


class TestCustomers:
    def test_get_a_wallet_with_their_account(self, admin_client):
        fields = {"username": "new", "email": "new@EXAMPLE.com", "password1": "xk29-dkwo", "password2": "xk29-dkwo"}
        assert 'type="password"' not in page(admin_client, "wallets/user/add/")
        assert admin_client.post("/admin/wallets/user/add/", {"username": "new"}).status_code == 200
        assert admin_client.post("/admin/wallets/user/add/", fields).status_code == 302
        user = User.objects.get(username="new")
        assert (user.wallets.get().balance, user.has_usable_password()) == (0, False)
        assert (user.email, user.verified_email) == ("new@example.com", "")

    def test_are_frozen_and_unfrozen_only_with_a_reason(self, admin_client, api, shopper):
        path = "wallets/user"
        assert "Freeze these customers" in act(admin_client, path, "freeze", shopper.user)
        assert api("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, by=shopper).status_code == 200
        assert "required" in act(admin_client, path, "freeze", shopper.user, reason="")
        act(admin_client, path, "freeze", shopper.user, reason="stolen card")
        assert shopper.wallet.frozen
        assert api("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, by=shopper).status_code == 403
        assert LogEntry.objects.get().change_message == "Frozen: stolen card"
        assert "badge-frozen" in page(admin_client, f"{path}/{shopper.user.pk}/change/")
        act(admin_client, path, "unfreeze", shopper.user, reason="a mistake")
        assert not shopper.wallet.frozen

    def test_get_a_link_for_a_new_password_which_staff_never_set(self, admin_client, api, shopper):
        fields = {"usable_password": "true", "password1": "xk29-dkwo", "password2": "xk29-dkwo"}
        before = shopper.user.password
        assert admin_client.post(f"/admin/wallets/user/{shopper.user.pk}/password/", fields).status_code == 403
        changed = {"username": shopper.user.username, "is_active": "on", "password": "xk29-dkwo", **fields}
        admin_client.post(f"/admin/wallets/user/{shopper.user.pk}/change/", changed)
        assert User.objects.get(pk=shopper.user.pk).password == before
        assert "has no e-mail address" in act(admin_client, "wallets/user", "send_reset_link", shopper.user, reason="x")
        assert send_mails() == []
        User.objects.filter(pk=shopper.user.pk).update(email="finn@example.com")
        assert "Reason" in act(admin_client, "wallets/user", "send_reset_link", shopper.user)
        act(admin_client, "wallets/user", "send_reset_link", shopper.user, reason="asked by phone")
        [message] = send_mails()
        assert message.to == ["finn@example.com"]
        assert LogEntry.objects.latest("pk").change_message == "Link for a new password sent: asked by phone"
        body = {"token": token_in(message), "new": "battery staple"}
        assert api("POST", "accounts/auth/password/reset/", body).status_code == 204
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 401

    def test_keep_their_address_whatever_staff_send(self, admin_client, shopper):
        User.objects.filter(pk=shopper.user.pk).update(email="finn@example.com")
        fields = {"username": shopper.user.username, "is_active": "on", "email": "thief@example.com"}
        admin_client.post(
            f"/admin/wallets/user/{shopper.user.pk}/change/", {**fields, "verified_email": "t@example.com"}
        )
        assert User.objects.filter(email="finn@example.com", verified_email="").count() == 1

    def test_are_not_frozen_by_staff_without_the_permission(self, client, shopper):
        from django.contrib.auth.models import Permission

        viewer = User.objects.create_user("viewer", is_staff=True)
        viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        client.force_login(viewer)
        page(client, "wallets/user/")
        act(client, "wallets/user", "freeze", shopper.user, reason="because")
        assert not shopper.wallet.frozen


class TestReviews:
    path = "trading/review"

    def test_list_the_held_orders(self, admin_client, held):
        assert "too much value" in page(admin_client, f"{self.path}/")
        assert "12.00 USD" in page(admin_client, f"{self.path}/{held.pk}/change/")

    @pytest.mark.parametrize(("action", "state"), [("release", "pending"), ("refund", "refunded")])
    def test_are_decided_once_and_only_with_a_reason(self, admin_client, held, action, state):
        review = Review.objects.get()
        assert "Reason" in act(admin_client, self.path, action, review)
        held.refresh_from_db()
        assert held.state == "held"
        assert f"{state} now" in act(admin_client, self.path, action, review, reason="known customer")
        held.refresh_from_db()
        review.refresh_from_db()
        assert (held.state, review.note, review.decided_by.username) == (state, "known customer", "admin")
        assert "too much value" not in page(admin_client, f"{self.path}/").split("changelist-form")[1]
        assert "somebody has decided" in act(admin_client, self.path, action, review, reason="again")


class TestCoins:
    path = "trading/coin"

    def test_can_be_taken_off_sale_and_sold_again(self, admin_client, api, coin, shopper):
        asked = act(admin_client, self.path, "stop_selling", coin)
        assert "Stop selling these coins" in asked
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 201
        act(admin_client, self.path, "stop_selling", coin, reason="the network is down")
        assert Proposal.objects.get(kind="stop_selling").reason == "the network is down"
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 404
        act(admin_client, self.path, "sell_again", coin, reason="the network is back")
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 201

    def test_continue_at_a_suspect_price_that_staff_accept(self, admin_client, coin, now):
        from trading.services.prices import record_price

        Coin.objects.update(fixed_price=None)
        record_price(coin=coin, value=Decimal("40.00"), source="binance", now=now)
        assert "badge-suspended" in page(admin_client, f"{self.path}/")
        assert "40" in page(admin_client, f"{self.path}/{coin.pk}/change/")
        asked = act(admin_client, self.path, "accept_suspect_price", coin)
        assert "Sell ABAN at 40, after 4" in asked
        record_price(coin=coin, value=Decimal("400.00"), source="binance", now=now)
        shown = {"reason": "seen elsewhere", "price": "40.00"}
        assert "The price has changed" in act(admin_client, self.path, "accept_suspect_price", coin, **shown)
        record_price(coin=coin, value=Decimal("40.00"), source="binance", now=now)
        assert "So far 1 of 3" in act(admin_client, self.path, "accept_suspect_price", coin, **shown)
        for _ in range(2):
            record_price(coin=coin, value=Decimal("40.00"), source="binance", now=now)
        record_price(coin=coin, value=Decimal("40.04"), source="binance", now=now)
        assert "ABAN is sold at 40.04." in act(admin_client, self.path, "accept_suspect_price", coin, **shown)
        coin.current_price.refresh_from_db()
        assert (coin.current_price.value, coin.current_price.suspended_at) == (Decimal("40.04"), None)


class TestPowers:
    def test_to_change_customers_include_no_other_powers(self, client, make_staff, admin_user, shopper):
        clerk = make_staff("wallets.change_user")
        client.force_login(clerk)
        for user in (clerk, admin_user):
            assert client.get(f"/admin/wallets/user/{user.pk}/password/").status_code == 403
            client.post(f"/admin/wallets/user/{user.pk}/change/", {"username": "x", "is_superuser": "on"})
        shown = page(client, f"wallets/user/{shopper.user.pk}/change/")
        assert 'name="email"' not in shown
        assert 'name="is_superuser"' not in shown
        client.post(f"/admin/wallets/user/{shopper.user.pk}/change/", {"username": "y", "is_staff": "on"})
        assert not User.objects.filter(is_staff=True).exclude(pk__in=[clerk.pk, admin_user.pk]).exists()
        assert User.objects.filter(is_superuser=True).count() == 1
        act(client, "wallets/user", "freeze", shopper.user, reason="because")
        assert not shopper.wallet.frozen, "freezing needs a separate permission"

    def test_changing_ones_own_password_ends_ones_tokens(self, admin_client, admin_user):
        fields = {"old_password": "password", "new_password1": "another-one-1", "new_password2": "another-one-1"}
        page(admin_client, "password_change/")
        assert admin_client.post("/admin/password_change/", fields).status_code == 302
        admin_user.refresh_from_db()
        assert (admin_user.check_password("another-one-1"), admin_user.token_version) == (True, 1)

    def test_a_coins_name_cannot_be_changed(self, admin_client, coin):
        assert 'name="name"' not in page(admin_client, f"trading/coin/{coin.pk}/change/")
        with pytest.raises(IntegrityError, match="keeps its name"), transaction.atomic():
            Coin.objects.update(name="DOGE")


class TestChoosing:
    def test_all_rows_chooses_only_the_filtered_rows(self, admin_client, api, make_shopper, coin, held):
        api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=make_shopper())
        decided, open_ = Review.objects.order_by("pk")
        act(admin_client, "trading/review", "release", decided, reason="known")
        asked = act(admin_client, "trading/review/?decision=released", "refund", decided, select_across="1")
        assert f"order {decided.pk}" in asked
        assert f"order {open_.pk}<" not in asked

    def test_a_row_that_fails_does_not_stop_the_others(self, admin_client, make_shopper, monkeypatch):
        bad, good = make_shopper(), make_shopper()
        freeze = FREEZE.carry_out

        def fail_for_the_first(*, payload, **people):
            if payload["customer"] == bad.user.pk:
                raise ValueError("a strange account")
            return freeze(payload=payload, **people)

        monkeypatch.setattr(FREEZE, "carry_out", fail_for_the_first)
        shown = act(admin_client, "wallets/user", "freeze", bad.user, good.user, reason="because")
        assert "this failed" in shown
        assert (bad.wallet.frozen, good.wallet.frozen) == (False, True)

    def test_a_failed_job_whose_twin_waits_does_not_stop_the_others(self, admin_client, coin):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, args) VALUES"
                " ('ops', 'a', 'twin', 'failed', '{}'), ('ops', 'a', 'twin', 'todo', '{}'),"
                " ('ops', 'b', NULL, 'failed', '{}')"
            )
        failed = ProcrastinateJob.objects.filter(status="failed")
        shown = act(admin_client, "procrastinate/procrastinatejob", "retry_failed", *failed)
        assert "1 jobs are run again" in shown
        assert "this failed" in shown
        assert set(ProcrastinateJob.objects.filter(status="todo").values_list("task_name", flat=True)) == {"a", "b"}

    def test_more_rows_than_the_maximum_is_refused(self, admin_client, make_shopper, monkeypatch):
        monkeypatch.setattr(actions, "MAX_CHOSEN", 1)
        chosen = [make_shopper().user, make_shopper().user]
        assert "Choose at most 1." in act(admin_client, "wallets/user", "freeze", *chosen)


class TestInterventions:
    path = "settlement/batch"

    @pytest.fixture
    def parked(self, batch, now):
        Attempt.objects.update(state="parked", ended_at=now)
        Batch.objects.update(state="parked", reason="ask_beyond_the_price_bound")
        return batch

    @pytest.mark.parametrize(
        ("action", "stored"), [("look_up", "look_again"), ("retry", "retry"), ("refund", "refund")]
    )
    def test_need_a_reason_and_are_queued_for_a_worker(self, admin_client, parked, action, stored):
        assert "Reason" in act(admin_client, self.path, action, parked)
        assert not Intervention.objects.exists()
        assert "queued; see Interventions" in act(admin_client, self.path, action, parked, reason="the price is back")
        intervention = Intervention.objects.get()
        assert (intervention.action, intervention.reason, intervention.outcome) == (stored, "the price is back", None)
        assert ProcrastinateJob.objects.filter(task_name="settlement.intervene").count() == 1
        assert LogEntry.objects.filter(change_message__contains="the price is back").exists()
        assert action.replace("_", " ") in page(admin_client, "settlement/intervention/").replace("_", " ")

    def test_that_mark_as_filled_need_figures(self, admin_client, parked, now):
        figures = {"quantity": "3.01", "cost": "12.04", "commission": "0.003"}
        refused = act(admin_client, self.path, "mark_filled", parked, reason="seen there", **figures)
        assert "No attempt of this batch is in doubt" in refused
        Attempt.objects.update(signed_at=now, valid_until=now, quantity="3.01", limit_price=4)
        assert "This field is required" in act(admin_client, self.path, "mark_filled", parked, reason="seen there")
        act(admin_client, self.path, "mark_filled", parked, reason="seen there", **figures)
        intervention = Intervention.objects.get()
        assert (intervention.attempt, intervention.quantity) == (Attempt.objects.get(), Decimal("3.01"))

    def test_need_a_permission(self, client, parked, make_staff):
        client.force_login(make_staff("settlement.view_batch"))
        assert '<option value="refund"' not in page(client, f"{self.path}/")
        act(client, self.path, "refund", parked, reason="I want to")
        assert not Intervention.objects.exists()
        assert client.get("/admin/attention/").status_code == 200

    def test_are_on_the_page_of_those_who_may_see_them(self, client, parked, make_staff, make_shopper):
        BreakGlass.objects.create(
            user=make_shopper().user, reason="gone", asked_from="x", ready_at=clock.now() + timedelta(days=1)
        )
        client.force_login(make_staff("settlement.view_batch"))
        assert "Parked batches" in page(client, "attention/")
        client.force_login(make_staff("trading.view_order"))
        shown = page(client, "attention/")
        assert "Parked batches" not in shown
        assert "asks for the powers of a superuser" in shown
        assert "Parked batches" not in page(client, "")
        client.force_login(make_shopper().user)
        assert client.get("/admin/attention/").status_code in {302, 403}


class TestToDo:
    path = "attention/"

    def test_says_that_nothing_waits(self, admin_client):
        assert "Nothing to do" in page(admin_client, self.path)
        assert self.path in page(admin_client, "")

    def test_links_to_each_record_that_waits(self, admin_client, batch):
        Batch.objects.update(state="parked", reason="ask_beyond_the_price_bound")
        listed = page(admin_client, self.path)
        assert "Parked batches" in listed
        assert f"/admin/settlement/batch/{batch.pk}/change/" in listed


class TestSwitches:
    def test_pause_buying_and_lift_the_pause(self, admin_client, coin):
        admin_client.post("/admin/settlement/pause/add/", {"coin": coin.pk, "reason": "looking into it"})
        pause = Pause.objects.get()
        assert (pause.coin, pause.until, pause.reason) == (coin, None, "looking into it")
        assert "pause of ABAN" in page(admin_client, "settlement/pause/")
        page(admin_client, f"settlement/pause/{pause.pk}/change/")
        assert "is lifted" in act(admin_client, "settlement/pause", "lift", pause, reason="looked into")
        assert not Pause.objects.exists()

    def test_close_and_open_the_shop(self, admin_client, api, shopper, coin):
        admin_client.post("/admin/trading/shop/add/", {"reason": "maintenance"})
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 503
        assert "closed" in page(admin_client, "trading/shop/")
        admin_client.post("/admin/trading/shop/1/change/", {"is_open": "on", "reason": "it is mended"})
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 201

    @pytest.mark.parametrize("reason", ["", "the first one"])
    def test_turn_the_switch_of_the_shop_for_a_reason_of_its_own(self, admin_client, reason):
        answer = admin_client.post("/admin/trading/shop/add/", {"reason": ""})
        assert "Say why the shop closes" in answer.content.decode()
        assert not Shop.objects.exists()
        admin_client.post("/admin/trading/shop/add/", {"reason": "the first one"})
        answer = admin_client.post("/admin/trading/shop/1/change/", {"is_open": "on", "reason": reason})
        assert "Say why the shop opens" in answer.content.decode()
        assert not Shop.objects.get().is_open

    def test_open_the_shop_for_a_reason_where_two_persons_are_needed(self, admin_client, settings):
        configure(settings, "PROPOSALS", kinds={"open_shop": Decimal(0)})
        admin_client.post("/admin/trading/shop/add/", {"reason": "maintenance"})
        assert not Shop.objects.get().is_open
        answer = admin_client.post("/admin/trading/shop/1/change/", {"is_open": "on", "reason": ""})
        assert "Say why the shop opens" in answer.content.decode()
        assert not Proposal.objects.filter(kind="open_shop").exists()
        admin_client.post("/admin/trading/shop/1/change/", {"is_open": "on", "reason": "it is mended"})
        assert Proposal.objects.get(kind="open_shop").reason == "it is mended"

    def test_close_findings_with_a_note(self, admin_client, admin_user, now):
        finding = raise_finding(contradiction=Contradiction(kind=FindingKind.LEDGER, subject="rule 7"), now=now)
        assert "rule 7" in page(admin_client, "settlement/finding/")
        act(admin_client, "settlement/finding", "close", finding, reason="ordered by hand")
        finding.refresh_from_db()
        assert (finding.closed_by, finding.note) == (admin_user, "ordered by hand")
        assert "rule 7" not in page(admin_client, "settlement/finding/")
        assert "closed or decided already" in act(admin_client, "settlement/finding", "close", finding, reason="again")

    def test_adopt_an_order_that_we_do_not_know_or_say_that_it_is_not_ours(self, admin_client, admin_user, now):
        ours, theirs = (
            raise_finding(contradiction=Contradiction(kind=FindingKind.EXTRA, subject=f"order x {n}"), now=now)
            for n in (1, 2)
        )
        assert "cannot only be closed" in act(admin_client, "settlement/finding", "close", ours, reason="enough")
        act(admin_client, "settlement/finding", "adopt", ours, reason="from before the restore")
        act(admin_client, "settlement/finding", "not_ours", theirs, reason="bought by hand")
        ours.refresh_from_db()
        theirs.refresh_from_db()
        assert (ours.decision, ours.closed_at, ours.note) == ("adopt", None, "from before the restore")
        assert (theirs.decision, theirs.closed_by, theirs.note) == ("not_ours", admin_user, "bought by hand")
        jobs = ProcrastinateJob.objects.filter(task_name="settlement.adopt_order")
        assert [job.args for job in jobs] == [{"finding_id": ours.pk}]
        assert "decided" in act(admin_client, "settlement/finding", "not_ours", ours, reason="again")


class TestFindings:
    @pytest.mark.parametrize(("kind", "offered"), [("extra", {"adopt", "not_ours"}), ("missing", {"close"})])
    def test_offer_only_the_decisions_that_fit(self, admin_client, now, kind, offered):
        finding = raise_finding(contradiction=Contradiction(kind=FindingKind(kind), subject="order x 1"), now=now)
        assert offered_actions(admin_client, f"settlement/finding/{finding.pk}") == offered

    def test_that_are_closed_offer_nothing(self, admin_client, admin_user, now):
        finding = raise_finding(contradiction=Contradiction(kind=FindingKind.LEDGER, subject="rule 7"), now=now)
        close_finding(finding=finding, closed_by=admin_user, note="mended", now=now)
        assert offered_actions(admin_client, f"settlement/finding/{finding.pk}") == set()


class TestVenueAccount:
    def test_pages_show_amounts_with_their_units(self, admin_client, batch, now):
        attempt = Attempt.objects.get()
        Attempt.objects.update(
            state="sent",
            signed_at=now,
            valid_until=now,
            quantity=15,
            limit_price=4,
            clock_offset=-timedelta(seconds=0.5),
        )
        seen = page(admin_client, f"settlement/attempt/{attempt.pk}/change/")
        assert "15 ABAN" in seen
        assert "-0.500 s" in seen
        reading = BalanceReading.objects.create(
            venue="binance", asset="ABAN", amount=5, expected=7, difference=-2, read_at=now
        )
        seen = page(admin_client, f"settlement/balancereading/{reading.pk}/change/")
        assert "-2 ABAN" in seen
        assert offered_actions(admin_client, f"settlement/balancereading/{reading.pk}") == set()
        VenueAccount.objects.create(venue="binance", asset="USDT", free="1234567.5", read_at=now)
        assert "1,234,567.5 USDT" in page(admin_client, "settlement/venueaccount/")

    def test_moves_are_booked_with_a_unit_and_a_reason(self, admin_client, coin):
        given = {"asset": "ABAN", "kind": "move", "amount": "-1.5", "reason": "moved to the vault"}
        listed = admin_client.post("/admin/settlement/accountmove/add/", given, follow=True).content.decode()
        move = AccountMove.objects.get()
        assert f"move of -1.5 ABAN at {move.venue}" in listed
        assert "-1.5 ABAN" in listed

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"amount": "0"}, "A move moves something"),
            ({"amount": "0.000000001"}, "no more than 8 decimal places"),
            ({"amount": "1e40"}, "no more than 38 digits"),
            ({"amount": "many"}, "Enter a number"),
            ({"reason": "  "}, "This field is required"),
            ({"asset": "NOPE"}, "Select a valid choice"),
        ],
    )
    def test_moves_that_cannot_be_booked_say_why_once(self, admin_client, coin, given, said):
        fields = {"asset": "ABAN", "kind": "move", "amount": "1", "reason": "x", **given}
        answer = admin_client.post("/admin/settlement/accountmove/add/", fields)
        assert answer.status_code == 200
        assert (said in answer.content.decode(), "Constraint" in answer.content.decode()) == (True, False)
        assert not AccountMove.objects.exists()

    def test_says_why_nothing_is_sent(self, admin_client, now):
        begin_watch()
        DatabaseWatch.objects.update(doubted_at=now, doubt="x", stopped_at=now, found=["order y"])
        watch = DatabaseWatch.objects.get()
        seen = page(admin_client, f"settlement/databasewatch/{watch.pk}/change/")
        assert "until manage.py after_restore has run" in seen
        assert "order y" in seen
        assert "<code>manage.py after_restore</code>" in page(admin_client, "attention/")


class TestJobs:
    path = "procrastinate/procrastinatejob"

    def test_can_only_be_retried_and_only_after_they_failed(self, admin_client, order):
        job = ProcrastinateJob.objects.get()
        offered = page(admin_client, f"{self.path}/")
        assert "retry_failed" in offered
        for dangerous in ("cancel", "abort", "delete_selected"):
            assert f'value="{dangerous}"' not in offered
            act(admin_client, self.path, dangerous, job)
        act(admin_client, self.path, "retry_failed", job)
        assert ProcrastinateJob.objects.get().status == "todo"
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 8")
        assert "1 jobs are run again" in act(admin_client, self.path, "retry_failed", job)
        retried = ProcrastinateJob.objects.get()
        assert (retried.status, retried.attempts) == ("todo", 0), "the failures before the mend do not count"

    def test_are_due_now_by_the_clock_of_postgres_when_they_are_retried(self, admin_client, order, monkeypatch):
        an_hour_ahead = datetime.now(UTC) + timedelta(hours=1)
        monkeypatch.setattr("procrastinate.utils.utcnow", lambda: an_hour_ahead)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'failed'")
        act(admin_client, self.path, "retry_failed", ProcrastinateJob.objects.get())
        assert ProcrastinateJob.objects.get().scheduled_at <= clock.database_now()


def test_the_filter_by_asset_lists_coins_without_movements(admin_client, shopper):
    make_coin("RARE", "1.00")
    assert "asset=RARE" in page(admin_client, "wallets/transaction/")


def test_every_page_that_adds_a_record_opens(admin_client):
    pages = sorted(set(re.findall(r'href="(/admin/[a-z/]+/add/)"', admin_client.get("/admin/").content.decode())))
    assert {"/admin/trading/coin/add/", "/admin/wallets/deposit/add/", "/admin/wallets/user/add/"} <= {*pages}
    assert [page for page in pages if admin_client.get(page).status_code != 200] == []
