"""All endpoints of the dialect."""

from aiohttp import web

from exchange_site.simulator.kraken import account, orders, placing, public, trades


def routes() -> list[web.RouteDef]:
    """Return the endpoints. The last one answers every path below /0/ that no other one does."""
    return [route for module in (placing, orders, trades, account, public) for route in module.routes()]
