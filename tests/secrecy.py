"""A pytest plugin: a test fails if its logs show an account number, or a secret or a token of a customer.

Its logs are the records of this process, the errors of this process and of those that it starts, and at the end of the
run every file *.log in the folders of the tests. Standard output is none: commands answer there, and development
prints e-mails, with their tokens.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from wallets.bank_accounts import read_iban

ACCOUNT_NUMBER: Final = "123456789"
"""The only account number of the tests that is no IBAN: nothing else tells digits from an account."""

_SHAPES: Final = {
    "a token of an e-mail": re.compile(r"eyJ[\w-]{20,}:[\w-]{43}(?![\w-])"),
    "a token of a sign-in": re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
    "the secret of a second factor": re.compile(r"(?<![A-Z0-9])[A-Z2-7]{32}(?![A-Z0-9])"),
    "a recovery code": re.compile(r"(?<![\w-])[0-9a-f]{5}(?:-[0-9a-f]{5}){3}(?![\w-])"),
    "an account number": re.compile(rf"(?<!\w){'[ -]?'.join(ACCOUNT_NUMBER)}(?!\w)"),
}
_LIKE_AN_IBAN: Final = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}")
_errors: list[str] = []


def secrets_in(text: str) -> set[str]:
    """Return the kinds of secrets that a text shows, each with the beginning of one."""
    found = {f"{kind} ({match[0][:8]}…)" for kind, shape in _SHAPES.items() for match in shape.finditer(text)}
    return found | {f"an IBAN ({match[0][:8]}…)" for match in _LIKE_AN_IBAN.finditer(text) if _begins_iban(match[0])}


def ensure_silent(folder: Path) -> None:
    """Fail if a file *.log in a folder shows a secret."""
    files = [(file, secrets_in(file.read_text(errors="replace"))) for file in folder.rglob("*.log")]
    shown = {str(file): found for file, found in files if found}
    assert shown == {}, "these files of logs show secrets"


def _begins_iban(text: str) -> bool:
    """Say whether an IBAN stands at the beginning of a text, whatever follows it."""
    letters = re.sub(r"[ -]", "", text)
    return any(_is_iban(letters[:length]) for length in range(15, len(letters) + 1))


def _is_iban(text: str) -> bool:
    try:
        read_iban(text)
    except ValueError:
        return False
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    if report.when == "teardown":
        shown = secrets_in("\n".join((report.caplog, report.capstderr, *_errors)))
        _errors.clear()
        if shown:
            report.outcome, report.longrepr = "failed", f"The logs of {item.nodeid} show {', '.join(sorted(shown))}."
    return report


@pytest.fixture(scope="session", autouse=True)
def _errors_of_commands_are_kept() -> Iterator[None]:
    """Keep what the tests read from the standard error of a process, because pytest does not see it."""
    communicate = subprocess.Popen.communicate

    def kept(process: Any, *arguments: Any, **more: Any) -> Any:
        answer = communicate(process, *arguments, **more)
        error = answer[1]
        _errors.append(error.decode(errors="replace") if isinstance(error, bytes) else error or "")
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess.Popen, "communicate", kept)
        yield


@pytest.fixture(scope="session", autouse=True)
def _files_of_logs_are_read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    ensure_silent(tmp_path_factory.getbasetemp())
