"""The OpenAPI document: it is complete and agrees with the code, and the committed copy is up to date."""

import json
import re

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from exchange_site.api import api
from exchange_site.api.problems import KINDS
from exchange_site.management.commands.openapi import COPY, render
from exchange_site.stack.processes import PROJECT
from settlement.services.claiming import _POOL_TIMED_OUT
from settlement.services.waiting import NOT_LISTED, REFUNDED_BY_STAFF
from tests.site.also_accepted import widened
from trading.schemas.orders import OrderBody, QuoteBody
from trading.selectors.orders import VENUE_UNCLEAR
from trading.services.cancelling import DEPOSIT_RETURNED
from trading.services.judging import UNDER_REVIEW
from trading.services.reviewing import REFUSED
from trading.services.settling import PRICE_MOVED
from wallets.schemas.payouts import PayeeRequest
from wallets.web.described import ALSO_ACCEPTS

DOCUMENT = api.get_openapi_schema()
SCHEMAS = DOCUMENT["components"]["schemas"]
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
        refusals = {status: resolved(answer) for status, answer in operation["responses"].items() if status >= "4"}
        assert {"400", "414", "422", "429", "500", "503"} <= refusals.keys()
        # Whatever the operation, its Host may be no name of ours.
        assert "malformed_request" in refusals["400"]["content"]["application/problem+json"]["examples"]
        assert ("401" in refusals) >= bool(operation["security"])
        for status, answer in refusals.items():
            media = answer["content"]["application/problem+json"]
            assert answer["content"].keys() == {"application/problem+json"}
            for code, example in media["examples"].items():
                assert KINDS[int(status), code].status == example["value"]["status"]
                assert f"`{code}`" in answer["description"]

    def test_has_examples_that_validate(self, operation):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for holder in [*bodies, *map(resolved, operation["responses"].values())]:
            for media in holder.get("content", {}).values():
                examples = [example["value"] for example in media.get("examples", {}).values()]
                examples += [media["example"]] if "example" in media else []
                assert examples
                for example in examples:
                    validate(example, media["schema"])

    def test_says_whether_it_needs_an_access_token(self, operation):
        assert operation["security"] in ([], [{"AccessToken": []}])


def resolved(answer):
    """Return an answer of an operation, also one that the document describes once for all operations."""
    answers = DOCUMENT["components"]["responses"]
    return answers[answer["$ref"].removeprefix("#/components/responses/")] if "$ref" in answer else answer


def validate(example, schema):
    Draft202012Validator(whole(schema)).validate(example)


def whole(schema, components=DOCUMENT["components"]):
    return {"components": components, **schema}


def test_every_reference_resolves():
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', render())):
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]


class TestDocument:
    def test_is_an_openapi_document(self):
        OPENAPI_31_VALIDATOR.validate(json.loads(render()))

    def test_names_its_licence_its_contact_and_where_it_is_served(self):
        assert DOCUMENT["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
        assert DOCUMENT["info"]["contact"]["name"] in (PROJECT / "LICENSE").read_text()
        assert [server["url"] for server in DOCUMENT["servers"]] == ["/"]

    def test_has_no_sentence_that_markdown_makes_a_list_of(self):
        texts = [DOCUMENT["info"]["description"], *(operation["description"] for operation in OPERATIONS.values())]
        assert [line for text in texts for line in text.splitlines() if re.match(r"\d+[.)] ", line)] == []

    @pytest.mark.parametrize(
        ("operation", "status", "state"),
        [("placeOrder", "201", "pending"), ("cancelOrder", "200", "cancelled"), ("cancelPayout", "200", "cancelled")],
    )
    def test_shows_the_state_that_the_operation_answers_with(self, operation, status, state):
        example = OPERATIONS[operation]["responses"][status]["content"]["application/json"]["example"]
        ends = {name for name in ("completed_at", "refunded_at", "cancelled_at", "paid_at") if example.get(name)}
        assert example["state"] == state
        assert ends == ({"cancelled_at"} if state == "cancelled" else set())

    def test_describes_each_tag_that_it_uses(self):
        used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
        assert {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]} == used

    def test_describes_the_answer_after_a_crash_once(self):
        answers = [operation["responses"]["500"] for operation in OPERATIONS.values()]
        assert answers == [{"$ref": "#/components/responses/InternalError"}] * len(OPERATIONS)
        assert list(DOCUMENT["components"]["responses"]) == ["InternalError"]

    def test_has_no_schema_without_a_use(self):
        assert {name for name in SCHEMAS if f'#/components/schemas/{name}"' not in render()} == set()


def schemas_within(node):
    """Yield each schema of a value: of members, items and alternatives."""
    yield node
    parts = [*node.get("properties", {}).values(), *node.get("anyOf", []), *node.get("oneOf", [])]
    for part in [*parts, *([node["items"]] if "items" in node else [])]:
        yield from schemas_within(part)


EVERY_SCHEMA = [
    (name, schema)
    for name, root in [
        *SCHEMAS.items(),
        *((each["name"], each["schema"]) for operation in OPERATIONS.values() for each in operation["parameters"][:-1]),
    ]
    for schema in schemas_within(root)
]


