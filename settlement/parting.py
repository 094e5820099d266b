"""Part what a venue did from what was asked for, when staff have approved that it did more."""

from dataclasses import dataclass

from settlement.figures import multiply, round_quantity, share, subtract
from settlement.gate import MOST_COMMISSION, Figures, Request, highest_cost


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a venue did, parted: what we asked for, and the rest. Together they are the whole."""

    within: Figures
    beyond: Figures


def part(*, figures: Figures, request: Request) -> Parts:
    """Part what a venue did beyond a request from what was asked for. Costs are shared by quantity.

    The part within the request passes `weigh`; whatever else the venue took is beyond it.
    """
    quantity = min(figures.quantity, request.quantity)
    most = highest_cost(quantity=quantity, limit_price=request.limit_price)
    within = Figures(
        quantity=quantity,
        cost=min(share(figures.cost, of=quantity, whole=figures.quantity), most),
        commission=min(
            share(figures.commission, of=quantity, whole=figures.quantity),
            round_quantity(multiply(quantity, MOST_COMMISSION)),
        ),
        quote_commission=min(
            share(figures.quote_commission, of=quantity, whole=figures.quantity),
            round_quantity(multiply(most, MOST_COMMISSION)),
        ),
    )
    beyond = Figures(
        quantity=subtract(figures.quantity, within.quantity),
        cost=subtract(figures.cost, within.cost),
        commission=subtract(figures.commission, within.commission),
        quote_commission=subtract(figures.quote_commission, within.quote_commission),
    )
    return Parts(within=within, beyond=beyond)
