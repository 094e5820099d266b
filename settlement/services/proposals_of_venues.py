"""The kinds of proposals about pauses of buying and about the venues' ranks."""

from typing import Any, Final

from settlement.models import Pause, VenueEntry, VenueState
from settlement.services.pausing import lift_pause, pause_buying
from settlement.services.ranking import change_venue
from trading.models import Coin
from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime import clock
from wallets.services.pins import ensure_pinned
from wallets.services.proposals import Kind, Payload, count_done


class LiftPauseKind(Kind):
    """The end of a pause before its time. To pause needs one person only, and is no proposal."""

    name = "lift_pause"
    title = "Lifting of a pause"
    permissions = ("settlement.change_pause",)

    def payload_of(self, *, pause: Pause) -> dict[str, Any]:
        """Return the payload for lifting a pause, as it is now."""
        return {"pause": pause.pk, "set_at": pause.set_at.isoformat(), "reason": pause.reason}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        pause = _pause_of(payload)
        if (pause.set_at.isoformat(), pause.reason) != (payload["set_at"], payload["reason"]):
            raise ProposalRefused(f"The {pause} was set again meanwhile. Look at it, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        pause = _pause_of(payload)
        lift_pause(pause=pause)
        return f"The {pause} is lifted."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        pause = _pause_of(payload)
        return f"{pause}: {pause.reason}", f"{pause}: it ends"


class PausingKind(Kind):
    """A pause of buying, of one coin or of every coin, at one venue or at every venue."""

    name = "pause"
    title = "Pause"
    permissions = ("settlement.add_pause",)
    only_lessens = True

    def payload_of(self, *, coin: Coin | None, reason: str, venue: str = "") -> dict[str, Any]:
        """Return the payload for a pause; `reason` is stored with it. An empty `venue` is every venue."""
        return {"coin": coin.pk if coin else None, "reason": reason, "venue": venue}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        coin = Coin.objects.filter(pk=payload["coin"]).first()
        pause = pause_buying(
            coin=coin, venue=payload["venue"], reason=payload["reason"], set_by=asked_by, now=clock.now()
        )
        return f"The {pause} begins."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        coin = Coin.objects.filter(pk=payload["coin"]).first()
        at = f" at {payload['venue']}" if payload["venue"] else ""
        return "", f"buying of {coin or 'every coin'}{at} is paused"


class VenueKind(Kind):
    """A venue's rank, and whether it is in use. To use it no longer, with the same rank, needs one person only."""

    name = "venue"
    title = "Change of a venue"
    permissions = ("settlement.change_venueentry",)

    def payload_of(self, *, venue: VenueEntry, priority: int, state: str) -> dict[str, Any]:
        """Return the payload for changing a venue, as it is now."""
        before = [venue.priority, venue.state]
        return {"venue": venue.pk, "before": before, "after": [priority, state], **self._pins(venue)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        venue = VenueEntry.objects.get(pk=payload["venue"])
        if [venue.priority, venue.state] != payload["before"]:
            raise ProposalRefused(f"{venue} was changed meanwhile. Look at it, and ask again.")
        ensure_pinned(payload, self._pins(venue), about=venue)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        name, (priority, state) = VenueEntry.objects.get(pk=payload["venue"]).name, payload["after"]
        change_venue(name=name, priority=priority, state=VenueState(state), now=clock.now())
        return f"{name} is {VenueState(state).label}, with priority {priority}."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        name = VenueEntry.objects.get(pk=payload["venue"]).name
        old, new = (
            f"{name}: {VenueState(state).label}, priority {priority}"
            for priority, state in (payload["before"], payload["after"])
        )
        return old, new

    def adds_exposure(self, *, payload: Payload) -> bool:
        (old, _), (new, state) = payload["before"], payload["after"]
        return not (old == new and state == VenueState.NOT_USED)

    def _pins(self, venue: VenueEntry) -> dict[str, Any]:
        return {"done": count_done(kind=self.name, venue=venue.pk)}


LIFT_PAUSE: Final = LiftPauseKind()
PAUSE: Final = PausingKind()
VENUE: Final = VenueKind()


def _pause_of(payload: Payload) -> Pause:
    pause = Pause.objects.select_for_update(no_key=True, of=("self",)).filter(pk=payload["pause"]).first()
    if pause is None:
        raise ProposalRefused("The pause has ended.")
    return pause
