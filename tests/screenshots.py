"""Take the pictures of docs/pictures from the running product: `task screenshots`, or `… -- FOLDER`.

A stack of its own tells the demo's story while a browser looks at the home page. Then an order is placed from the page.
"""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import django
from playwright.sync_api import sync_playwright
from rich.console import Console

from exchange_site.stack.demo.run import RATE_LIMITS
from exchange_site.stack.processes import PROJECT
from exchange_site.stack.running import running_stack

WIDE, TALL = {"width": 1280, "height": 940}, {"width": 1280, "height": 3000}
PHONE = {"width": 390, "height": 1100}
_SECONDS = 90_000


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with _stack() as addresses, sync_playwright() as playwright, _browser(playwright) as browser:
        with ThreadPoolExecutor(1) as telling:
            pages = {scheme: _open(browser, addresses.api, scheme=scheme) for scheme in ("light", "dark")}
            told = telling.submit(_tell, addresses)
            for scheme, page in pages.items():
                page.locator('#story [data-part="found-count"]', has_text="1").wait_for(timeout=_SECONDS)
                page.screenshot(path=folder / f"home-{scheme}.png")
            told.result()
        for scheme, page in pages.items():
            _order(page)
            page.set_viewport_size(TALL)  # else the page's header would lie over the picture
            page.locator("#first-order").screenshot(path=folder / f"order-{scheme}.png")
        for scheme in pages:
            page = _open(browser, addresses.api, scheme=scheme, size=PHONE)
            page.screenshot(path=folder / f"phone-{scheme}.png")
    for picture in sorted(folder.glob("*.png")):
        sys.stdout.write(f"{picture}: {picture.stat().st_size / 1000:.0f} kB\n")


@contextmanager
def _stack():
    with tempfile.TemporaryDirectory(prefix="crypto-exchange-pictures-") as name:
        Path(name).chmod(0o755)  # the database server's user must get in
        with running_stack(Path(name) / "data", environment=RATE_LIMITS) as addresses:
            os.environ.update({**addresses.environment, "DJANGO_SETTINGS_MODULE": "exchange_site.settings"})
            django.setup()
            yield addresses


@contextmanager
def _browser(playwright):
    # Chromium is found here, because the tests' own module needs Django's settings.
    from tests.site.test_browser import CHROMIUM

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield browser
    browser.close()


def _open(browser, api, *, scheme, size=WIDE):
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(f"{api}/")
    page.locator("#prices tbody strong").first.wait_for()
    return page


def _tell(addresses):
    from exchange_site.stack.demo.story import tell

    tell(Console(file=StringIO()), addresses)


def _order(page):
    page.get_by_role("button", name="Place the order").click()
    page.locator(".outcome[data-state=completed]").wait_for(timeout=_SECONDS)
    page.locator("summary").nth(2).click()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else PROJECT / "docs" / "pictures")
