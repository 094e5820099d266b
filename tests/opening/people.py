"""Customers, who use the API, and staff, who besides sit at a browser each."""

import time

import httpx
import pyotp

_STEP_SECONDS = 30
_PASSWORD = "a horse ate {name}'s last staple"


class Person:
    """Somebody with an account. All calls are made over HTTP."""

    def __init__(self, site, name):
        self.name, self.address = name, f"{name}@example.com"
        self.password = _PASSWORD.format(name=name)
        self.recovery_codes, self._secret, self._last_step = [], None, 0
        self._client = httpx.Client(base_url=f"{site}/api/v1/", timeout=60)

    def call(self, method, path, body=None, *, expect=200, **headers):
        """Make a call, and return what it answers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._client.request(method, path, json=body, headers=sent)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def refused(self, method, path, body=None, *, status, **headers):
        """Make a call that is refused, and return the problem's code."""
        return self.call(method, path, body, expect=status, **headers)["code"]

    def choose_password(self, mailbox):
        """Follow the newest link for a new password."""
        token = mailbox.token_to(self.address, purpose="reset-password")
        self.call("POST", "accounts/auth/password/reset/", {"token": token, "new": self.password}, expect=204)

    def sign_in(self):
        body = {"username": self.name, "password": self.password}
        self._use(self.call("POST", "accounts/auth/login/", body))

    def turn_second_factor_on(self):
        self._secret = self.call("POST", "accounts/mfa/", {"password": self.password}, expect=201)["secret"]
        self.recovery_codes = self.call("POST", "accounts/mfa/confirm/", {"otp": self.otp()})["recovery_codes"]

    def otp(self):
        """Return a one-time code that was not used yet, as soon as the server would take it."""
        step = max(self._last_step + 1, int(time.time() // _STEP_SECONDS))
        while time.time() // _STEP_SECONDS < step - 1:
            time.sleep(0.2)
        self._last_step = step
        return pyotp.TOTP(self._secret).at(step * _STEP_SECONDS)

    def proof(self):
        """Return what a command asks for that names this person: the password, and a code, which is used up."""
        return f"{self.password}\n{self.recovery_codes.pop()}\n"

    def close(self):
        self._client.close()

    def _use(self, tokens):
        self._client.headers["Authorization"] = f"Bearer {tokens['access']}"


class Customer(Person):
    """A customer of the platform."""

    def register(self):
        body = {"username": self.name, "password": self.password, "email": self.address}
        self._use(self.call("POST", "accounts/auth/register/", body, expect=201))

    def prove_address(self, mailbox):
        refused = self.call("POST", "accounts/payees/", {"name": "X", "iban": "GB82WEST12345698765432"}, expect=403)
        assert "Prove your e-mail address" in refused["detail"]
        token = mailbox.token_to(self.address, purpose="verify-email")
        self.call("POST", "accounts/email/verify/", {"token": token}, expect=204)

    @property
    def wallet(self):
        return self.call("GET", "accounts/wallet/")

    def deposits(self):
        return [(deposit["amount"], deposit["state"]) for deposit in self.call("GET", "accounts/deposits/")]

    def payout(self, payout_id):
        return self.call("GET", f"accounts/payouts/{payout_id}/")


class Clerk(Person):
    """A member of staff, with a browser of their own."""

    def __init__(self, site, name, *, browser, size):
        super().__init__(site, name)
        self.admin = f"{site}/admin"
        self.complaints = []
        self.page = browser.new_context(viewport=size).new_page()
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def begin(self):
        """Turn a second factor on, without which the admin stays closed, and sign in to the admin."""
        self.sign_in()
        self._give_credentials(otp="")
        self.page.locator(".errornote", has_text="second factor").wait_for()
        self.turn_second_factor_on()
        self._give_credentials(otp=self.otp())
        self.page.locator("#user-tools").wait_for()

    def _give_credentials(self, *, otp):
        self.page.goto(f"{self.admin}/")
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(self.password)
        self.page.get_by_label("One-time code").fill(otp)
        self.page.get_by_role("button", name="Log in").click()

    def open(self, path):
        """Open a page of the admin, which has to fit on the screen."""
        self.page.goto(f"{self.admin}/{path}")
        self.page.locator("#content").wait_for()
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path

    def read(self, path, *, row):
        """Return the words of the row of a list in which this text stands."""
        self.open(path)
        return self.page.locator("#result_list tbody tr", has_text=row).first.inner_text()

    def is_offered(self, path, action):
        """Say whether the page of a record has a button for this."""
        self.open(path)
        return self.page.get_by_role("button", name=action, exact=True).count() > 0

    def act(self, path, action, *, says, reason="I have compared it", **fields):
        """Press a button on the page of a record, fill in what it asks for, and wait for what the admin says."""
        self.open(path)
        self.page.get_by_role("button", name=action, exact=True).click()
        for name, text in {**fields, "reason": reason}.items():
            self.page.locator(f"#id_{name}").fill(text)
        self.page.locator(".submit-row input[type=submit]").click()
        self.told(says)

    def save(self, *, says):
        self.page.get_by_role("button", name="Save", exact=True).click()
        self.told(says)

    def told(self, words):
        """Wait until the admin says this."""
        self.page.locator(".messagelist li", has_text=words).first.wait_for()

    def newest_proposal(self):
        """Return the id of the newest proposal that waits."""
        self.open("wallets/proposal/")
        return int(self.page.locator("#result_list tbody tr th").first.inner_text())

    def approve_newest(self, *, says="is done", looks_at=None):
        """Approve the newest proposal that waits, and return its id. Before, follow its link to the record, if told."""
        proposal = self.newest_proposal()
        if looks_at:
            self.open(f"wallets/proposal/{proposal}/change/")
            self.page.locator(".field-about a", has_text=looks_at).click()
            self.page.locator("#content h2", has_text=looks_at).wait_for()
        self.act(f"wallets/proposal/{proposal}/change/", "Approve", says=says)
        return proposal

    def is_refused(self, proposal, *, says="Somebody else has to decide"):
        """Try to approve a proposal, which one may not."""
        self.act(f"wallets/proposal/{proposal}/change/", "Approve", says=says)
