"""Clients of Binance that are not ours, against the simulator: `task conformance`.

Each makes the 60 calls of `calls.json` by a small driver, in an environment of its own, and has to get the answers that
Binance's documentation names.
"""
