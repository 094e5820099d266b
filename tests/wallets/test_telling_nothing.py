"""Whether an account has an e-mail address cannot be told from answers: not by words, not by status, not by time."""

import statistics
import time
from itertools import count

import httpx
import pytest

from wallets.models import User

pytestmark = pytest.mark.django_db(transaction=True)

TRIES = 200
TAKEN = "taken@example.com"


_numbers = count()


def fresh():
    """Return an address of the same length that nobody has."""
    return f"n{next(_numbers):04}@example.com"


def mad(seconds):
    """Return the median distance from the median, which a few slow answers do not move."""
    middle = statistics.median(seconds)
    return statistics.median(abs(each - middle) for each in seconds)


def compare(send):
    """Send requests about an address that is taken and about others, in turns, and compare their answers.

    The medians may differ by three times their own noise, and a tenth: what a query for an account would cost is more.
    """
    seconds = {True: [], False: []}
    answers = {True: set(), False: set()}
    for number in range(TRIES):
        is_taken = bool(number % 2) ^ bool(number // 2 % 2)  # so that no order favours one of them
        email = TAKEN if is_taken else fresh()
        begun = time.perf_counter()
        answer = send(email)
        seconds[is_taken].append(time.perf_counter() - begun)
        answers[is_taken].add((answer.status_code, answer.content if answer.status_code != 201 else b""))
    assert answers[True] == answers[False]
    medians = [statistics.median(each) for each in seconds.values()]
    noise = max(mad(each) for each in seconds.values())
    assert abs(medians[0] - medians[1]) < 3 * noise + 0.1 * max(medians), f"{medians} with noise {noise}"
    return answers[True]


@pytest.fixture
def client(make_api_process):
    User.objects.create_user("owner", email=TAKEN, verified_email=TAKEN)
    api = make_api_process(HASHING_SLOTS="4")
    with httpx.Client(base_url=api, timeout=30) as client:
        client.post("accounts/auth/password/forgot/", json={"email": fresh()})  # the first one opens connections
        yield client


class TestNothingIsTold:
    def test_by_a_request_for_a_new_password(self, client):
        answers = compare(lambda email: client.post("accounts/auth/password/forgot/", json={"email": email}))
        assert {status for status, _ in answers} == {202}
        assert len(answers) == 1

    def test_by_a_new_account_with_an_address_that_is_taken(self, client):
        numbers = count()

        def register(email):
            body = {"username": f"user{next(numbers):05}", "password": "correct horse", "email": email}
            return client.post("accounts/auth/register/", json=body)

        assert compare(register) == {(201, b"")}
        assert User.objects.filter(email=TAKEN).count() == TRIES // 2 + 1