class TestSchemas:
    def test_have_a_type_that_generators_can_use(self):
        untyped = [name for name, each in EVERY_SCHEMA if not {"type", "$ref", "anyOf", "oneOf"} & each.keys()]
        assert untyped == []

    def test_either_have_members_or_alternatives(self):
        assert [name for name, each in EVERY_SCHEMA if {"properties", "oneOf"} <= each.keys()] == []
        assert [name for name, each in EVERY_SCHEMA if each.get("type") == "object" and "properties" not in each] == []

    def test_have_no_numbers_that_would_be_floats(self):
        assert [name for name, each in EVERY_SCHEMA if each.get("type") == "number"] == []

    def test_of_amounts_are_decimals_in_texts(self):
        members = [
            member
            for _, each in EVERY_SCHEMA
            for name, given in each.get("properties", {}).items()
            if name in {"amount", "total", "price", "max_price", "balance", "fee", "subtotal", "total_price", "cost"}
            for member in schemas_within(given)
            if member.get("type", "null") != "null"
        ]
        assert {(member["type"], member["format"]) for member in members} == {("string", "decimal")}
        assert all(member["pattern"] and member["description"] for member in members)

    def test_of_enumerations_have_names_and_a_sentence_for_each_value(self):
        within = [each for name, each in EVERY_SCHEMA if "enum" in each and each is not SCHEMAS.get(name)]
        assert within == []
        for each in SCHEMAS.values():
            if "enum" in each:
                assert len(each["enum"]) == len(each["x-enum-descriptions"])
                assert all(f"- `{value}`: " in each["description"] for value in each["enum"])

    def test_are_named_unlike_their_members(self):
        """openapi-python-client makes variables of both names in one function."""
        for name, each in SCHEMAS.items():
            assert re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() not in each.get("properties", {})

    def test_have_no_defaults_in_members(self):
        """openapi-typescript takes members with a default for required."""
        members = [member for _, each in EVERY_SCHEMA for member in each.get("properties", {}).values()]
        assert [member for member in members if "default" in member] == []

    def test_have_every_code_of_a_problem(self):
        assert SCHEMAS["ProblemCode"]["enum"] == sorted({code for _, code in KINDS})

    def test_have_the_reasons_that_orders_are_given(self):
        reasons = {VENUE_UNCLEAR, DEPOSIT_RETURNED, UNDER_REVIEW, REFUSED, PRICE_MOVED, _POOL_TIMED_OUT}
        reasons |= {NOT_LISTED, REFUNDED_BY_STAFF}
        assert reasons < set(SCHEMAS["OrderReason"]["enum"])

    def test_of_answers_require_all_that_answers_have(self):
        for name, each in SCHEMAS.items():
            if name != "Problem" and "additionalProperties" not in each and "properties" in each:
                assert set(each["required"]) == set(each["properties"]), name


BODIES = {
    OrderBody: [
        {"crypto": "ABAN", "amount": "3"},
        {"crypto": "ABAN", "amount": 3},
        {"crypto": "ABAN", "amount": 0},
        {"crypto": "ABAN", "total": "12.00", "max_price": "4.10"},
        {"crypto": "ABAN", "total": 12, "max_price": 4},
        {"crypto": "ABAN", "total": "12.00", "max_price": None},
        {"crypto": "ABAN", "amount": "3", "total": "12.00"},
        {"crypto": "ABAN", "amount": "3", "total": None},
        {"crypto": "ABAN", "amount": None},
        {"crypto": "ABAN", "amount": True},
        {"crypto": "aban", "amount": "3"},
        {"crypto": "ABAN"},
        {"amount": "3"},
        {"quote": "ABAN:x"},
        {"quote": ""},
        {"quote": None},
        {"quote": "ABAN:x", "max_price": "4.10"},
        {"quote": "ABAN:x", "crypto": None},
        {"quote": "ABAN:x", "crypto": "ABAN", "amount": "3"},
        {"crypto": "ABAN", "amount": "3", "colour": "red"},
        {},
    ],
    QuoteBody: [
        {"crypto": "ABAN", "amount": "3"},
        {"crypto": "ABAN", "total": 12},
        {"crypto": "ABAN", "amount": "3", "total": "12.00"},
        {"crypto": "ABAN", "amount": None, "total": "12.00"},
        {"crypto": "ABAN"},
        {"amount": "3"},
        {"crypto": "ABAN", "amount": "3", "max_price": "4"},
    ],
    PayeeRequest: [
        {"name": "Alice", "iban": "GB82WEST12345698765432"},
        {"name": "Alice", "iban": "GB82WEST12345698765432", "account": None, "routing": None, "otp": None},
        {"name": "Alice", "account": "123456789", "routing": "021000021", "otp": "123456"},
        {"name": "Alice", "account": "123456789", "routing": "021000021", "iban": None},
        {"name": "Alice", "account": "123456789"},
        {"name": "Alice", "account": "123456789", "routing": None},
        {"name": "Alice", "iban": "GB82WEST12345698765432", "account": "123456789", "routing": "021000021"},
        {"name": "Alice", "iban": "GB82WEST12345698765432", "routing": "021000021"},
        {"name": "Alice", "iban": None},
        {"name": "Alice"},
        {"iban": "GB82WEST12345698765432"},
    ],
}


@pytest.mark.parametrize(
    ("parser", "body"), [(parser, body) for parser, bodies in BODIES.items() for body in bodies], ids=repr
)
def test_alternatives_are_what_the_service_accepts(parser, body):
    schema, components = SCHEMAS[parser.__name__], widened(DOCUMENT["components"])
    assert Draft202012Validator(whole(schema, components)).is_valid(body) == is_accepted(parser, body)


def is_accepted(parser, body):
    try:
        parser.model_validate(body)
    except ValidationError:
        return False
    return True


def test_clients_send_texts_where_numbers_are_accepted_too():
    amount = SCHEMAS["OrderByAmount"]["properties"]["amount"]
    assert (amount["type"], amount[ALSO_ACCEPTS]["type"]) == ("string", "number")
