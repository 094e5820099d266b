"""The table of calls, `calls.json`: what is sent, what was set before, and what has to be answered.

A call that is `raw` is one that typed clients refuse to make: their drivers send it by the client's own function for any
call. A value `$name` is what an earlier answer said, by the path in its `save`. In a path, `name=value` is the entry of a
list that has this member. `count` counts the entries of lists by their path; the path of the whole answer is empty.
"""

import json
from pathlib import Path

import httpx

CALLS = json.loads((Path(__file__).parent / "calls.json").read_text())
MISSING = object()


class Script:
    """The calls of the table, in order, against one simulator that is new."""

    def __init__(self, *, venue):
        self._venue, self._saved = venue, {}

    def prepare(self, call):
        """Set what the call needs, and return it with the values of earlier answers."""
        for method, path, body in call.get("before", ()):
            httpx.request(method, f"{self._venue}{path}", json=body, timeout=5).raise_for_status()
        return {**call, "send": {name: self._value(value) for name, value in call["send"].items()}}

    def judge(self, call, answer):
        """Return what is wrong with an answer, a sentence for each; and remember what later calls need of it."""
        expected, body = call["expect"], answer.get("body")
        if answer["status"] != expected["status"]:
            return [f"status {answer['status']}, not {expected['status']}: {json.dumps(body)[:200]}"]
        for name, path in call.get("save", {}).items():
            self._saved[name] = find(body, path)
        return [*self._judge_error(expected, answer), *self._judge_body(expected, body)]

    def _judge_error(self, expected, answer):
        body = answer.get("body")
        if "code" not in expected:
            return [f"the client says {answer['raised']}"] if answer.get("raised") else []
        wrong = [
            f"{name} {body.get(name)!r}, not {expected[name]!r}"
            for name in ("code", "msg")
            if name in expected and body.get(name) != expected[name]
        ]
        if answer.get("code") != expected["code"]:
            wrong.append(f"the client understood {answer.get('code')}, not {expected['code']}")
        return wrong

    def _judge_body(self, expected, body):
        for path, value in expected.get("is", {}).items():
            if find(body, path) != self._value(value):
                yield f"{path} is {find(body, path)!r}, not {self._value(value)!r}"
        for path, count in expected.get("count", {}).items():
            found = find(body, path)
            if not isinstance(found, list) or len(found) != count:
                yield f"{path or 'the answer'} has not {count} entries"
        for name in expected.get("has", ()):
            if name not in body:
                yield f"{name} is not there"
        for name in expected.get("lacks", ()):
            if name in body:
                yield f"{name} is there"

    def _value(self, value):
        return self._saved[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def find(body, path):
    """Return the part of an answer at a path, or MISSING."""
    for name in path.split(".") if path else ():
        if isinstance(body, list) and "=" in name:
            key, _, wanted = name.partition("=")
            body = next((entry for entry in body if str(entry.get(key)) == wanted), MISSING)
        elif isinstance(body, list):
            body = body[int(name)] if int(name) < len(body) else MISSING
        else:
            body = body.get(name, MISSING) if isinstance(body, dict) else MISSING
    return body
