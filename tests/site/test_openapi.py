"""The OpenAPI document: it is complete and agrees with the code, and the committed copy is up to date."""

import re

import pytest
from jsonschema import Draft202012Validator

from exchange_site.api import api
from exchange_site.api.problems import KINDS
from exchange_site.management.commands.openapi import COPY, render

DOCUMENT = api.get_openapi_schema()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}
IDS = {
    "register", "login", "refreshTokens", "logout", "getWallet", "deposit", "withdraw", "listHoldings", "listCoins",
    "getCoin", "placeOrder", "listOrders", "getOrder", "cancelOrder", "listTransactions", "getTransaction",
    "makeQuote", "getAccount", "changePassword", "forgotPassword", "resetPassword", "changeEmail", "verifyEmail",
    "listSessions", "endSession", "beginSecondFactor", "confirmSecondFactor", "endSecondFactor", "listDeposits",
    "listPayees", "addPayee", "removePayee", "requestPayout", "listPayouts", "getPayout", "cancelPayout", "getStatement",
}  # fmt: skip


def test_the_committed_document_is_up_to_date():
    assert COPY.read_text() == render(), "the API has changed: run `manage.py openapi` and review docs/openapi.json"


def test_operation_ids_are_stable():
    assert OPERATIONS.keys() == IDS


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
class TestOperation:
    def test_has_a_summary_a_description_and_a_tag(self, operation):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]

    def test_names_its_errors_with_examples(self, operation):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
        assert {"429", "503"} <= refusals.keys()
        assert ("401" in refusals) >= bool(operation["security"])
        for status, answer in refusals.items():
            media = answer["content"]["application/problem+json"]
            assert answer["content"].keys() == {"application/problem+json"}
            for code, example in media["examples"].items():
                assert KINDS[int(status), code].status == example["value"]["status"]
                assert f"`{code}`" in answer["description"]

    def test_has_examples_that_validate(self, operation):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for holder in [*bodies, *operation["responses"].values()]:
            for media in holder.get("content", {}).values():
                examples = [example["value"] for example in media.get("examples", {}).values()]
                examples += [media["example"]] if "example" in media else []
                assert examples
                for example in examples:
                    validate(example, media["schema"])

    def test_says_whether_it_needs_an_access_token(self, operation):
        assert operation["security"] in ([], [{"AccessToken": []}])


def validate(example, schema):
    whole = {"components": DOCUMENT["components"], **schema}
    Draft202012Validator(whole).validate(example)


def test_every_reference_resolves():
    for reference in set(re.findall(r'"\\$ref": "#/([^"]+)"', render())):
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]
