"""Whether a secret could be guessed: because it is short, public, made of few characters, or a word with additions."""

import re
from itertools import pairwise
from typing import Final

_FEWEST_CHARACTERS: Final = 6  # different ones
_SHORTEST_PART: Final = 8
_SHORTEST_KEY: Final = 32
_SHORTEST_PASSWORD: Final = 12
_MOST_NEIGHBOURS: Final = 2 / 3
_SPELLINGS: Final = str.maketrans("013457$@!", "oleastsai")
# Words of documentation, of examples and of lists of common passwords. A secret must be good without them.
_WORDS: Final = (
    "administrator", "admin", "root", "postgresql", "postgres", "database", "redis", "password", "passwort", "passwd",
    "passphrase", "changeme", "changeit", "change", "replaceme", "replace", "placeholder", "example", "sample",
    "default", "insecure", "development", "production", "secret", "supersecret", "token", "letmein", "welcome",
    "qwertyuiop", "qwerty",
    "asdfghjkl", "zxcvbnm", "monkey", "dragon", "master", "trustno", "trust", "test", "demo", "local", "docker",
    "django",
    "crypto", "exchange", "bitcoin", "your", "very", "long", "random", "characters", "string", "here", "please", "this",
    "user", "pass", "key", "jwt", "metrics", "and", "not", "use", "only", "the", "for", "with", "todo", "none", "null",
    "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv",
)  # fmt: skip
_LONGEST_FIRST: Final = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))


def is_weak_key(text: str) -> bool:
    """Say whether a key that nobody has to remember could be guessed: 32 random characters are the least."""
    return len(text) < _SHORTEST_KEY or _is_patterned(text) or _is_little_without_words(text, least=20)


def is_weak_password(text: str, *, names: tuple[str, ...]) -> bool:
    """Say whether a server's password could be guessed. `names` are those of the user and of the database."""
    return len(text) < _SHORTEST_PASSWORD or _is_patterned(text) or _is_little_without_words(text, least=8, names=names)


def is_same_secret(one: str, other: str) -> bool:
    """Say whether two secrets are the same, or one of them is the other with additions."""
    short, long = sorted((one.strip().casefold(), other.strip().casefold()), key=len)
    return short == long or (len(short) >= _SHORTEST_PART and short in long)


def _is_patterned(text: str) -> bool:
    return len(set(text)) < _FEWEST_CHARACTERS or _is_repeated(text) or _is_in_sequence(text)


def _is_repeated(text: str) -> bool:
    """Say whether the text is one part again and again; the last part may be cut off."""
    return any(text == (text[:length] * len(text))[: len(text)] for length in range(1, len(text) // 2 + 1))


def _is_in_sequence(text: str) -> bool:
    """Say whether most characters follow each other in the alphabet, up or down, or are the same."""
    pairs = list(pairwise(text))
    return sum(abs(ord(one) - ord(other)) <= 1 for one, other in pairs) > _MOST_NEIGHBOURS * len(pairs)


def _is_little_without_words(text: str, *, least: int, names: tuple[str, ...] = ()) -> bool:
    """Say whether fewer than `least` characters remain of the text without known words, names and marks."""
    spelt = [text.casefold(), text.casefold().translate(_SPELLINGS)]
    return min(len(_without_words(each, names)) for each in spelt) < least


def _without_words(text: str, names: tuple[str, ...]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name.casefold(), " ") if name else text
    return re.sub(r"[\W_]+|(?<=\s)\d{1,4}(?=\s|$)|\d{1,4}$", "", _LONGEST_FIRST.sub(" ", text))
