"""The home page in a real browser: the first order, the story, light and dark, wide and narrow, by keyboard alone."""

import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.conftest import make_coin
from tests.simulators import running_simulator
from tests.site.test_browser import CHROMIUM, PHONE, SMALL, WIDE, page_at, sign_in
from trading.models import Order
from wallets.models import User, Wallet

# A customer's first order needs some seconds: an order, its purchase, and the page's next question.
SECONDS = 60_000
LOOKS = [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: chromium)"),
]


@pytest.fixture
def sandbox(make_api_process, make_worker, tmp_path):
    """A sandbox that sells ABAN and settles its orders: API, worker, simulator. Its URL."""
    make_coin("ABAN", "20.00")
    with running_simulator(tmp_path, "--spread", "0") as venue:
        make_worker(EXCHANGE_URL=venue.url)
        yield make_api_process(EXCHANGE_URL=venue.url).removesuffix("/api/v1/")


@pytest.fixture
def site(make_api_process):
    make_coin("ABAN", "20.00")
    return make_api_process().removesuffix("/api/v1/")


def serious_violations(page):
    """Return what axe finds that keeps people out, with the elements."""
    found = Axe().run(page).response["violations"]
    return {
        violation["id"]: [node["target"] for node in violation["nodes"]]
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    }


def brightness_of(page, selector):
    """Return the brightest part of an element's background: 255 is white."""
    colour = page.locator(selector).first.evaluate("element => getComputedStyle(element).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", colour)[:3])


def expect_outcome(page, text):
    expect(page.locator("#first-order .outcome")).to_have_text(re.compile(text), timeout=SECONDS)


def lose_answers(page, address, *, times=1):
    """Let calls reach the service, and the first of its answers not reach the page."""

    def lose(route):
        route.fetch()
        route.abort()

    page.route(address, lose, times=times)


