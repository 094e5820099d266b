"""The venue's answers, for the records that staff read."""

from typing import TypeGuard

from settlement.venues.protocol import Executed, OrderNotFound, Unknown, Untrue, VenueAnswer


def has_bought(answer: VenueAnswer) -> TypeGuard[Executed]:
    """Say whether a purchase has ended and bought coins."""
    return isinstance(answer, Executed) and answer.final and answer.quantity > 0


def in_words(answer: VenueAnswer) -> str:
    """Return the venue's answer for staff."""
    match answer:
        case Executed():
            quantity, cost, commission = (
                f"{amount.normalize():f}" for amount in (answer.quantity, answer.cost, answer.commission)
            )
            return f"{answer.status}, {quantity} for {cost}, commission {commission}"
        case OrderNotFound():
            return "the venue does not know the order"
        case Unknown():
            return f"the venue could not be asked: {answer.reason}"
        case Untrue():
            return f"the venue's answer cannot be true: {answer.reason}"
        case _:
            return answer.reason


def as_record(answer: VenueAnswer) -> dict[str, str]:
    """Return the venue's answer for an intervention's record, which is kept for good."""
    # Old records name this answer "NotFound". Records are kept for good, so new records use that name too.
    name = "NotFound" if isinstance(answer, OrderNotFound) else type(answer).__name__
    return {"answer": name, "said": in_words(answer)}
