"""The API under load: wrk, https://github.com/wg/wrk."""

import json
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCRIPT: Final = Path(__file__).with_name("load.lua")


class BenchmarkFailed(Exception):
    """A measurement failed, or its figures would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to repeat; `tokens` is a file with one access token a line."""

    method: str
    path: str
    body: str | None = None
    keyed: bool = False
    tokens: Path | None = None


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
    command = [
        *("wrk", "--threads", str(min(2, clients)), "--connections", str(clients), "--duration", f"{seconds:.0f}s"),
        *("--timeout", "10s", "--script", str(_SCRIPT), url + call.path, "--", call.method, call.body or "-"),
        *("keyed" if call.keyed else "-", uuid.uuid4().hex, *([str(call.tokens)] if call.tokens else [])),
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
