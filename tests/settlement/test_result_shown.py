"""The house's result in the admin and in the metrics."""

import pytest
from django.contrib.auth.models import Permission

from settlement.selectors.results import read_result
from tests.owner import run_as_owner
from tests.site.test_admin import page
from tests.site.test_metrics import read
from trading.loss_rules import day_of
from wallets.models import User
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_staff(db):
    def make(codename):
        staff = User.objects.create_user(codename, is_staff=True)
        staff.user_permissions.add(Permission.objects.get(content_type__app_label="trading", codename=codename))
        return staff

    return make


def found_by(client):
    return read(client.get("/metrics/").content.decode())


class TestThePage:
    def test_says_that_nothing_was_booked(self, admin_client):
        assert "Nothing was booked" in page(admin_client, "result/")
        assert "/admin/result/" in page(admin_client, "")

    def test_shows_a_day_with_its_chart_and_its_sum(self, admin_client, place, settle):
        place("60.00")
        settle()
        shown = page(admin_client, "result/")
        assert "It adds up to the ledger" in shown
        assert '<th scope="row">ABAN</th>' in shown
        assert "a gain of" in shown or "a loss of" in shown
        assert " so far" in shown

    def test_says_a_loss_in_words(self, admin_client, place, settle, simulator):
        simulator.set_prices(ABAN="4.03")
        place("40.00")
        settle()
        shown = page(admin_client, "result/")
        assert ": a loss of" in shown
        assert '<span class="badge badge-urgent">loss</span>' in shown

    def test_says_when_it_does_not_add_up(self, admin_client, place, settle):
        place("60.00")
        settle()
        run_as_owner("UPDATE wallets_transaction SET amount = amount + 1 WHERE kind = 'fill_cost'")
        assert "does not add up to the ledger" in page(admin_client, "result/")

    @pytest.mark.parametrize("form", ["csv", "json"])
    def test_is_downloaded(self, admin_client, place, settle, form):
        place("60.00")
        settle()
        answer = admin_client.get(f"/admin/result/?as={form}")
        assert answer["Content-Disposition"].endswith(f'.{form}"')
        assert "60.00" in answer.content.decode()

    @pytest.mark.parametrize(
        "asked",
        [
            "from=x",
            "from=2026-02-30",
            "to=9999-01-01",
            "from=2026-01-02&to=2026-01-01",
            "from=2000-01-01",
            "to=0000-01-01",
        ],
    )
    def test_refuses_bad_days_with_a_sentence(self, admin_client, asked):
        answer = admin_client.get(f"/admin/result/?{asked}&as=csv")
        assert answer.status_code == 400
        assert "errornote" in answer.content.decode()

    def test_takes_the_first_day_of_all(self, admin_client):
        assert admin_client.get("/admin/result/?to=0001-01-01").status_code == 200

    def test_needs_the_permission_to_see_losses(self, client, make_staff):
        client.force_login(make_staff("view_order"))
        assert client.get("/admin/result/").status_code == 403
        assert "/admin/result/" not in page(client, "")
        client.force_login(make_staff("view_dayloss"))
        assert client.get("/admin/result/").status_code == 200


class TestMetrics:
    def test_shows_the_result_of_today(self, client, place, settle):
        place("60.00")
        settle()
        found = found_by(client)
        told = read_result(first=day_of(clock.now()), last=day_of(clock.now())).rows[0]
        assert told.coin == "ABAN"
        assert found["exchange_result_today_usd", (("coin", "ABAN"),)] == pytest.approx(
            float(told.figures.result - told.figures.fees)
        )
        assert found["exchange_inventory_usd", (("at", "cost"), ("coin", "ABAN"))] == float(told.stock.cost) > 0
        assert found["exchange_inventory_usd", (("at", "market"), ("coin", "ABAN"))] == float(told.stock.worth) > 0
