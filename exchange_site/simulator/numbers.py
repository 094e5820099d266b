"""Write figures as Binance does."""

from decimal import Decimal


def text(figure: Decimal | str) -> str:
    """Write a figure with eight places, or with more if it has more: Binance's have at most eight."""
    exact = Decimal(figure)
    written = f"{exact:.8f}"
    return written if Decimal(written) == exact else f"{exact:f}"