class TestTheFirstOrder:
    @pytest.mark.parametrize(("size", "scheme"), LOOKS)
    def test_is_placed_and_settled_from_the_page(self, sandbox, size, scheme):
        with page_at(f"{sandbox}/", size=size, scheme=scheme) as page:
            page.get_by_role("link", name="Place your first order").click()
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, r"Done: you have bought 1\.25 ABAN\.")
            steps = page.locator("#first-order .steps > li")
            assert steps.locator("strong").all_inner_texts() == [
                "Register", "Deposit", "Buy", "Watch it settle", "See your coins",
            ]  # fmt: skip
            assert steps.locator(".badge").all_inner_texts() == ["201", "200", "201", "200", "200"]
            expect(page.locator('#story [data-part="settled"]')).to_have_text("1", timeout=SECONDS)
            expect(page.locator('#story [data-part="ledger"]')).to_have_text("$0.00")
            assert serious_violations(page) == {}
        order = Order.objects.get()
        assert (order.state, order.charge) == ("completed", 25)

    def test_shows_each_request_as_curl_and_its_answer(self, sandbox):
        with page_at(f"{sandbox}/") as page:
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "Done")
            username = page.locator("#first-order .customer dd").first.inner_text()
            page.locator("summary").nth(2).click()
            shown = page.locator("#first-order .steps > li").nth(2)
            assert f"curl -X POST {sandbox}/api/v1/orders/" in shown.inner_text()
            assert '-H "Authorization: Bearer $TOKEN"' in shown.inner_text()
            assert '"state": "pending"' in shown.inner_text()
            assert serious_violations(page) == {}
        assert User.objects.get(orders__charge=25).username == username

    def test_that_is_small_waits_in_its_pool_which_the_page_shows(self, site):
        with page_at(f"{site}/") as page:
            page.get_by_label("For US dollars").fill("4.00")
            expect(page.locator(".hint")).to_have_text("Below $10.00: it waits in its pool.")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, r"It waits in its pool: \$4\.00 of \$10\.00, by ")
            pool = page.get_by_role("progressbar", name="Pool of ABAN: $4.00 of $10.00")
            expect(pool).to_have_attribute("value", "4")
        assert Order.objects.get().state == "aggregated"

    @pytest.mark.parametrize(
        "detail",
        [
            "Too many calls (register). Try again in 7 s.",
            "Too many calls (register). Try again.",
            "Too many calls (register).",
        ],
    )
    def test_that_comes_too_early_says_once_when_to_try_again(self, site, detail):
        problem = {"type": "/problems/rate_limited/", "code": "rate_limited", "detail": detail}
        with page_at(f"{site}/", complains=False) as page:
            page.route(
                "**/register/", lambda route: route.fulfill(status=429, headers={"Retry-After": "7"}, json=problem)
            )
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, r"^Too many calls \(register\)\. Try again in 7 s\.$")

    def test_of_a_magic_coin_is_announced_as_such(self, site):
        make_coin("HOLD", "20.00", title="Sandbox: held for a review by staff")
        with page_at(f"{site}/") as page:
            coin = page.locator("#first-order select")
            coin.select_option("HOLD", timeout=SECONDS)
            expect(page.locator(".hint")).to_have_text("A magic coin: held for a review by staff.")
            coin.select_option("ABAN")
            expect(page.locator(".hint")).to_have_text("From $10.00 on: it is bought at once.")

    def test_finds_no_empty_pools_of_magic_coins_there(self, site):
        make_coin("HOLD", "20.00", title="Sandbox: held for a review by staff")
        with page_at(f"{site}/") as page:
            expect(page.get_by_role("progressbar", name="Pool of ABAN: $0.00 of $10.00")).to_be_visible()
            expect(page.get_by_role("progressbar")).to_have_count(1)

    def test_gives_its_token_to_the_clipboard_also_over_plain_http(self, site):
        """Where navigator.clipboard is missing."""
        with page_at(f"{site}/") as page:
            page.get_by_label("For US dollars").fill("4.00")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "It waits in its pool")
            page.evaluate(
                "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
                "document.addEventListener('copy', () => { window.copied = document.activeElement.value; })"
            )
            button = page.get_by_role("button", name="Copy as TOKEN=…")
            button.click()
            expect(button).to_have_text("Copied")
            expect(button).to_be_focused()
            assert page.evaluate("window.copied").startswith("TOKEN=eyJ")
            assert page.locator("textarea").count() == 0

    def test_is_placed_by_keyboard_alone(self, sandbox):
        with page_at(f"{sandbox}/") as page:
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
            page.keyboard.press("Enter")
            for _ in range(6):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.name") == "crypto":
                    break
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            page.keyboard.press("Tab")
            page.keyboard.press("Control+A")
            page.keyboard.type("40.00")
            page.keyboard.press("Enter")
            expect_outcome(page, r"Done: you have bought 2 ABAN\.")
        assert Order.objects.get().charge == 40

    def test_is_followed_by_another_at_the_next_enter_also_on_a_small_screen(self, sandbox):
        with page_at(f"{sandbox}/", size=SMALL) as page:
            page.locator("#first-order form button").focus()
            for count in ("1", "2"):
                page.keyboard.press("Enter")
                expect(page.locator('#story [data-part="settled"]')).to_have_text(count, timeout=SECONDS)
                expect_outcome(page, r"Done: you have bought 1\.25 ABAN\.")
                button = page.get_by_role("button", name="Place another order")
                expect(button).to_be_enabled()
                expect(button).to_be_focused()
        assert Order.objects.count() == 2

    def test_of_which_the_answer_was_lost_is_placed_once(self, site):
        with page_at(f"{site}/", complains=False) as page:
            lose_answers(page, "**/api/v1/orders/")
            page.get_by_label("For US dollars").fill("4.00")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "does not answer.*placed once")
            page.get_by_role("button", name="Try again").click()
            expect_outcome(page, r"It waits in its pool: \$4\.00 of")
            page.get_by_role("button", name="Place another order").click()
            expect_outcome(page, r"It waits in its pool: \$8\.00 of")
        assert Order.objects.count() == 2

    def test_follows_a_deposit_of_which_the_answer_was_lost(self, site):
        with page_at(f"{site}/", complains=False) as page:
            lose_answers(page, "**/accounts/wallet/deposit/")
            page.get_by_label("For US dollars").fill("4.00")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "does not answer")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "It waits in its pool")
        assert Wallet.objects.get(owner__orders__charge=4, asset="USD").balance == 96

    def test_is_watched_on_when_the_service_did_not_answer_for_a_while(self, sandbox):
        with page_at(f"{sandbox}/", complains=False) as page:
            lose_answers(page, re.compile(r"/orders/\d+/$"), times=2)
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, r"The service does not answer\. Asking for order \d+ again\.")
            expect_outcome(page, r"Done: you have bought 1\.25 ABAN\.")
        assert Order.objects.count() == 1

    def test_that_is_refused_says_why(self, site):
        with page_at(f"{site}/", complains=False) as page:
            page.get_by_label("For US dollars").fill("100000.00")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "needed|funds|most")
        assert not Order.objects.exists()

    def test_after_one_for_which_the_dollars_were_too_few_is_another_customers(self, site):
        with page_at(f"{site}/", complains=False) as page:
            page.get_by_label("For US dollars").fill("100.01")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "needed|funds")
            page.get_by_label("For US dollars").fill("4.00")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, r"It waits in its pool: \$4\.00")
            username = page.locator("#first-order .customer dd").first.inner_text()
        assert User.objects.get(orders__charge=4).username == username
        assert User.objects.filter(username__startswith="sandbox-").count() == 2

    def test_that_is_held_is_not_watched_for_ever(self, make_api_process):
        make_coin("HOLD", "20.00")
        site = make_api_process(RISK_MAX_VALUE_OF_COINS="HOLD=0").removesuffix("/api/v1/")
        with page_at(f"{site}/") as page:
            expect(page.locator("#first-order option")).to_have_text("HOLD")
            page.get_by_role("button", name="Place the order").click()
            expect_outcome(page, "It is held until staff decide")
            expect(page.get_by_role("button", name="Place another order")).to_be_enabled()
        assert Order.objects.get().state == "held"


