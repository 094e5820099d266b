"""Bank accounts: check digits, lengths by country, and masks."""

import pytest

from wallets.bank_accounts import BankAccount, is_bic, read_account_number, read_iban, read_routing

# Examples of SWIFT's IBAN registry.
EXAMPLES = [
    "NO9386011117947", "BE68539007547034", "DK5000400440116243", "NL91ABNA0417164300", "AT611904300234573201",
    "CH9300762011623852957", "DE89370400440532013000", "GB29NWBK60161331926819", "AE070331234567890123456",
    "ES9121000418450200051332", "PT50000201231234567890154", "TR330006100519786457841326",
    "FR1420041010050500013M02606", "IT60X0542811101000000123456", "PL61109010140000071219812874",
    "BR1800360305000010009795493C1", "KW81CBKU0000000000001234560101", "MT84MALT011000012345MTLCAST001S",
    "LC55HEMM000100010012001200023015",
]  # fmt: skip


class TestAnIban:
    @pytest.mark.parametrize("iban", EXAMPLES)
    def test_of_the_registry_is_accepted(self, iban):
        assert read_iban(iban) == iban

    @pytest.mark.parametrize("iban", EXAMPLES)
    def test_with_a_changed_digit_is_refused(self, iban):
        changed = iban[:-1] + ("1" if iban[-1] != "1" else "2")
        with pytest.raises(ValueError, match="check digits"):
            read_iban(changed)

    def test_may_have_spaces_and_small_letters(self):
        assert read_iban(" gb82 west 1234 5698 7654 32 ") == "GB82WEST12345698765432"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("GB82WEST1234569876543", "must have 22 characters for GB"),
            ("GB82WEST123456987654320", "must have 22 characters for GB"),
            ("US64SVBKUS6S3300958879", "of US, which has no IBANs"),
            ("", "must be an IBAN"),
            ("GB", "must be an IBAN"),
            ("GB82WEST1234569876543²", "must be an IBAN"),
            ("GB82-WEST-1234", "must be an IBAN"),
            ("ＧＢ82WEST12345698765432", "must be an IBAN"),
        ],
    )
    def test_of_another_form_is_refused(self, text, words):
        with pytest.raises(ValueError, match=words):
            read_iban(text)


class TestARoutingNumber:
    @pytest.mark.parametrize("routing", ["021000021", "011401533", "091000019", "122105155"])
    def test_is_accepted(self, routing):
        assert read_routing(f" {routing} ") == routing

    @pytest.mark.parametrize("text", ["021000022", "12100002", "0210000210", "000000000", "999999992", "02100002١", ""])
    def test_that_cannot_be_one_is_refused(self, text):
        with pytest.raises(ValueError, match=r"routing|check digit"):
            read_routing(text)


class TestAnAccountNumber:
    def test_loses_its_dashes(self):
        assert read_account_number("12-345 678") == "12345678"

    @pytest.mark.parametrize("text", ["123", "123456789012345678", "12a4567", "0000", "", "１２３４５"])
    def test_that_cannot_be_one_is_refused(self, text):
        with pytest.raises(ValueError, match="4 to 17 digits"):
            read_account_number(text)


class TestABankAccount:
    @pytest.mark.parametrize(
        ("account", "masked"),
        [
            (BankAccount(number="GB82WEST12345698765432"), "GB****************5432"),
            (BankAccount(number="123456789", routing="021000021"), "*****6789"),
            (BankAccount(number="1234", routing="021000021"), "****34"),
            (BankAccount(number="12345", routing="021000021"), "****45"),
        ],
    )
    def test_is_shown_masked(self, account, masked):
        assert account.masked == masked


@pytest.mark.parametrize(
    ("text", "expected"), [("DEUTDEFF", True), ("DEUTDEFF500", True), ("021000021", False), ("", False)]
)
def test_a_banks_code_is_recognised(text, expected):
    assert is_bic(text) is expected
