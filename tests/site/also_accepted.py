"""Hooks for Schemathesis: requests may have all that the service accepts, not only what clients should send.

The document keeps further values, such as numbers for amounts, in `x-also-accepts` (wallets.web.described).
"""

from typing import Any

import schemathesis

from wallets.web.described import ALSO_ACCEPTS


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    raw_schema["paths"] = widened(raw_schema["paths"])
    raw_schema["components"] = widened(raw_schema["components"])


def widened(node: Any) -> Any:
    """Return a part of the document in which each schema has all values that it also accepts."""
    if isinstance(node, list):
        return [widened(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {key: widened(value) for key, value in node.items()}
    also = copy.pop(ALSO_ACCEPTS, None)
    return copy if also is None else {"anyOf": [copy, also]}