class TestTheHomePage:
    def test_outside_a_sandbox_has_no_form_and_says_how_to_begin(self, make_api_process):
        make_coin("ABAN", "20.00")
        site = make_api_process(SELF_SERVICE_DEPOSITS="False").removesuffix("/api/v1/")
        with page_at(f"{site}/") as page:
            page.get_by_role("heading", name="How to begin").wait_for()
            page.get_by_role("row", name="ABAN").wait_for()
            assert page.locator("form").count() == page.locator("#story").count() == 0
            assert serious_violations(page) == {}

    def test_shows_no_form_where_scripts_are_off(self, site):
        with page_at(f"{site}/", scripts=False) as page:
            expect(page.locator("#first-order noscript p")).to_contain_text("Without JavaScript, begin in a terminal")
            for part in ("#first-order form", "#story", "#prices"):
                expect(page.locator(part)).to_be_hidden()

    def test_asks_nothing_while_it_is_hidden(self, site):
        with page_at(f"{site}/") as page:
            page.get_by_role("row", name="ABAN").wait_for()
            asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.evaluate(
                "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});"
                "document.dispatchEvent(new Event('visibilitychange'))"
            )
            page.wait_for_timeout(4000)
            assert asked == []
            page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
            page.wait_for_timeout(500)
            assert {url.removeprefix(site) for url in asked} >= {
                "/api/v1/sandbox/story/", "/api/v1/exchanges/crypto-currencies/",
            }  # fmt: skip

    def test_announces_only_what_is_found_while_it_is_open(self, site):
        story = httpx.get(f"{site}/api/v1/sandbox/story/").json()
        found = [{"id": 7, "crypto": "ETH", "state": "filled", "orders": 1, "amount": "1", "cost": "2", "lookups": 1}]
        found[0] |= {"created_at": story["at"], "ended_at": story["at"]}

        def answer(route):
            route.fulfill(json={**story, "purchases": found, "found": found})

        with page_at(f"{site}/") as page:
            page.route("**/sandbox/story/", answer)
            page.reload()
            purchases = page.locator('#story [data-part="purchases"] > li')
            announced = page.locator('#story [data-part="announcement"]')
            expect(purchases).to_have_count(1)
            page.wait_for_timeout(2500)
            expect(announced).to_be_empty()
            found.insert(0, {**found[0], "id": 9, "crypto": "SOL", "ended_at": "2100-01-31T12:00:00Z"})
            expect(announced).to_have_text("The lost answer to purchase 9, of SOL, was found.", timeout=SECONDS)
            found.insert(0, {**found[0], "id": 5, "crypto": "ADA", "ended_at": "2100-01-31T12:00:01Z"})  # an older one
            expect(announced).to_have_text("The lost answer to purchase 5, of ADA, was found.", timeout=SECONDS)
            found[:] = [{**found[2], "id": 1}]  # a stack with new data
            expect(purchases).to_have_count(1)
            expect(announced).to_have_text("The lost answer to purchase 5, of ADA, was found.")

    def test_leaves_half_of_the_calls_of_its_address_to_others(self, make_api_process):
        make_coin("ABAN", "20.00")
        site = make_api_process(RATE_LIMIT_ANON="10/m").removesuffix("/api/v1/")
        with page_at(f"{site}/") as page:
            page.wait_for_timeout(10_000)
            assert page.request.get(f"{site}/api/v1/exchanges/crypto-currencies/").ok


class TestOtherPages:
    @pytest.mark.parametrize(("size", "scheme"), LOOKS)
    def test_swagger_ui_keeps_nobody_out(self, site, size, scheme):
        with page_at(f"{site}/api/v1/swagger/", size=size, scheme=scheme) as page:
            operation = page.locator("#operations-orders-placeOrder")
            operation.wait_for()
            assert serious_violations(page) == {}
            operation.locator(".opblock-summary-control").click()
            operation.locator(".responses-table").wait_for()
            assert serious_violations(page) == {}

    def test_swagger_ui_follows_the_system_from_light_to_dark(self, site):
        with page_at(f"{site}/api/v1/swagger/") as page:
            page.locator("#operations-orders-placeOrder").wait_for()
            assert brightness_of(page, "body") > 192
            page.emulate_media(color_scheme="dark")
            assert max(brightness_of(page, part) for part in ("body", ".opblock")) < 64

    def test_redoc_keeps_nobody_out(self, site):
        with page_at(f"{site}/api/v1/redoc/") as page:
            page.get_by_role("heading", name="Buy a coin").wait_for()
            assert serious_violations(page) == {}

    def test_the_admin_keeps_nobody_out(self, site, admin_user):
        with page_at(f"{site}/admin/") as page:
            assert serious_violations(page) == {}
            sign_in(page, admin_user)
            page.locator("#user-tools").wait_for()
            assert serious_violations(page) == {}

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(
        ("path", "heading"),
        [("guide", "Guide for client developers"), ("sandbox", "The sandbox"), ("versions", "Versions")],
    )
    def test_a_document_is_a_page(self, site, path, heading, scheme):
        with page_at(f"{site}/{path}/", size=PHONE, scheme=scheme) as page:
            page.get_by_role("heading", name=heading, exact=True).wait_for()
            assert serious_violations(page) == {}
