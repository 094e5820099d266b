"""VENUE_<NAME>_… describe venues beside the first."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from exchange_site.configuration import Configuration
from exchange_site.configuration.objections import explain
from exchange_site.configuration.rules import is_real_venue, spends_real_money

FIRST = {
    "EXCHANGE_API_KEY": "first",
    "EXCHANGE_URL": "http://127.0.0.1:1",
    "EXCHANGE_TAKER_RATE": "0.002",
    "SELF_SERVICE_DEPOSITS": "False",
    "SELF_SERVICE_PAYOUTS": "False",
}


def read(**variables):
    return Configuration.read({**FIRST, **variables})


def refused(**variables):
    with pytest.raises(ValidationError) as error:
        read(**variables)
    return explain(error.value)


class TestAFurtherVenue:
    def test_is_described_by_variables_with_its_name(self):
        given = read(VENUE_KRAKEN_API_KEY="k", VENUE_KRAKEN_URL="http://127.0.0.1:2", VENUE_KRAKEN_TAKER_RATE="0.004")
        [(name, venue)] = given.further_venues.items()
        assert (name, venue.id, venue.api_key, venue.url) == ("kraken", "kraken", "k", "http://127.0.0.1:2")
        assert (venue.taker_rate, given.venue.taker_rate) == (Decimal("0.004"), Decimal("0.002"))

    def test_has_what_it_leaves_out_from_the_first_but_no_address_and_no_keys(self):
        venue = read(VENUE_KRAKEN_API_KEY="k", EXCHANGE_SANDBOX="True").further_venues["kraken"]
        assert (venue.taker_rate, venue.recv_window) == (Decimal("0.002"), read().venue.recv_window)
        assert (venue.url, venue.api_secret, venue.sandbox) == ("", "", False)

    def test_has_its_keys_from_files_too(self, tmp_path):
        file = tmp_path / "key"
        file.write_text("from a file\n")
        venue = read(VENUE_OKX_API_KEY_FILE=str(file), VENUE_OKX_API_PASSWORD="p").further_venues["okx"]
        assert (venue.api_key, venue.api_password) == ("from a file", "p")

    def test_is_none_of_variables_that_are_empty(self):
        assert read(VENUE_KRAKEN_API_KEY="").further_venues == {}

    def test_is_refused_under_the_name_of_the_first(self):
        assert "use the variables EXCHANGE_" in refused(VENUE_BINANCE_API_KEY="k")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("VENUE_KRAKEN_TAKER_RATE", "much"),
            ("VENUE_KRAKEN_SANDBOX", "perhaps"),
            ("VENUE_KRAKEN_URL", "http://example.com"),
            ("VENUE_KRAKEN_API_KEY_FILE", "/no/such/file"),
            ("VENUE_KRAKEN_APIKEY", "misspelt"),
        ],
    )
    def test_is_refused_with_a_sentence_that_names_the_variable(self, variable, value):
        words = refused(**{variable: value})
        assert variable.removesuffix("_FILE") in words
        assert value not in words

    def test_makes_the_installation_spend_real_money(self):
        assert not is_real_venue(read())
        assert spends_real_money(read(VENUE_KRAKEN_API_KEY="k"))
        assert not is_real_venue(read(VENUE_KRAKEN_API_KEY="k", VENUE_KRAKEN_URL="http://127.0.0.1:2"))

    def test_with_real_money_forbids_deposits_of_customers_own(self):
        assert "SELF_SERVICE_DEPOSITS" in refused(VENUE_KRAKEN_API_KEY="k", SELF_SERVICE_DEPOSITS="True")
