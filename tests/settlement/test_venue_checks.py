"""A venue that cannot be used is refused at start, in one sentence, and `venue_check` asks before customers find out."""

import re
import subprocess
import sys
from copy import copy
from datetime import timedelta

import ccxt
import pytest
from django.core.management import CommandError, call_command

from exchange_site.stack.processes import PROJECT
from settlement.services.venue_checks import check_account
from settlement.venues import registry
from settlement.venues.ccxt.markets import markets
from settlement.venues.checking import ConfiguredVenue, list_venues
from settlement.venues.registry import PROFILES
from tests.configure import configure
from tests.conftest import make_coin, process_environment
from tests.settlement.two_venues import second_simulator

WITHOUT_PROFILE = sorted(set(ccxt.exchanges) - PROFILES.keys())


def faults(settings, **changes):
    configure(settings, "VENUE", **changes)
    [venue] = list_venues()
    return list(venue.find_faults())


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=process_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def fresh_markets():
    """No connection and no list of markets from before."""
    vars(registry._of_thread).clear()
    markets.forget()
    yield
    vars(registry._of_thread).clear()
    markets.forget()


class TestTheSettingsOfAVenue:
    @pytest.mark.parametrize("name", WITHOUT_PROFILE)
    def test_name_one_with_a_profile(self, settings, name):
        [fault] = faults(settings, id=name)
        assert fault.startswith(f"EXCHANGE_ID: '{name}' is no venue with a profile (those are ")
        assert fault.count(". ") == 0

    def test_name_the_nearest_if_they_name_none(self, settings):
        [fault] = faults(settings, id="binnance")
        assert fault.endswith("did you mean binance?.")

    @pytest.mark.parametrize("name", sorted(PROFILES))
    def test_are_fine_with_each_profile(self, settings, name):
        assert faults(settings, id=name) == []

    def test_are_told_with_the_names_that_can_be_used(self):
        told = next(line for line in (PROJECT / "config.example.env").read_text().splitlines() if "the venue: " in line)
        assert sorted(re.findall(r"[a-z]+", told.partition("the venue: ")[2].replace(" or ", " "))) == sorted(PROFILES)

    @pytest.mark.parametrize("asset", ["EUR", "BTC", "usdt", "DAI"])
    def test_pay_in_dollars(self, settings, asset):
        [fault] = faults(settings, quote_asset=asset)
        assert fault == f"EXCHANGE_QUOTE_ASSET: {asset} is no dollar at binance; USD, USDC, USDT are."

    def test_name_a_sandbox_that_exists(self, settings):
        assert faults(settings, id="kraken", sandbox=True) == ["EXCHANGE_SANDBOX: kraken has no sandbox."]

    @pytest.mark.parametrize(("milliseconds", "is_refused"), [(500, True), (2000, True), (2001, False)])
    def test_leave_each_purchase_the_time_that_the_venue_wants(self, settings, milliseconds, is_refused):
        window = timedelta(milliseconds=milliseconds)
        sentence = (
            "EXCHANGE_RECV_WINDOW_MS must be above 2000: kraken refuses each purchase whose deadline is less than 2 s"
            " away when it arrives."
        )
        assert faults(settings, id="kraken", recv_window=window) == [sentence] * is_refused
        assert faults(settings, id="binance", recv_window=window) == []

    @pytest.mark.parametrize(
        ("name", "missing"),
        [("binance", {"API_KEY", "API_SECRET"}), ("okx", {"API_KEY", "API_SECRET", "API_PASSWORD"})],
    )
    def test_have_all_keys_that_the_venue_wants(self, settings, name, missing):
        configure(settings, "VENUE", id=name, api_key="", api_secret="", api_password="")
        [venue] = list_venues()
        assert {fault.split(" ")[0] for fault in venue.find_missing_keys()} == {f"EXCHANGE_{each}" for each in missing}

    def test_of_a_further_one_are_refused_by_its_own_variables(self, settings):
        further = copy(settings.VENUE)
        vars(further).update(id="kraken", quote_asset="EUR", sandbox=True, api_key="", api_secret="")
        unknown = copy(settings.VENUE)
        settings.FURTHER_VENUES = {"kraken": further, "gate": unknown}
        first, gate, kraken = list_venues()
        assert list(first.find_faults()) == []
        [nameless] = gate.find_faults()
        assert nameless.startswith("VENUE_GATE_…: 'gate' is no venue with a profile (those are ")
        assert list(kraken.find_faults()) == [
            "VENUE_KRAKEN_QUOTE_ASSET: EUR is no dollar at kraken; USD, USDC, USDT are.",
            "VENUE_KRAKEN_SANDBOX: kraken has no sandbox.",
        ]
        missing = {fault.split(" ")[0] for fault in kraken.find_missing_keys()}
        assert missing == {"VENUE_KRAKEN_API_KEY", "VENUE_KRAKEN_API_SECRET"}


