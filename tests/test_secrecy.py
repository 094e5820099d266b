"""The plugin that reads the logs of all tests."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from exchange_site.stack.processes import PROJECT
from tests.secrecy import ACCOUNT_NUMBER, secrets_in

TOKEN = f"eyJ{'a' * 30}:{'b' * 43}"
SIGN_IN = f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 43}"
SECRETS = {
    "IBAN": "GB82WEST12345698765432",
    "IBAN in groups": "paid to DE89 3704 0044 0532 0130 00 and then more",
    "account number": f"account {ACCOUNT_NUMBER}",
    "account number with dashes": "account 123-456-789.",
    "mailed token": TOKEN,
    "link": f"https://example.com/reset/#{TOKEN}",
    "token of a sign-in": SIGN_IN,
    "secret": "secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "recovery code": "code 01234-56789-abcde-f0123",
}
NO_SECRETS = ["GB**************5432", "GB82WEST12345698765433", "1234567890", "0" * 32, "order 7", "eyJ:x"]

LEAKING = """
import logging, pathlib, subprocess, sys
import pytest

SECRET = "GB82WEST12345698765432"
TOLD = f"import sys; sys.stderr.write('{SECRET}')"

def test_that_logs(): logging.getLogger("a.b").warning("paid to %s", SECRET)
def test_that_prints_an_error(): print(SECRET, file=sys.stderr)
def test_whose_process_prints_an_error(): subprocess.run([sys.executable, "-c", TOLD], check=True)
def test_that_reads_the_error_of_a_process(): subprocess.run([sys.executable, "-c", TOLD], check=True, capture_output=True)
def test_that_only_answers(): print(SECRET)
def test_that_is_silent(): logging.getLogger("a.b").warning("paid to GB**************5432")
def test_that_leaves_a_file_and_comes_last(tmp_path): (tmp_path / "api.log").write_text(SECRET)
"""
TOLD_OF = {
    "test_that_logs",
    "test_that_prints_an_error",
    "test_whose_process_prints_an_error",
    "test_that_reads_the_error_of_a_process",
    "test_that_leaves_a_file_and_comes_last",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_seen(text):
    assert len(secrets_in(f"WARNING: {text}")) == 1


@pytest.mark.parametrize("text", NO_SECRETS)
def test_other_texts_are_no_secrets(text):
    assert secrets_in(f"WARNING: {text}") == set()


def test_a_test_with_a_secret_in_its_logs_fails():
    # Not in pytest's folder, whose logs are read when this run ends.
    with TemporaryDirectory(prefix="secrecy-") as folder:
        (Path(folder) / "test_leaking.py").write_text(LEAKING)
        command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", folder, "-p", "tests.secrecy", "-rE"]
        command += ["-p", "no:django", "-p", "no:cacheprovider", f"--basetemp={folder}/base", folder]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    told = {line.split("::")[1].split()[0] for line in done.stdout.splitlines() if line.startswith("ERROR ")}
    assert (done.returncode, told) == (1, TOLD_OF), done.stdout + done.stderr
