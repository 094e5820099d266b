"""The API under load: wrk, https://github.com/wg/wrk."""

import json
import random
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_MANY: Final = 1_000_000  # customers; more than there are


class BenchmarkFailed(Exception):
    """A measurement failed, or its figures would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to repeat; its bodies take turns. `tokens` is a file with one access token a line, and these take turns too.

    A token is used for `streak` requests before the next one takes its turn. More than one make its wallet the only one
    that is asked for: a hot wallet.
    """

    method: str
    path: str
    bodies: tuple[str, ...] = ()
    keyed: bool = False
    tokens: Path | None = None
    streak: int = 1


@dataclass(frozen=True, kw_only=True)
class Load:
    """The result: answers per second, and latencies in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int


def ensure_generator() -> None:
    """Raise BenchmarkFailed if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise BenchmarkFailed("The load comes from wrk, which this machine lacks: apt install wrk, or brew install wrk")


def put_load(*, call: Call, url: str, clients: int, seconds: float) -> Load:
    """Keep `clients` connections busy for `seconds`. Raises BenchmarkFailed if any answer is an error."""
    threads = 1 if call.streak > 1 else min(2, clients)
    command = [
        *("wrk", "--threads", str(threads), "--connections", str(clients), "--duration", f"{seconds:.0f}s"),
        *("--timeout", "10s", "--script", str(_SCRIPT), url + call.path, "--", *_arguments(call), str(threads)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"wrk failed: {done.stderr}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["refused"] or found["broken"]:
        raise BenchmarkFailed(f"{call.method} {call.path}: {found['refused']} refused, {found['broken']} broken")
    return Load(
        rate=found["requests"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        requests=found["requests"],
    )


def _arguments(call: Call) -> list[str]:
    """Return what the script needs to know of a call. Each load begins with a customer drawn by chance."""
    first = random.randrange(_MANY)
    return [
        *(call.method, "\n".join(call.bodies) or "-", "keyed" if call.keyed else "-", uuid.uuid4().hex),
        *(str(call.tokens or "-"), str(first), str(call.streak)),
    ]
