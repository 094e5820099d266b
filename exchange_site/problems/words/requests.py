"""What is said about codes of problems: requests that are wrong in their form."""

from collections.abc import Mapping
from typing import Final

from exchange_site.problems.words.form import Repeat, Words

REQUESTS: Final[Mapping[str, Words]] = {
    "malformed_request": Words(
        meaning="The request cannot be read as HTTP asks: a header, the path or the framing of the body is broken.",
        advice=(
            "Send the request with an ordinary HTTP library, and compare what it sends with what you send.",
            "A chunked body has to end with its last chunk. The connection is closed after this answer.",
        ),
        repeat=Repeat.NEVER,
    ),
    "malformed_json": Words(
        meaning=(
            "The body is not a JSON object in UTF-8. Also refused are NaN and Infinity, a name that stands twice in an"
            " object, and the character NUL."
        ),
        advice=(
            "Build the body with a JSON library instead of joining texts.",
            "An operation that takes a body wants an object in it, even an empty one: {}.",
        ),
        repeat=Repeat.NEVER,
    ),
    "unsupported_media_type": Words(
        meaning="The body was sent as something other than JSON, such as a form: that is the default of curl.",
        advice=("Send the header Content-Type: application/json.",),
        repeat=Repeat.NEVER,
    ),
    "not_acceptable": Words(
        meaning="The header Accept allows none of the forms in which this answer exists.",
        advice=("Leave Accept out for JSON, or name one of the forms that detail lists.",),
        repeat=Repeat.NEVER,
    ),
    "validation_error": Words(
        meaning="The request is readable, but a field or parameter is missing, unknown or has a wrong value.",
        advice=(
            (
                "Read errors: each entry names a field and says what is wrong with it. The field body means the body as"
                " a whole."
            ),
            "Check the spelling: unknown fields and parameters are refused, so that a misspelt one is never ignored.",
            (
                'Send amounts as strings, such as "12.50": US dollars have at most 2 decimal places, coins at most 8.'
                " Nothing is rounded."
            ),
        ),
        repeat=Repeat.NEVER,
    ),
    "idempotency_key_reused": Words(
        meaning=(
            "This Idempotency-Key belongs to an earlier request of this customer at this operation, and that request"
            " had another body. Keys never expire."
        ),
        advice=(
            "For a new request, make a new key: a random UUID is best. Do not count, and do not use times.",
            "To repeat the earlier request, send exactly its body. Amounts count as equal by value.",
        ),
        repeat=Repeat.NEVER,
    ),
    "invalid_cursor": Words(
        meaning="The cursor does not belong to this list, or was made with other filters, or was altered.",
        advice=(
            "Follow the whole address of the next page, from Link or next, instead of taking the cursor out of it.",
            "When you change a filter, begin again without a cursor.",
        ),
        repeat=Repeat.NEVER,
    ),
    "not_found": Words(
        meaning=(
            "There is nothing at this path, or no record with this id that is yours. Records of other customers answer"
            " the same."
        ),
        advice=(
            "Compare the path with the document of the API. All paths of version 1 begin with /api/v1/.",
            "Check with which customer's token you ask, and whether the id is of this kind of record.",
        ),
        repeat=Repeat.NEVER,
    ),
    "method_not_allowed": Words(
        meaning="The path exists, but not with this method.",
        advice=("The header Allow lists the methods. A redirect that turned POST into GET is a common cause.",),
        repeat=Repeat.NEVER,
    ),
    "body_too_large": Words(
        meaning="The body has more bytes than this service reads. The connection is closed after this answer.",
        advice=("No request of the API needs that much: look at what was put into the body.",),
        repeat=Repeat.NEVER,
    ),
    "uri_too_long": Words(
        meaning="Path and query are longer together than this service reads.",
        advice=("Send fewer parameters, and a cursor only as it was given.",),
        repeat=Repeat.NEVER,
    ),
}