@pytest.mark.django_db(transaction=True)
class TestAtStart:
    @pytest.mark.parametrize("name", ["gate", "bitstamp", "binnance"])
    def test_a_worker_and_the_check_refuse_another_venue_in_one_sentence(self, name):
        for arguments in (["procrastinate", "worker"], ["check", "--tag", "venue"]):
            done = manage(*arguments, EXCHANGE_ID=name)
            assert done.returncode == 1
            assert f"EXCHANGE_ID: '{name}' is no venue with a profile" in done.stderr
            assert "Traceback" not in done.stderr

    def test_a_worker_refuses_a_rate_below_the_venues(self, simulator, coin):
        simulator.set_account(commission_rate="0.004")
        done = manage("procrastinate", "worker", EXCHANGE_URL=simulator.url)
        assert done.returncode == 1, done
        assert "EXCHANGE_TAKER_RATE is 0.001, and binance takes 0.004" in done.stderr

    def test_the_check_passes_and_asks_the_venue(self, simulator, coin):
        done = manage("check", "--tag", "venue", EXCHANGE_URL=simulator.url)
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_check_refuses_a_key_that_the_venue_does_not_know(self, simulator, coin):
        done = manage("check", "--tag", "venue", EXCHANGE_URL=simulator.url, EXCHANGE_API_KEY="k" * 64)
        assert done.returncode == 1
        assert "binance refuses our calls: 401 -2015" in done.stderr

    def test_a_venue_that_does_not_answer_is_no_reason(self, coin):
        done = manage("check", "--tag", "venue", EXCHANGE_URL="http://127.0.0.1:9")
        assert done.returncode == 0


@pytest.mark.django_db(transaction=True)
class TestTheAccount:
    def test_may_not_pay_commission_in_a_third_asset(self, simulator, coin, fresh_markets):
        simulator.set_account(commission_asset="BNB")
        [venue] = list_venues()
        check = check_account(configured=venue, coins=["ABAN"])
        assert check.is_certain
        assert check.fault.startswith("binance takes commission in BNB, which is not booked")

    def test_is_not_known_if_no_coin_is_listed(self, simulator, fresh_markets):
        [venue] = list_venues()
        assert isinstance(venue, ConfiguredVenue)
        check = check_account(configured=venue, coins=["NOSUCH"])
        assert (check.is_certain, check.fault) == (False, "binance lists no coin that is on sale.")

    def test_is_not_known_in_a_new_installation_and_the_venue_is_not_to_blame(self, simulator, fresh_markets):
        [venue] = list_venues()
        check = check_account(configured=venue, coins=[])
        assert (check.is_certain, check.fault) == (False, "no coin is on sale yet.")


@pytest.mark.django_db(transaction=True)
class TestVenueCheck:
    def test_is_fine_with_the_simulator(self, simulator, coin, fresh_markets, capsys):
        call_command("venue_check")
        told = capsys.readouterr().out
        assert "fault" not in told
        assert all(word in told for word in ("clock", "account", "funds", "ABAN", "fine"))

    def test_names_a_coin_that_the_venue_does_not_list(self, simulator, coin, fresh_markets, capsys):
        make_coin("NOSUCH", "1.00")
        with pytest.raises(SystemExit) as ended:
            call_command("venue_check", "--quiet")
        assert ended.value.code == 1
        assert "binance does not list it for USDT." in capsys.readouterr().out

    def test_asks_every_venue_and_lets_one_lack_what_another_lists(
        self, simulator, coin, fresh_markets, capsys, settings, tmp_path
    ):
        make_coin("NEWC", "1.00")
        with second_simulator(tmp_path / "second", settings) as second:
            second.set_prices(NEWC="1.00")
            call_command("venue_check")
            told = capsys.readouterr().out
            assert "not listed; bought at binanceus" in told
            second.set_account(commission_rate="0.004")
            with pytest.raises(SystemExit):
                call_command("venue_check", "--quiet")
        told = re.sub(r"\s+", " ", capsys.readouterr().out)
        assert "VENUE_BINANCEUS_TAKER_RATE is 0.001, and" in told

    def test_says_that_funds_are_missing(self, simulator, coin, fresh_markets, capsys):
        simulator.set_account(balances={"USDT": "0"})
        with pytest.raises(SystemExit):
            call_command("venue_check", "--quiet")
        assert "There is no USDT." in capsys.readouterr().out

    def test_refuses_a_coin_that_is_not_on_sale(self):
        with pytest.raises(CommandError, match=r"Not on sale: XYZ\."):
            call_command("venue_check", "--coin", "XYZ")
