"""The kinds of proposals about findings: the adoption of an order that we do not know, and the end of a finding."""

from typing import Any, Final

from settlement.exceptions import NotAnUnknownOrder
from settlement.models import Finding, FindingDecision, FindingKind
from settlement.services.findings import close_finding, decide_about_order
from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime import clock
from wallets.services.proposals import Kind, Payload


class AdoptionKind(Kind):
    """The adoption of an order that our books do not know: a worker books it as a purchase."""

    name = "adoption"
    title = "Adoption of an order"
    permissions = ("settlement.change_finding",)

    def payload_of(self, *, finding: Finding, note: str) -> dict[str, Any]:
        """Return the payload for adopting the order of a finding."""
        return {"finding": finding.pk, "note": note}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        finding = Finding.objects.get(pk=payload["finding"])
        if finding.kind != FindingKind.EXTRA:
            raise NotAnUnknownOrder
        if finding.closed_at is not None or finding.decision:
            raise ProposalRefused(f"{finding} is closed or decided already.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        finding = Finding.objects.get(pk=payload["finding"])
        decided = decide_about_order(
            finding=finding,
            decision=FindingDecision.ADOPT,
            decided_by=asked_by,
            note=payload["note"],
            now=clock.now(),
        )
        if not decided:
            raise ProposalRefused(f"{finding} is closed or decided already.")
        return f"{finding}: a worker adopts it."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        finding = Finding.objects.get(pk=payload["finding"])
        return f"{finding}: {finding.theirs}", f"{finding}: it is ours"


class CloseFindingKind(Kind):
    """The end of a finding that staff have dealt with. An order that we do not know is closed as not ours."""

    name = "close_finding"
    title = "Closing of a finding"
    permissions = ("settlement.change_finding",)
    only_lessens = True

    def payload_of(self, *, finding: Finding, note: str, is_not_ours: bool = False) -> dict[str, Any]:
        """Return the payload for closing a finding."""
        return {"finding": finding.pk, "note": note, "is_not_ours": is_not_ours}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        finding = Finding.objects.get(pk=payload["finding"])
        if payload["is_not_ours"]:
            done = decide_about_order(
                finding=finding,
                decision=FindingDecision.NOT_OURS,
                decided_by=asked_by,
                note=payload["note"],
                now=clock.now(),
            )
        else:
            done = close_finding(finding=finding, closed_by=asked_by, note=payload["note"], now=clock.now())
        if not done:
            raise ProposalRefused("It is closed or decided already.")
        return f"{finding}: it is closed."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        finding = Finding.objects.get(pk=payload["finding"])
        return f"{finding}: open", f"{finding}: {'not ours' if payload['is_not_ours'] else 'closed'}"


ADOPTION: Final = AdoptionKind()
CLOSE_FINDING: Final = CloseFindingKind()
