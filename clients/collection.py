"""`python clients/collection.py COLLECTION DOCUMENT`: let the requests of a collection work one after the other.

openapi2postmanv2 has made the collection from the document, with a request for each operation. They are put in the
order of a story. Each keeps what later ones need, such as the access token, as a variable of the collection.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

VARIABLES: Final = {"baseUrl": "http://localhost:8000", "bearerToken": "", "resetToken": "", "emailToken": ""}
"""Variables that people may set: the service's address, the access token, and the tokens of e-mails."""

NEW_CUSTOMER: Final = (
    'pm.collectionVariables.set("username", "reader-" + Date.now());',
    'pm.collectionVariables.set("password", "password123");',
    'pm.collectionVariables.set("email", pm.collectionVariables.get("username") + "@example.com");',
)
THIS_MONTH: Final = ('pm.collectionVariables.set("month", new Date().toISOString().slice(0, 7));',)
ONE_TIME_CODE: Final = (
    "// What an authenticator app shows for the secret (RFC 6238).",
    'const hashes = require("crypto-js");',
    'const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";',
    'const bits = [...pm.collectionVariables.get("secret")]',
    '  .map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");',
    'const bytes = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2).toString(16).padStart(2, "0")).join("");',
    'const step = Math.floor(Date.now() / 30000).toString(16).padStart(16, "0");',
    "const digest = hashes.HmacSHA1(hashes.enc.Hex.parse(step), hashes.enc.Hex.parse(bytes)).toString();",
    "const offset = 2 * parseInt(digest.slice(-1), 16);",
    "const code = (parseInt(digest.slice(offset, offset + 8), 16) & 0x7fffffff) % 1000000;",
    'pm.collectionVariables.set("otp", String(code).padStart(6, "0"));',
)
SIGN_IN_AGAIN: Final = (
    "// The new password has ended every sign-in.",
    'const address = pm.variables.replaceIn("{{baseUrl}}/api/v1/accounts/auth/login/");',
    'const [username, password] = ["username", "newPassword"].map((name) => pm.collectionVariables.get(name));',
    'const body = { mode: "raw", raw: JSON.stringify({ username, password }) };',
    'const header = { "Content-Type": "application/json" };',
    'pm.sendRequest({ url: address, method: "POST", header, body }, (error, answer) => {',
    "  if (error) throw error;",
    '  pm.collectionVariables.set("bearerToken", answer.json().access);',
    '  pm.collectionVariables.set("refreshToken", answer.json().refresh);',
    "});",
)
SIGNED_IN: Final = {"bearerToken": "answer.access", "refreshToken": "answer.refresh"}
PATHS: Final = {
    "order_id": "{{orderId}}",
    "payee_id": "{{payeeId}}",
    "payout_id": "{{payoutId}}",
    "transaction_id": "{{transactionId}}",
    "session_id": "{{sessionId}}",
    "month": "{{month}}",
}
"""The values of parameters in paths; others have the document's example."""


