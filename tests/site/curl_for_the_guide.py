"""Stands in for curl while the guide is tested: sends the request, prints what curl prints, and notes the answer.

So machines without curl can run the guide too. It imports little, because it starts once for each request. `ANSWERS` names the file, which gets a line of JSON for each answer.
"""

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

IN_WORK = {"pending", "settling"}

CURL = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="body")
CURL.add_argument("-i", dest="shows_headers", action="store_true")
CURL.add_argument("--silent", action="store_true")
CURL.add_argument("--show-error", action="store_true")


def main():
    asked = CURL.parse_args()
    status, headers, body = repeat(asked)
    noted = {"url": asked.url, "status": status, "headers": dict(headers), "body": body}
    with Path(os.environ["ANSWERS"]).open("a") as file:
        file.write(json.dumps(noted) + "\n")
    if asked.shows_headers:
        sys.stdout.write(f"HTTP/1.1 {status}\n{headers}")
    sys.stdout.write(body)


def repeat(asked):
    """Send the request, and again as a reader does: until an order's state is final."""
    deadline = time.monotonic() + 60
    while True:
        status, headers, body = send(asked)
        reads_order = not (asked.method or asked.body) and re.search(r"/orders/\d+/(\?wait=\d+)?$", asked.url)
        if left := seconds_left_of_first_failure(status, headers):
            time.sleep(left + 0.1)  # so that all failed sign-ins of the guide are in one window
        elif reads_order and json.loads(body).get("state") in IN_WORK and time.monotonic() < deadline:
            time.sleep(0.1)
        else:
            return status, headers, body


def send(asked):
    headers = dict(header.split(": ", 1) for header in asked.headers)
    body = asked.body.encode() if asked.body else None
    request = urllib.request.Request(asked.url, body, headers, method=asked.method)  # noqa: S310  the guide's address
    try:
        answer = urllib.request.urlopen(request, timeout=60)  # noqa: S310  the guide's address
    except urllib.error.HTTPError as error:
        answer = error
    return f"{answer.status} {answer.reason}", answer.headers, answer.read().decode()


def seconds_left_of_first_failure(status, headers):
    """Return the seconds until the window of failed sign-ins ends, if it has just counted its first and ends soon."""
    found = re.search(r'"login";r=4;t=(\d+)', headers.get("RateLimit", ""))
    return int(found[1]) if status.startswith("401") and found and int(found[1]) < 25 else None


if __name__ == "__main__":
    main()
