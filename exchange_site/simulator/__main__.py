"""`python -m exchange_site.simulator --port 9100 --book FILE`."""

import argparse

from exchange_site.simulator.server import add_arguments, serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Exchange simulator: Binance's spot REST API with a durable book.")
    add_arguments(parser)
    serve(parser.parse_args())
