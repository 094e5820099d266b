"""The pages, in a real browser that can connect only to this service."""

import os
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from playwright.sync_api import sync_playwright

from settlement.models import Attempt, Batch, Intervention
from settlement.services.claiming import claim_waiting_orders
from settlement.services.pausing import pause_buying
from tests.configure import configure
from tests.conftest import make_coin
from tests.site.test_one_person import World
from tests.site.test_openapi import IDS
from tests.staff import make_chief
from tests.wallets.bank import DAY, IBAN
from trading.models import Order
from wallets.models import Deposit, ProposalRecord
from wallets.services.proposals import propose
from wallets.services.proposing import UNFREEZE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, PHONE, SMALL = {"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 568}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: chromium)"),
]


@contextmanager
def page_at(address, *, size=WIDE, scheme="light", complains=True, scripts=True):
    """Open a page in the browser. Fails if the console shows an error, or if the page requests another server."""
    complaints = []
    with sync_playwright() as playwright:
        # No name can be resolved, so the browser cannot reach another server.
        arguments = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # as root, Chromium starts only without a sandbox
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "requestfailed",
            lambda request: complaints.append(f"{request.url}: {request.failure}") if _failed(request) else None,
        )
        page.on(
            "request", lambda request: complaints.append(request.url) if _is_foreign(request.url, address) else None
        )
        try:
            page.goto(address)
            yield page
            page.wait_for_load_state("networkidle")
            assert not complains or complaints == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                "the page is wider than the screen"
            )
        finally:
            browser.close()


def _failed(request):
    """Leave out what the browser itself gave up: a slow icon of a page that the test has already left."""
    return request.failure != "net::ERR_ABORTED"


def _is_foreign(url, address):
    return not url.startswith((f"http://{urlsplit(address).netloc}/", "data:", "blob:"))


def sign_in(page, user):
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()


@pytest.fixture
def site(make_api_process):
    return make_api_process().removesuffix("/api/v1/")


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_root_page_links_to_pages_that_answer(site, size):
    make_coin("ABAN", "4.00")
    with page_at(f"{site}/", size=size) as page:
        links = page.eval_on_selector_all("a", "links => [...new Set(links.map(link => link.href))]")
        for path in ("/api/v1/swagger/", "/api/v1/redoc/", "/api/v1/openapi.json", "/admin/", "/health/ready/"):
            assert f"{site}{path}" in links
        for link in links:
            assert page.request.get(link).ok, link


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_redoc_shows_every_operation(site, size):
    with page_at(f"{site}/api/v1/redoc", size=size) as page:
        page.get_by_role("heading", name="Buy a coin").wait_for()
        assert page.locator("[data-section-id*='/operation/']").count() == len(IDS)


def test_an_order_is_placed_from_swagger_ui(site, shopper, coin):
    with page_at(f"{site}/api/v1/swagger") as page:
        page.locator("button.authorize").first.click()
        page.get_by_role("textbox").first.fill(shopper.tokens.access)
        page.locator(".auth-btn-wrapper button.authorize").click()
        page.locator(".auth-btn-wrapper .btn-done").click()
        page.locator("#operations-orders-placeOrder .opblock-summary-control").click()
        operation = page.locator("#operations-orders-placeOrder")
        operation.locator("textarea").first.fill('{"crypto": "ABAN", "amount": "3"}')
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table")
        answer.wait_for()
        assert answer.locator(".response-col_status").nth(1).inner_text().startswith("201")
        assert '"state": "pending"' in answer.inner_text()
    order = Order.objects.get()
    assert (order.customer_id, order.charge) == (shopper.user.pk, 12)


