"""Commands prove the person whom they name, where the deed needs two persons."""

import io
from datetime import timedelta
from decimal import Decimal

import pyotp
import pytest
from django.core.management import CommandError, call_command

from exchange_site.configuration.persons import KINDS
from tests.configure import configure
from tests.staff import make_chief
from tests.typed import PASSWORD, give_password, type_lines
from tests.wallets.bank import camt, entry
from wallets.models import Proposal, SecurityEvent, Statement
from wallets.payment_references import payment_reference
from wallets.runtime import clock
from wallets.services.proposals import approve
from wallets.services.second_factors import begin_second_factor, confirm_second_factor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))


@pytest.fixture
def bob(db):
    return make_chief("bob")


@pytest.fixture
def path(tmp_path, shopper):
    path = tmp_path / "bank.xml"
    text = payment_reference(subject=shopper.user.subject)
    path.write_bytes(camt(entry("5", reference="b", text=text), closing="5"))
    return path


def run(path, *options):
    out = io.StringIO()
    call_command("import_statement", str(path), "--by", "bob", *options, stdout=out)
    return out.getvalue()


def nothing_is_asked():
    return not Statement.objects.exists() and not Proposal.objects.exists()


def kinds_of(user):
    return list(SecurityEvent.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


@pytest.mark.usefixtures("_two")
class TestACommandInProduction:
    def test_takes_nobodys_word_for_whom_it_names(self, path, bob, monkeypatch, shopper):
        give_password(bob, monkeypatch, "a guess")
        eve = make_chief("eve")
        with pytest.raises(CommandError, match="has not proven"):
            run(path, "--password-stdin")
        assert nothing_is_asked()
        assert kinds_of(bob) == ["sign_in_failed"]
        assert (eve.is_superuser, shopper.wallet.balance) == (True, 100)

    def test_goes_on_for_whoever_has_the_password_and_records_it(self, path, bob, monkeypatch, shopper):
        give_password(bob, monkeypatch)
        assert "waits until another member" in run(path, "--password-stdin")
        assert (Statement.objects.get().imported_by, kinds_of(bob)) == (bob, ["signed_in"])
        approve(proposal_id=Proposal.objects.get().pk, approved_by=make_chief("eve"))
        assert Statement.objects.get().state == "approved"

    def test_asks_in_a_terminal(self, path, bob, monkeypatch):
        give_password(bob, monkeypatch)
        asked = []

        def ask(prompt):
            asked.append(prompt)
            return PASSWORD

        monkeypatch.setattr("getpass.getpass", ask)
        run(path)
        assert asked == ["Password of bob: "]

    def test_without_a_terminal_says_what_to_do(self, path, bob, monkeypatch):
        def fail(_):
            raise EOFError

        monkeypatch.setattr("getpass.getpass", fail)
        with pytest.raises(CommandError, match="--password-stdin"):
            run(path)
        assert nothing_is_asked()

    def test_asks_for_the_code_of_a_second_factor_too(self, path, bob, monkeypatch):
        give_password(bob, monkeypatch)
        earlier = clock.now() - timedelta(seconds=60)
        totp = pyotp.TOTP(begin_second_factor(user=bob, now=earlier).secret)
        confirm_second_factor(user=bob, code=totp.at(earlier), now=earlier)
        with pytest.raises(CommandError, match="has not proven"):
            run(path, "--password-stdin")
        assert nothing_is_asked()
        type_lines(monkeypatch, PASSWORD, totp.at(clock.now()))
        run(path, "--password-stdin")
        assert Statement.objects.get().imported_by == bob

    def test_lets_nobody_guess_for_long(self, path, bob, monkeypatch, settings):
        configure(settings, "LIMITS", login="2/h")
        for _ in range(2):
            give_password(bob, monkeypatch, "a guess")
            with pytest.raises(CommandError, match="has not proven"):
                run(path, "--password-stdin")
        give_password(bob, monkeypatch)
        with pytest.raises(CommandError, match=r"[Ll]imit|Too many"):
            run(path, "--password-stdin")
        assert nothing_is_asked()

    @pytest.mark.parametrize(
        "command",
        [
            ["price_rule", "--spread-rate", "0.02", "--reason", "because"],
            ["after_restore"],
            ["export_payouts", "."],
            ["export_customer", "bob", "--reason", "because"],
            ["close_customer", "bob", "--reason", "because"],
        ],
    )
    def test_of_every_kind_wants_the_password(self, command, bob, monkeypatch):
        give_password(bob, monkeypatch, "a guess")
        with pytest.raises(CommandError, match="has not proven"):
            call_command(*command, "--by", "bob", "--password-stdin", stdout=io.StringIO())
        assert nothing_is_asked()
        assert kinds_of(bob) == ["sign_in_failed"]


def test_a_command_in_development_asks_for_nothing(path, bob, shopper):
    run(path)
    assert shopper.wallet.balance == 105
