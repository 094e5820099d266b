"""Run the simulator."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET, control, orders, tickers
from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.errors import VenueError
from exchange_site.simulator.faults import Faults
from exchange_site.simulator.venue import VENUE, Handler, Venue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--book", type=Path, required=True, help="the file of the book; it survives restarts")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY)
    parser.add_argument("--api-secret", default=DEFAULT_API_SECRET)


def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    book = Book(options.book)
    app = web.Application(middlewares=[control.answer_bad_input, _answer_errors])
    app[VENUE] = Venue(book=book, faults=Faults(), api_key=options.api_key, api_secret=options.api_secret)
    app.add_routes([*tickers.routes(), *orders.routes(), *control.routes()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, options.host, options.port, reuse_address=True).start()
    sys.stdout.write(f"exchange simulator on http://{options.host}:{options.port}, book {options.book}\n")
    sys.stdout.flush()
    await _until_told_to_stop()
    await runner.cleanup()
    book.close()


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a VenueError in Binance's format."""
    try:
        return await handler(request)
    except VenueError as error:
        body = {"code": error.code, "msg": error.message}
        return web.json_response(body, status=error.status, headers=error.headers)
