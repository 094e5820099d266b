from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallets.money import exact, parse_decimal, plain


class TestParseDecimal:
    @pytest.mark.parametrize("written", ["12.50", 12, Decimal("0.1"), "1e2", "+3", "0.00000001"])
    def test_reads_plain_decimals(self, written):
        assert parse_decimal(written) == Decimal(written)

    @pytest.mark.parametrize(
        "written",
        [
            "NaN",
            "Infinity",
            "-inf",
            "1_000",
            "１",
            " 1",
            "1 ",
            "",
            ".",
            "1.",
            ".5",
            "0x1",
            "1e99999",
            "١",
            True,
            None,
            [],
            {},
            1.5,
        ],
    )
    def test_refuses_everything_else(self, written):
        with pytest.raises(ValueError, match="must be"):
            parse_decimal(written)


class TestExact:
    @pytest.mark.parametrize("value", ["0.123", "1e-999", "0.001"])
    def test_refuses_more_places_instead_of_rounding(self, value):
        with pytest.raises(ValueError, match="decimal places"):
            exact(Decimal(value), places=2)

    @pytest.mark.parametrize("value", ["1000000000000", "1e999", "1" * 40])
    def test_refuses_more_digits_than_an_order_can_have(self, value):
        with pytest.raises(ValueError, match="digits before the point"):
            exact(Decimal(value), places=2)

    def test_accepts_trailing_zeros_beyond_the_places(self):
        assert plain(exact(Decimal("1.5000"), places=2), places=2) == "1.50"

    @given(st.decimals(min_value=0, max_value=10**11, places=8))
    def test_never_changes_a_value(self, value):
        assert exact(value, places=8) == value
        assert Decimal(plain(exact(value, places=8), places=8)) == value


def test_plain_writes_no_exponent():
    assert plain(Decimal("1E-8"), places=8) == "0.00000001"
