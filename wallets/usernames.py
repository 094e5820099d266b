"""Usernames: one key for all spellings of a name, and the rules that a new name keeps.

The data about scripts and look-alikes is that of Unicode (UTS 39, from the package `confusable_homoglyphs`).
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from confusable_homoglyphs import categories

from wallets.exceptions import UsernameNotAllowed

LONGEST_NAME: Final = 150
_SPELT_OUT: Final = 3
LONGEST_KEY: Final = 450
"""A character of a name becomes three at most when its case is folded.

A longer text is no name and is not normalised: for 60 KB of accents that takes seconds, in which no other thread runs.
"""

RESERVED: Final = frozenset(
    {
        *("admin", "administrator", "root", "superuser", "system", "operator", "owner", "official", "security"),
        *("support", "customersupport", "customerservice", "service", "help", "helpdesk", "staff", "team"),
        *("moderator", "compliance", "treasury", "payments", "billing", "house"),
        *("webmaster", "postmaster", "hostmaster", "abuse", "noreply", "anonymous", "everyone", "nobody", "null"),
    }
)
"""Names that would pass for us or for a part of the system. Only staff may have them."""

_ALLOWED_CHARACTERS: Final = re.compile(r"[\w.@+-]+")  # Django's UnicodeUsernameValidator
_INVISIBLE_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0")  # fillers of Hangul: letters, and default-ignorable
_DOTTED_I: Final = "i\u0307"
_SMALL_CAPITAL: Final = re.compile(r"LATIN LETTER SMALL CAPITAL ([A-Z])")  # UTS 39 lacks most of them
_LONG_VOWEL: Final = "\u30fc"  # of Hiragana and Katakana alike
_WRITTEN_TOGETHER: Final = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
"""The scripts that one name may mix: "Highly Restrictive" in UTS 39, section 5.2."""

# What ASCII can be mistaken for in a reserved name: adm1n, r00t, rnoderator.
_ASCII_LOOK_ALIKES: Final = (
    *(("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("3", "e"), ("4", "a"), ("5", "s"), ("7", "t")),
    ("@", "a"),
)


def key_of(username: str) -> str | None:
    """Return the text that all spellings of a username share, or None if it is too long to be stored.

    Compatibility caseless matching: Unicode, section 3.13, D146.
    """
    text = _storable(username)
    if len(text) > LONGEST_KEY:
        return None
    for form in ("NFD", "NFKC", "NFKC"):
        text = unicodedata.normalize(form, text) if form == "NFD" else unicodedata.normalize(form, text.casefold())
    return text if len(text) <= LONGEST_KEY else None


def account_named(username: str) -> str:
    """Return the text under which attempts to sign in by a username are counted, whatever its spelling."""
    return key_of(username) or _storable(username)


def skeleton_of(username: str) -> str | None:
    """Return the text that look-alikes of a username share, or None if it is too long to be stored.

    UTS 39, section 4, but ASCII characters stand for themselves, so that `user1` and `userl` are two names. The case
    is kept until the end, because a letter may look like Latin in one case only.
    """
    text = _storable(username)
    if len(text) > LONGEST_KEY:
        return None
    letters = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    key = key_of("".join(_prototype(letter) for letter in letters))
    return key and key.replace(_DOTTED_I, "i")


def spell_out(username: str) -> str:
    """Return the characters of a username that are not ASCII, by Unicode's names, or an empty string.

    Two names may look the same: staff see here what differs.
    """
    unusual = dict.fromkeys(character for character in username if not character.isascii())
    named = [
        f"{character} U+{ord(character):04X} {unicodedata.name(character, 'without a name').lower()}"
        for character in unusual
    ]
    more = [f"{len(named) - _SPELT_OUT} more"] if len(named) > _SPELT_OUT else []
    return ", ".join([*named[:_SPELT_OUT], *more])


def accept_username(username: str, *, for_staff: bool = False) -> str:
    """Return the form in which a new username is stored. Raises UsernameNotAllowed, but not for a name that is taken.

    Only staff may have reserved names and their look-alikes.
    """
    if not is_storable(username) or len(username) > LONGEST_KEY:
        raise UsernameNotAllowed
    name = unicodedata.normalize("NFKC", username)
    is_readable = len(name) <= LONGEST_NAME and _ALLOWED_CHARACTERS.fullmatch(name) and not _INVISIBLE_LETTERS & {*name}
    if not is_readable or not _is_of_one_script(name) or not (for_staff or not _is_reserved(name)):
        raise UsernameNotAllowed
    if key_of(name) is None or skeleton_of(name) is None:  # else the database could not compare it with others
        raise UsernameNotAllowed
    return name


def is_storable(username: str) -> bool:
    """Say whether Postgres can store the text: it refuses NUL and lone surrogates."""
    return _storable(username) == username


def _storable(username: str) -> str:
    return username.encode(errors="replace").decode().replace("\0", "?")


def _is_of_one_script(name: str) -> bool:
    scripts = {_script_of(letter) for letter in name} - {""}
    return (len(scripts) <= 1 and "none" not in scripts) or any(scripts <= together for together in _WRITTEN_TOGETHER)


def _script_of(letter: str) -> str:
    """Return the script of a character; an empty text for digits and signs of ASCII, which go with every script.

    Other digits, and letters that belong to no script, are of the script "none", which no name may have.
    """
    if letter.isascii():
        return "LATIN" if letter.isalpha() else ""
    if letter == _LONG_VOWEL:
        return "KATAKANA"
    script = str(categories.alias(letter))
    if unicodedata.category(letter) == "Nd" or script in {"COMMON", "INHERITED", "Unknown"}:
        return "none"
    return script


def _is_reserved(name: str) -> bool:
    return not _reserved_loosely().isdisjoint({_loose(name), _loose(name.replace("@", ""))})


@cache
def _reserved_loosely() -> frozenset[str]:
    return frozenset(_loose(name) for name in RESERVED)


def _loose(name: str) -> str:
    """Return the skeleton without accents and punctuation, and with the look-alikes of ASCII replaced."""
    text = unicodedata.normalize("NFD", skeleton_of(name) or "")
    for look_alike, letter in _ASCII_LOOK_ALIKES:
        text = text.replace(look_alike, letter)
    return "".join(letter for letter in text if letter.isalnum())


def _prototype(letter: str) -> str:
    """Return what the letter looks like, in ASCII if it can be: UTS 39's prototype."""
    if letter.isascii():
        return letter
    if small_capital := _SMALL_CAPITAL.fullmatch(unicodedata.name(letter, "")):
        return small_capital[1]
    looks_like = _prototypes().get(letter) or _prototypes().get(letter.lower(), letter)
    # An upper-case I of any script looks like a small L; only its small letter says that it is an I.
    return "i" if looks_like == "l" and letter.isupper() else looks_like


@cache
def _prototypes() -> Mapping[str, str]:
    """Return the look-alikes of all characters that are not ASCII. The first call takes 0.1 s."""
    data = files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    found = {letter: _choose(entries) for letter, entries in json.loads(data).items() if not letter.isascii()}
    return {letter: text for letter, text in found.items() if text}


def _choose(entries: list[dict[str, Any]]) -> str | None:
    """Return the first look-alike of ASCII, else the only one: the prototype. A prototype has many, and is its own."""
    texts = [str(entry["c"]) for entry in entries]
    in_ascii = [text for text in texts if text.isascii()]
    if in_ascii:
        return in_ascii[0]
    return texts[0] if len(texts) == 1 else None
