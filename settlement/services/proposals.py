"""The kinds of proposals of settlement and their registration.

Those about findings, pauses and venues are next door.
"""

from decimal import Decimal
from typing import Any, Final

from settlement.models import (
    AccountMove,
    AccountMoveKind,
    Attempt,
    BalanceReading,
    Batch,
    BatchState,
    InterventionAction,
    current_venue,
)
from settlement.services.account_moves import book_move, ensure_opening_proposed
from settlement.services.finding_kinds import ADOPTION, CLOSE_FINDING
from settlement.services.intervening.requests import Figures, ensure_may_decide, find_attempt, request_intervention
from settlement.services.proposals_of_venues import LIFT_PAUSE, PAUSE, VENUE
from settlement.services.recognising import Watch, put_in_doubt, read_watch, stop_sending
from wallets.exceptions import ProposalRefused
from wallets.models import Proposal, ProposalOutcome, User
from wallets.runtime import clock
from wallets.selectors.proposals import is_open
from wallets.services.pins import ensure_pinned
from wallets.services.proposals import Kind, Payload, propose, register


class InterventionKind(Kind):
    """A decision about a batch. A lookup decides nothing, so one person suffices.

    Neither the author nor the approver may have an order in the batch.
    """

    name = "intervention"
    title = "Intervention"
    permissions = ("settlement.change_batch",)

    def payload_of(
        self, *, batch: Batch, action: InterventionAction, reason: str, figures: Figures | None
    ) -> dict[str, Any]:
        """Return the payload for a decision; `figures` are those that staff state. Raises InterventionRefused."""
        attempt = find_attempt(batch=batch, action=action)
        stated = {name: f"{value:f}" for name, value in vars(figures).items()} if figures else None
        return {
            "batch": batch.pk,
            "action": action.value,
            "attempt": attempt.pk if attempt else None,
            "reason": reason,
            "figures": stated,
            **self._pins(batch, attempt),
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        batch, action = _read(payload)
        ensure_may_decide(batch=batch, action=action, decided_by=asked_by)
        attempt = find_attempt(batch=batch, action=action)
        if (attempt.pk if attempt else None) != payload["attempt"]:
            raise ProposalRefused("Another attempt of this batch is in doubt by now. Look at it, and ask again.")
        ensure_pinned(payload, self._pins(batch, attempt), about=batch)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        batch, action = _read(payload)
        if approved_by is not None:
            ensure_may_decide(batch=batch, action=action, decided_by=approved_by)
        intervention = request_intervention(
            batch=batch,
            action=action,
            reason=payload["reason"],
            requested_by=asked_by,
            now=clock.now(),
            figures=_figures(payload),
        )
        return f"Intervention {intervention.pk} is queued for a worker."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        batch, action = _read(payload)
        figures = ", ".join(f"{name} {value}" for name, value in (payload["figures"] or {}).items())
        return f"{batch}: {batch.state}", f"{batch}: {action.label}{': ' if figures else ''}{figures}"

    def adds_exposure(self, *, payload: Payload) -> bool:
        return _read(payload)[1] != InterventionAction.LOOK_UP

    def _pins(self, batch: Batch, attempt: Attempt | None) -> dict[str, Any]:
        """Return how many attempts a parked batch has had, if none is named: it may be parked again for another reason.

        One that is open makes further attempts by itself.
        """
        is_parked = attempt is None and batch.state == BatchState.PARKED
        return {"attempts": batch.attempts.count()} if is_parked else {}


class MoveAtVenueKind(Kind):
    """An opening or a move of the account at the venue, which the comparison of balances uses. It moves no money."""

    name = "account_move"
    title = "Move at the venue"
    permissions = ("settlement.add_accountmove",)

    def payload_of(self, *, move: AccountMove, reading: BalanceReading | None = None) -> dict[str, Any]:
        """Return the payload for a move that is not saved; `reading` is the one that proposes it."""
        return {
            "venue": move.venue,
            "asset": move.asset,
            "kind": str(move.kind),
            "amount": f"{move.amount:f}",
            "reason": move.reason,
            "reading": reading.pk if reading else None,
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if payload["reading"] is not None:
            reading = BalanceReading.objects.get(pk=payload["reading"])
            ensure_opening_proposed(reading=reading)
            if reading.proposed != Decimal(payload["amount"]):
                raise ProposalRefused("The reading proposes another opening by now. Look at it, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        move = AccountMove(
            venue=payload.get("venue") or current_venue(),  # a proposal of the previous release names none
            asset=payload["asset"],
            kind=AccountMoveKind(payload["kind"]),
            amount=Decimal(payload["amount"]),
            reason=payload["reason"],
        )
        return f"The {book_move(move=move, booked_by=asked_by, now=clock.now())} is booked."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        at = f" at {payload['venue']}" if payload.get("venue") else ""
        return "", f"{payload['kind']} of {payload['amount']} {payload['asset']}{at}"


class RestorationKind(Kind):
    """What `manage.py after_restore` does: it adopts what the venue has and our books lack, and lets buying go on.

    The permission holds for one doubt about the database. The command may run several times until it is complete.
    """

    name = "restoration"
    title = "Putting things right after a restore"
    permissions = ("settlement.change_databasewatch",)

    def payload_of(self, *, watch: Watch) -> dict[str, Any]:
        """Return the payload for the present doubt, which has begun."""
        assert watch.doubted_at is not None, "sending was stopped"
        return {"doubted_at": watch.doubted_at.isoformat()}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        doubted_at = read_watch().doubted_at
        if doubted_at is None or doubted_at.isoformat() != payload["doubted_at"]:
            raise ProposalRefused("The doubt about the database is another one by now, or has ended. Ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        return "manage.py after_restore may go on: run it again."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        since = f"{payload['doubted_at'][:16]} UTC"
        return f"nothing is sent since {since}", "what the venue has is adopted, and buying goes on"


INTERVENTION: Final = InterventionKind()
ACCOUNT_MOVE: Final = MoveAtVenueKind()
RESTORATION: Final = RestorationKind()


def register_kinds() -> None:
    """Make settlement's kinds known."""
    for kind in (INTERVENTION, ADOPTION, CLOSE_FINDING, ACCOUNT_MOVE, PAUSE, LIFT_PAUSE, VENUE, RESTORATION):
        register(kind)


def ask_to_restore(*, asked_by: User, reason: str) -> Proposal:
    """Stop sending, and ask to put things right, or find what was asked for about the present doubt.

    Raises what `propose` raises; then sending is stopped all the same.
    """
    put_in_doubt()
    stop_sending(found=["after_restore waits for a second person, or did not end"])
    payload = RESTORATION.payload_of(watch=read_watch())
    asked = Proposal.objects.filter(kind=RESTORATION.name, payload=payload)
    approved = asked.filter(record__outcome=ProposalOutcome.DONE)
    found = approved.first() or asked.filter(is_open(now=clock.database_now())).first()
    return found or propose(kind=RESTORATION.name, payload=payload, reason=reason, asked_by=asked_by)


def _read(payload: Payload) -> tuple[Batch, InterventionAction]:
    return Batch.objects.get(pk=payload["batch"]), InterventionAction(payload["action"])


def _figures(payload: Payload) -> Figures | None:
    stated = payload["figures"]
    return Figures(**{name: Decimal(value) for name, value in stated.items()}) if stated else None
