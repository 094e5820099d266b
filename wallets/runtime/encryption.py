"""Encrypts texts before they are stored, by the keys of ENCRYPTION_KEYS: the first encrypts, all of them decrypt.

A text becomes a token of Fernet (AES-128-CBC with HMAC-SHA256, https://github.com/fernet/spec), which shows when it was
made and how long the text is, and nothing else.
"""

import base64
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

MARK: Final = "gAAAA"
"""How every token begins: the format's version, and the first bytes of its time until the year 2242."""

_KEY_BYTES: Final = 32
_PURPOSE: Final = b"wallets.runtime.encryption"


class Undecryptable(Exception):
    """A stored token that no key of ENCRYPTION_KEYS has made: a key is missing, or the token was altered."""

    def __init__(self) -> None:
        super().__init__("A stored value cannot be decrypted. Is one of the keys missing in ENCRYPTION_KEYS?")


def encrypt(text: str) -> str:
    """Return a token that holds the text. Two tokens of one text differ."""
    return _newest().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text that a token holds. Raises Undecryptable."""
    try:
        return _all().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable from error


def encrypt_with(key: str, text: str) -> str:
    """Return a token that holds the text, by a key of its own: 32 random bytes in URL-safe base64."""
    return Fernet(key).encrypt(text.encode()).decode()


def decrypt_with(key: str, token: str) -> str:
    """Return the text of a token that the key has made. Raises Undecryptable."""
    try:
        return Fernet(key).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable from error


def is_by_newest_key(token: str) -> bool:
    """Say whether the first key has made the token, so that the other keys are not needed for it."""
    try:
        _newest().decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def encrypt_again(token: str) -> str:
    """Return a token by the first key that holds the same text and the same time. Raises Undecryptable."""
    try:
        return _all().rotate(token.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable from error


def _newest() -> Fernet:
    return _fernet_of(settings.ENCRYPTION.keys[0])


def _all() -> MultiFernet:
    return MultiFernet([_fernet_of(key) for key in settings.ENCRYPTION.keys])


@lru_cache(maxsize=16)
def _fernet_of(secret: str) -> Fernet:
    """Return the key that is derived from a secret of any form (HKDF, RFC 5869): the secret must be random."""
    derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