def test_swagger_ui_fits_a_phone(site):
    with page_at(f"{site}/api/v1/swagger/", size=PHONE) as page:
        page.locator("#operations-orders-placeOrder").wait_for()
        assert page.locator(".opblock").count() == len(IDS)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_staff_find_and_refund_a_held_order_in_the_admin(site, admin_user, shopper, coin, api, settings, size):
    configure(settings, "RISK", max_value=0)
    order = Order.objects.get(pk=api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["id"])
    assert order.state == "held"
    with page_at(f"{site}/admin/", size=size) as page:
        sign_in(page, admin_user)
        page.get_by_role("link", name="Review").first.wait_for()
        lists = page.eval_on_selector_all("#content-main th a", "links => links.map(link => link.href)")
        assert len(lists) >= 9
        for link in lists:
            page.goto(link)
            page.locator("#changelist").wait_for()
        page.goto(f"{site}/admin/trading/order/{order.pk}/change/")
        page.get_by_role("link", name="review", exact=True).click()
        page.get_by_role("button", name="Refund").click()
        page.get_by_label("Reason").fill("not the customer's own card")
        page.get_by_role("button", name="Refund").click()
        page.get_by_text(f"Order {order.pk} is refunded now.").wait_for()
    order.refresh_from_db()
    assert order.state == "refunded"


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_staff_find_and_refund_a_parked_batch_from_the_to_do_page(site, admin_user, shopper, coin, api, now, size):
    api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
    batch = claim_waiting_orders(coin_id=coin.pk, now=now)
    Attempt.objects.update(state="parked", ended_at=now)
    Batch.objects.update(state="parked", reason="ask_beyond_the_price_bound")
    pause_buying(coin=None, reason="a rumour", set_by=admin_user, now=now)
    with page_at(f"{site}/admin/", size=size) as page:
        sign_in(page, admin_user)
        page.get_by_role("link", name="To do", exact=True).first.click()
        page.get_by_role("heading", name="Parked batches").wait_for()
        assert page.locator("#to-do section").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("link", name=f"batch {batch.pk}").click()
        page.get_by_role("button", name="Refund").click()
        page.get_by_label("Reason").fill("they have waited long enough")
        page.get_by_role("button", name="Refund").click()
        page.get_by_text("queued; see Interventions").wait_for()
    assert Intervention.objects.get().action == "refund"


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_two_people_book_a_deposit_in_two_browsers(make_api_process, shopper, size):
    site = make_api_process(TWO_PERSONS="all").removesuffix("/api/v1/")
    ann, bob = (make_chief(name, password="password") for name in ("ann", "bob"))
    with page_at(f"{site}/admin/", size=size) as page:
        sign_in(page, ann)
        page.locator("#user-tools").wait_for()
        page.goto(f"{site}/admin/wallets/deposit/add/")
        given = {"customer_name": shopper.user.username, "amount": "25.00", "source": IBAN, "reference": "b1"}
        for name, text in {**given, "received_on": str(DAY), "reason": "seen on the account"}.items():
            page.locator(f"#id_{name}").fill(text)
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("another member of staff has to approve").wait_for()
        decide(page, site)
        page.get_by_text("Somebody else has to decide").wait_for()
    assert (shopper.wallet.balance, ProposalRecord.objects.count()) == (100, 0)
    with page_at(f"{site}/admin/", size=size) as page:
        sign_in(page, bob)
        page.locator("#user-tools").wait_for()
        decide(page, site)
        page.get_by_text("is done").first.wait_for()
        page.goto(f"{site}/admin/wallets/deposit/")
        page.get_by_role("link", name=shopper.user.username).first.wait_for()
    assert (shopper.wallet.balance, Deposit.objects.get(reference="b1").approved_by) == (125, bob)


def decide(page, site):
    """Try to approve the one proposal that waits."""
    page.goto(f"{site}/admin/wallets/proposal/")
    page.locator("#result_list th a").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Reason").fill("I have compared it")
    page.get_by_role("button", name="Approve").click()


def test_no_list_of_the_admin_scrolls_sideways(site, admin_user, make_shopper, api, settings):
    """Each list has rows, and all its columns are on a screen of 1280 pixels."""
    world = World(make_shopper, api, settings)
    configure(settings, "PROPOSALS", kinds={"unfreeze": 0})
    payload = UNFREEZE.payload_of(owner_id=world.frozen.user.pk)
    propose(kind="unfreeze", payload=payload, reason="the bank has confirmed who they are", asked_by=admin_user)
    with page_at(f"{site}/admin/", size=WIDE) as page:
        sign_in(page, admin_user)
        page.locator("#user-tools").wait_for()
        too_wide = {}
        for model in admin.site._registry:
            name = f"{model._meta.app_label}/{model._meta.model_name}"
            page.goto(f"{site}/admin/{name}/")
            page.locator("#changelist").wait_for()
            results = page.locator("#changelist .results")
            if results.count():
                missing = results.evaluate("list => list.scrollWidth - list.clientWidth")
                if missing > 0:
                    too_wide[name] = missing
            if os.environ.get("SHOTS"):
                page.screenshot(path=f"{os.environ['SHOTS']}/{name.replace('/', '_')}.png")
        assert too_wide == {}
