"""Complete Ninja's OpenAPI document with headers, media types and examples, which Ninja cannot express."""

from collections.abc import Iterable
from typing import Any, Final

from exchange_site.api.openapi_schemas import arrange_schemas, remove_unused, without_null
from wallets.web.media_types import CSV
from wallets.web.problems import INTERNAL_ERROR, PROBLEM_JSON, describe_answer

Document = dict[str, Any]

_HEADERS: Final[Document] = {
    "RateLimit": {
        "description": "For each limit: the calls that remain (`r`), and the seconds until its window resets (`t`).",
        "schema": {"type": "string", "examples": ['"user";r=998;t=3423, "orders";r=59;t=17']},
    },
    "RateLimit-Policy": {
        "description": "For each limit: the calls allowed (`q`) within a window of seconds (`w`).",
        "schema": {"type": "string", "examples": ['"user";q=1000;w=3600, "orders";q=60;w=60']},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["17"]},
    },
    "Link": {
        "description": 'The next page, if there is one, as `<…>; rel="next"` (RFC 8288).',
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "`true` when an earlier request with this key already had the effect.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "X-Request-ID": {
        "description": "The request's id in the logs: the caller's own `X-Request-ID`, or a new id.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Content-Disposition": {
        "description": "A name for the file, in answers in CSV (RFC 6266).",
        "schema": {"type": "string", "examples": ['attachment; filename="transactions.csv"']},
    },
    "WWW-Authenticate": {
        "description": "The scheme of the token that is needed.",
        "schema": {"type": "string", "enum": ["Bearer"]},
    },
}
_ABOUT_REQUEST_ID: Final = "The caller's id for the logs: 1 to 64 letters, digits and `._-`. Any other text is ignored."
_REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": _ABOUT_REQUEST_ID,
    "schema": {"type": "string", "description": _ABOUT_REQUEST_ID},  # where generators look for words
}
_INFO: Final = {
    "license": {"name": "MIT", "identifier": "MIT"},
    "contact": {"name": "The Crypto Exchange authors"},  # as in LICENSE; the project has no address of its own
}
_SERVERS: Final = [{"url": "/", "description": "The service that has published this document."}]
_ACCESS_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The access token from the answer to register, login or refresh.",
}
_LINKS: Final = {
    "placeOrder": {
        name: {"operationId": name, "parameters": {"order_id": "$response.body#/id"}}
        for name in ("getOrder", "cancelOrder")
    },
}
_OWN_EXAMPLES: Final[dict[str, Document]] = {
    "placeOrder": {"state": "pending", "settling_at": None, "completed_at": None},
    "cancelOrder": {
        "state": "cancelled",
        "reason": "cancelled_by_customer",
        "settling_at": None,
        "completed_at": None,
        "cancelled_at": "2026-01-31T12:00:00.050Z",
    },
    "cancelPayout": {"state": "cancelled", "cancelled_at": "2026-01-31T12:05:00Z"},
}
"""Where the schema's example shows a state that the operation does not answer with: the members that differ."""
_INTERNAL_ERROR: Final = "InternalError"
"""The answer of every operation whose code has failed: described once, because none can tell more about it."""
_COUNTED: Final = ("X-Request-ID", "RateLimit", "RateLimit-Policy")
_RETRIED: Final = frozenset({"409", "429", "503"})
_UNCOUNTED: Final = frozenset({"408", "413", "414"})
"""Answers to requests that are refused before they count against a limit."""


def finish(document: Document) -> Document:
    """Complete the document that Ninja made, in place, and return it."""
    document["info"] |= _INFO
    document["servers"] = _SERVERS
    components = document["components"]
    components["headers"] = _HEADERS
    components["parameters"] = {"RequestId": _REQUEST_ID}
    components["responses"] = {
        _INTERNAL_ERROR: {**describe_answer(INTERNAL_ERROR), "headers": _references(_COUNTED)},
    }
    # Ninja makes one security scheme per authentication class; clients need only one for all.
    components["securitySchemes"] = {"AccessToken": _ACCESS_TOKEN}
    arrange_schemas(document)
    for path in document["paths"].values():
        for operation in path.values():
            _finish_operation(operation, components["schemas"])
    remove_unused(document)
    return document


def _finish_operation(operation: Document, schemas: Document) -> None:
    operation["security"] = [{"AccessToken": []}] if "security" in operation else []
    _finish_parameters(operation)
    _finish_body(operation, schemas)
    answers = {
        str(status): _finished(str(status), response, operation, schemas)
        for status, response in operation["responses"].items()
    }
    answers["500"] = {"$ref": f"#/components/responses/{_INTERNAL_ERROR}"}
    operation["responses"] = dict(sorted(answers.items()))
    operation["parameters"].append({"$ref": "#/components/parameters/RequestId"})


def _finish_parameters(operation: Document) -> None:
    """Replace each parameter's list of examples with one, as OpenAPI wants, and drop null, which no query can hold."""
    for parameter in operation["parameters"]:
        parameter["schema"] = without_null(parameter["schema"])
        parameter["schema"].pop("title", None)
        examples = parameter.pop("examples", None)
        if examples:
            parameter["example"] = examples[0]


def _finish_body(operation: Document, schemas: Document) -> None:
    """Add the examples, and drop null: a body that is not needed is left out."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["schema"] = without_null(media["schema"])
        examples = _examples(media["schema"], schemas)
        if examples:
            media["examples"] = {f"example {number}": {"value": value} for number, value in enumerate(examples, 1)}


def _finished(status: str, response: Document, operation: Document, schemas: Document) -> Document:
    content = response.get("content", {})
    if PROBLEM_JSON in content:
        response["content"] = {PROBLEM_JSON: content[PROBLEM_JSON]}
    else:
        for media in content.values():
            media["schema"].pop("title", None)
            examples = _examples(media["schema"], schemas)
            if examples:
                media["example"] = _own_example(examples[0], operation)
    if status.startswith("2") and operation["operationId"] in _LINKS:
        response["links"] = _LINKS[operation["operationId"]]
    names = _header_names(status, operation) + (["Content-Disposition"] if CSV in content else [])
    response["headers"] = _references(names)
    return response


def _own_example(example: Any, operation: Document) -> Any:
    """Return the example as the operation answers: a new order is not completed, and a cancelled one is cancelled."""
    differs = _OWN_EXAMPLES.get(operation["operationId"])
    return {**example, **differs} if differs else example


def _references(headers: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _header_names(status: str, operation: Document) -> list[str]:
    parameters = {parameter["name"] for parameter in operation["parameters"]}
    names = ["X-Request-ID"] if status in _UNCOUNTED else [*_COUNTED]
    if status in _RETRIED:
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    if status.startswith("2") and "cursor" in parameters:
        names.append("Link")
    if status.startswith("2") and "Idempotency-Key" in parameters:
        names.append("Idempotent-Replayed")
    return names


def _examples(schema: Document, schemas: Document) -> list[Any]:
    if "$ref" in schema:
        return _examples(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas)
    if "oneOf" in schema and "examples" not in schema:  # a list, whose first form is an array
        return _examples(schema["oneOf"][0], schemas)
    if schema.get("type") == "array":
        return [[example] for example in _examples(schema["items"], schemas)]
    found: list[Any] = schema.get("examples", [])
    return found
