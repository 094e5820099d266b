"""Texts that are encrypted before they are stored, and the keys that encrypt them."""

from secrets import token_urlsafe

import pytest

from exchange_site.configuration import Configuration
from tests.configure import configure
from wallets.runtime.encryption import MARK, Undecryptable, decrypt, encrypt, encrypt_again, is_by_newest_key

OLD, NEW = token_urlsafe(40), token_urlsafe(40)


def keys(settings, *keys):
    configure(settings, "ENCRYPTION", keys=list(keys))


class TestATokenOfEncryption:
    @pytest.mark.parametrize("text", ["JBSWY3DPEHPK3PXP", "", "Zoë, 東京 \N{SNOWMAN}", "x" * 10_000])
    def test_holds_its_text_and_does_not_show_it(self, text):
        token = encrypt(text)
        assert decrypt(token) == text
        assert token.startswith(MARK)
        assert not text or text not in token

    def test_differs_from_another_one_of_the_same_text(self):
        assert encrypt("same") != encrypt("same")

    @pytest.mark.parametrize(
        "alter", [str.upper, lambda token: token[:-8], lambda token: "", lambda token: "plain text"]
    )
    def test_that_was_altered_is_refused(self, alter):
        with pytest.raises(Undecryptable, match="ENCRYPTION_KEYS"):
            decrypt(alter(encrypt("a secret")))


class TestKeys:
    def test_of_earlier_decrypt_and_the_first_one_encrypts(self, settings):
        keys(settings, OLD)
        old = encrypt("a secret")
        keys(settings, NEW, OLD)
        assert decrypt(old) == "a secret"
        assert (is_by_newest_key(old), is_by_newest_key(encrypt("another"))) == (False, True)

    def test_may_be_given_up_after_their_tokens_were_encrypted_again(self, settings):
        keys(settings, OLD)
        old = encrypt("a secret")
        keys(settings, NEW, OLD)
        new = encrypt_again(old)
        keys(settings, NEW)
        assert decrypt(new) == "a secret"
        assert is_by_newest_key(new)
        for read in (decrypt, encrypt_again):
            with pytest.raises(Undecryptable):
                read(old)

    @pytest.mark.parametrize("text", [f"{NEW},{OLD}", f"{NEW} {OLD}", f"{NEW}\n{OLD}\n", f" {NEW} ,\n{OLD},"])
    def test_are_separated_by_commas_blanks_or_lines(self, text):
        assert Configuration.read({"ENCRYPTION_KEYS": text}).encryption.keys == [NEW, OLD]

    def test_are_all_judged_in_production(self):
        given = {name: token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "POSTGRES_PASSWORD")}
        given |= {"DEBUG": "False", "HOUSE_LOSS_PER_DAY": "500.00"}
        assert Configuration.read({**given, "ENCRYPTION_KEYS": f"{NEW},{OLD}"}).encryption.keys == [NEW, OLD]
        with pytest.raises(ValueError, match="ENCRYPTION_KEYS must be set"):
            Configuration.read({**given, "ENCRYPTION_KEYS": f"{NEW},{32 * 's'}"})
        with pytest.raises(ValueError, match=r"ENCRYPTION_KEYS must differ|must differ from ENCRYPTION_KEYS"):
            Configuration.read({**given, "ENCRYPTION_KEYS": f"{NEW},{given['SECRET_KEY']}"})
