"""Run the simulator."""

import argparse
import asyncio
import atexit
import gc
import os
import signal
import sqlite3
import sys
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Final

from aiohttp import web

from exchange_site.simulator import (
    DEFAULT_API_KEY,
    DEFAULT_API_SECRET,
    accounts,
    control,
    control_limits,
    control_markets,
    market_data,
    orders,
    second_source,
    tickers,
)
from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.faults import Faults
from exchange_site.simulator.inputs import read_number
from exchange_site.simulator.kraken import routes as kraken
from exchange_site.simulator.limiting import answer_within_limits
from exchange_site.simulator.magic import magic_prices, magic_rules
from exchange_site.simulator.venue import VENUE, Venue

_DIGITS: Final = 60
"""Enough for the dearest price, the finest tick and the largest balance in one figure."""
_MATCH_SECONDS: Final = 0.1
_END_SECONDS: Final = 0.1
"""aiohttp waits so long twice for open requests before it cancels them. Only those that a fault delays take longer."""
_ROUTED: Final = (
    tickers,
    market_data,
    orders,
    accounts,
    second_source,
    control,
    control_limits,
    control_markets,
    kraken,
)
"""The modules that serve paths."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--book", type=Path, required=True, help="the file of the book; it survives restarts")
    parser.add_argument(
        "--spread",
        type=_spread,
        default=Decimal("0.0002"),
        help="bid and ask from the set price: 0.0002 is 0.02 %% either way",
    )
    parser.add_argument("--magic", action="store_true", help="list the markets of a sandbox, which misbehave")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY)
    parser.add_argument("--api-secret", default=DEFAULT_API_SECRET)


def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    atexit.register(gc.freeze)  # Python would look through all objects again when it ends, for up to a second
    asyncio.run(_serve(options))


def _spread(text: str) -> Decimal:
    try:
        return read_number(text, name="the spread", at_most=control_markets.MOST_SPREAD)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _serve(options: argparse.Namespace) -> None:
    getcontext().prec = _DIGITS
    book = _open_book(options)
    app = web.Application(middlewares=[control.answer_bad_input, answer_within_limits])
    if options.magic:
        book.list_missing(magic_prices())
    faults = Faults(standing=magic_rules() if options.magic else ())
    app[VENUE] = Venue(book=book, faults=faults, api_key=options.api_key, api_secret=options.api_secret)
    for module in _ROUTED:
        app.add_routes(module.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_END_SECONDS)
    await runner.setup()
    await _listen(runner, options)
    sys.stdout.write(f"exchange simulator on http://{options.host}:{options.port}, book {options.book}\n")
    sys.stdout.flush()
    matching = asyncio.create_task(_match(book))
    await _until_told_to_stop()
    matching.cancel()
    await runner.cleanup()
    book.close()


def _open_book(options: argparse.Namespace) -> Book:
    """Open the book, or end the process with a sentence."""
    try:
        return Book(options.book, spread=options.spread)
    except sqlite3.Error as error:
        sys.exit(
            f"The book {options.book} cannot be used: {error}. Delete it if it is none, or name another: --book FILE"
        )


async def _listen(runner: web.AppRunner, options: argparse.Namespace) -> None:
    """Listen, or end the process with a sentence."""
    try:
        await web.TCPSite(runner, options.host, options.port, reuse_address=True).start()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error).rstrip(".")
        place = f"{options.host}:{options.port}"
        sys.exit(f"Nothing can listen on {place}: {reason}. Choose another one with --port or --host")


async def _match(book: Book) -> None:
    """Fill open orders as prices move by themselves."""
    while True:
        await asyncio.sleep(_MATCH_SECONDS)
        book.match()


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