MOMENT: Final = "2026-01-31T12:00:00Z"
_CHOICE: Final = re.compile(r"This can only be one of ([^,)]+)")
_ANY_ID: Final = re.compile(r"\d{4,}$")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A request: its operation, and what differs from the example.

    `keeps` has a variable for each expression about the answer. `before` is a script. A step that needs a variable
    which is empty is left out of a run.
    """

    operation: str
    name: str = ""
    body: Json | None = None
    keeps: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    needs: str = ""
    path: Mapping[str, str] = field(default_factory=dict)


_CREDENTIALS: Final = {"username": "{{username}}", "password": "{{password}}"}
STORY: Final = {
    "1 Open an account": (
        Step(
            operation="register",
            body={**_CREDENTIALS, "email": "{{email}}"},
            keeps=SIGNED_IN,
            before=NEW_CUSTOMER,
        ),
        Step(operation="login", body=_CREDENTIALS, keeps=SIGNED_IN),
        Step(operation="refreshTokens", body={"refresh": "{{refreshToken}}"}, keeps=SIGNED_IN),
        Step(operation="getAccount"),
    ),
    "2 Dollars": (
        Step(operation="deposit", body={"amount": "1000.00"}),
        Step(operation="getWallet"),
        Step(operation="listDeposits"),
        Step(operation="withdraw", body={"amount": "100.00"}),
    ),
    "3 Buy coins": (
        Step(operation="listCoins"),
        Step(operation="getCoin"),
        Step(
            operation="makeQuote",
            body={"crypto": "ABAN", "total": "60.00"},
            keeps={"quote": "answer.quote"},
        ),
        Step(
            operation="placeOrder",
            name="Buy a coin at the firm price",
            body={"quote": "{{quote}}"},
            keeps={"orderId": "answer.id"},
        ),
        Step(operation="getOrder"),
        Step(
            operation="placeOrder",
            name="Buy a coin for a few dollars",
            body={"crypto": "ABAN", "total": "2.00"},
            keeps={"pooledOrderId": "answer.id"},
        ),
        Step(operation="cancelOrder", path={"order_id": "{{pooledOrderId}}"}),
        Step(operation="listOrders"),
        Step(operation="listHoldings"),
    ),
    "4 Movements": (
        Step(operation="listTransactions", keeps={"transactionId": "answer[0].id"}),
        Step(operation="getTransaction"),
        Step(operation="getStatement", before=THIS_MONTH),
    ),
    "5 Payouts": (
        Step(operation="addPayee", keeps={"payeeId": "answer.id"}),
        Step(operation="listPayees"),
        Step(
            operation="requestPayout",
            body={"amount": "100.00", "payee": "{{payeeId}}"},
            keeps={"payoutId": "answer.id"},
        ),
        Step(operation="getPayout"),
        Step(operation="cancelPayout"),
        Step(operation="listPayouts"),
        Step(operation="removePayee"),
    ),
    "6 A second factor": (
        Step(
            operation="beginSecondFactor",
            body={"password": "{{password}}"},
            keeps={"secret": "answer.secret"},
        ),
        Step(
            operation="confirmSecondFactor",
            body={"otp": "{{otp}}"},
            keeps={"recoveryCode": "answer.recovery_codes[0]"},
            before=ONE_TIME_CODE,
        ),
        Step(operation="endSecondFactor", body={"otp": "{{recoveryCode}}"}),
    ),
    "7 E-mail": (
        Step(operation="changeEmail", body={"email": "{{email}}", "password": "{{password}}"}),
        Step(operation="verifyEmail", body={"token": "{{emailToken}}"}, needs="emailToken"),
        Step(operation="forgotPassword", body={"email": "{{email}}"}),
        Step(
            operation="resetPassword",
            body={"token": "{{resetToken}}", "new": "{{password}}"},
            needs="resetToken",
        ),
    ),
    "8 Sign-ins": (
        Step(
            operation="listSessions",
            keeps={"sessionId": "answer.find((each) => !each.current).id"},
        ),
        Step(operation="endSession"),
        Step(
            operation="changePassword",
            body={"current": "{{password}}", "new": "{{newPassword}}"},
            before=('pm.collectionVariables.set("newPassword", "another long password");',),
        ),
        Step(operation="logout", body={"refresh": "{{refreshToken}}"}, before=SIGN_IN_AGAIN),
    ),
}


def main(collection: Path, document: Path) -> None:
    """Write the collection anew. The same document always gives the same bytes."""
    made = json.loads(collection.read_text())
    arranged = {**made, **arrange(made, json.loads(document.read_text()))}
    arranged["info"] = {key: value for key, value in made["info"].items() if key != "_postman_id"}
    collection.write_text(json.dumps(arranged, indent=2) + "\n")


def arrange(collection: Json, document: Json) -> Json:
    """Return the folders of the story, and the variables. Raises ValueError for operations that it leaves out."""
    items = {_place(item["request"]): item for item in _requests(collection)}
    operations = dict(_operations(document))
    told = {step.operation for steps in STORY.values() for step in steps}
    if told != operations.keys():
        raise ValueError(f"clients/collection.py lacks {sorted(told ^ operations.keys())}")
    folders = [
        {"name": name, "item": [_as_told(step, items[operations[step.operation].place], operations) for step in steps]}
        for name, steps in STORY.items()
    ]
    return {"item": folders, "variable": [{"key": key, "value": value} for key, value in VARIABLES.items()]}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of the document: its method and path, and the status of its success."""

    place: str
    status: int


def _operations(document: Json) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            status = min(int(status) for status in operation["responses"])
            yield operation["operationId"], Operation(place=f"{method.upper()} {path}", status=status)


def _requests(folder: Json) -> Iterator[Json]:
    for item in folder["item"]:
        yield from _requests(item) if "item" in item else [item]


def _place(request: Json) -> str:
    """Return a request's method and path, as the document writes it."""
    parts = [f"{{{part[1:]}}}" if part.startswith(":") else part for part in request["url"]["path"]]
    return f"{request['method']} /{'/'.join(parts)}"


def _as_told(step: Step, item: Json, operations: Mapping[str, Operation]) -> Json:
    """Return a copy of a request with the step's body, path and scripts."""
    told: Json = json.loads(json.dumps({key: value for key, value in item.items() if key != "id"}))
    request, name = told["request"], step.name or item["name"]
    told["name"] = request["name"] = name
    for variable in request["url"]["variable"]:
        variable["value"] = {**PATHS, **step.path}.get(variable["key"], variable["value"])
    for header in request["header"]:
        if header["key"] in {"Idempotency-Key", "X-Request-ID"}:
            header["value"] = "{{$guid}}"
    if step.body is not None:
        # An id is a number, and only a variable while it is not known.
        request["body"]["raw"] = json.dumps(step.body, indent=2).replace('"{{payeeId}}"', "{{payeeId}}")
    for query in request["url"].get("query", []):
        query["value"] = _settled(query)
    told["response"] = [_answer(answer, request) for answer in told.get("response", [])]
    told["event"] = list(_scripts(step, status=operations[step.operation].status))
    return told


def _settled(query: Json) -> str:
    """Return the value of a parameter, but none of those that openapi2postmanv2 chooses by chance."""
    if choice := _CHOICE.search(query["description"]["content"]):
        return choice[1]
    value: str = query["value"]
    if _ANY_ID.match(value):
        return "1"
    return MOMENT if _MOMENT.match(value) else value


def _answer(answer: Json, request: Json) -> Json:
    """Return an example of an answer with this request, instead of one with values and an id made by chance."""
    return {**{key: value for key, value in answer.items() if key != "id"}, "originalRequest": request}


def _scripts(step: Step, *, status: int) -> Iterator[Json]:
    before = [*step.before]
    if step.needs:
        before.append(f'if (!pm.collectionVariables.get("{step.needs}")) pm.execution.skipRequest();')
    if before:
        yield _script("prerequest", before)
    after = [f'pm.test("answers {status}", () => pm.response.to.have.status({status}));']
    if step.keeps:
        after.append("const answer = pm.response.json();")
    after += [f'pm.collectionVariables.set("{name}", {found});' for name, found in step.keeps.items()]
    yield _script("test", after)


def _script(listen: str, lines: list[str]) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
