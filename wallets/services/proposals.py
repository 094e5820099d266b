"""Deeds of staff that one person asks for and, where the configuration says so, another one approves.

Each app registers its kinds. `propose` carries a deed out at once if one person suffices: the kind is not configured to
need two, the deed is below its amount, or it only lessens exposure. Otherwise the deed waits. In both cases the
proposal, and the record of what came of it, stay for good. So they hold a bank's words only sealed, and a log holds
numbers of proposals, and none of their texts.
"""

import logging
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from wallets.exceptions import DomainError, MayNotDecide, NeedsAnotherPerson, ProposalClosed, ProposalRefused
from wallets.models import Proposal, ProposalOutcome, ProposalRecord, User
from wallets.runtime import clock, failpoints
from wallets.runtime.conflicts import retried_on_conflict

logger = logging.getLogger(__name__)

Payload = Mapping[str, Any]
"""What a kind needs to know, as JSON."""

MAY_DECIDE: Final = "wallets.decide_proposal"


class Kind:
    """A kind of deed. Subclasses inherit the answers of the methods that have one.

    `name` is stored for good and configured in TWO_PERSONS; `title` is for staff. The author needs one of `permissions`
    when the deed is asked for and when it is carried out. A kind that `only_lessens` exposure is never configured: it
    is a proposal for the sake of its record. A kind `of_powers` may be approved by superusers without a role; others
    take a role, of superusers too.
    """

    name: str
    title: str
    permissions: tuple[str, ...]
    only_lessens: bool = False
    of_powers: bool = False

    def check(self, *, payload: Payload, asked_by: User) -> None:
        """Raise a DomainError if the deed cannot be done, or no longer: the world is not as `payload` says."""
        return  # mypy takes an empty body for an abstract method

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        """Do it inside the running database transaction, and return what came of it. Raises DomainErrors."""
        raise NotImplementedError

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        """Return the old and the new state, as staff read them."""
        raise NotImplementedError

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        """Return the id of the customer who gains by the deed, if there is one."""
        return None

    def amount(self, *, payload: Payload) -> Decimal | None:
        """Return the US dollars that the deed is about, or None if the kind has no amount."""
        return None

    def adds_exposure(self, *, payload: Payload) -> bool:
        """Say whether the deed lets the house or a customer lose more than before. Others need one person only."""
        return True


_kinds: Final[dict[str, Kind]] = {}


def register(kind: Kind) -> None:
    """Make a kind known under its name. Each process does so once for each kind, when Django loads the apps."""
    assert kind.name not in _kinds, f"there are two kinds of proposals named {kind.name}"
    _kinds[kind.name] = kind


def find_kind(name: str) -> Kind | None:
    """Return the kind of a name, or None if this release has no such kind."""
    return _kinds.get(name)


def registered_kinds() -> Mapping[str, Kind]:
    """Return the kinds by name."""
    return _kinds


def count_done(*, kind: str, **about: object) -> int:
    """Count the deeds of a kind that were done about something, which the payload names: `count_done(…, coin=3)`.

    A payload that holds the number tells an approval whether what was decided about is still the same: a limit that
    was raised, and lowered again for a reason, looks as it did before.
    """
    same = {f"payload__{name}": value for name, value in about.items()}
    return Proposal.objects.filter(kind=kind, record__outcome=ProposalOutcome.DONE, **same).count()


def may_decide(person: User, *, kind: str) -> bool:
    """Say whether the permissions of a member of staff let them decide about deeds of a kind that others ask for."""
    deed = _kinds.get(kind)
    return person.has_perm(MAY_DECIDE) or (deed is not None and deed.of_powers and person.is_superuser)


def title_of(proposal: Proposal) -> str:
    """Return the title of a proposal's kind, also of one that this release no longer has."""
    kind = _kinds.get(proposal.kind)
    return kind.title if kind else proposal.kind


@transaction.atomic
def propose(*, kind: str, payload: Payload, reason: str, asked_by: User) -> Proposal:
    """Ask for a deed, or do it at once where one person suffices. The result's `needs_two` says which of the two.

    Raises ProposalRefused if the author may not ask for it, NeedsAnotherPerson if the author gains by it, and what
    `check` and, where one person suffices, `carry_out` of the kind raise. Then nothing is written.
    """
    deed = _kinds[kind]
    _ensure_author_may(asked_by, deed)
    deed.check(payload=payload, asked_by=asked_by)
    beneficiary_id = deed.beneficiary_id(payload=payload)
    if beneficiary_id == asked_by.pk:
        raise NeedsAnotherPerson
    old, new = deed.describe(payload=payload)
    adds_exposure = not deed.only_lessens and deed.adds_exposure(payload=payload)
    amount = deed.amount(payload=payload) if adds_exposure else None
    proposal = Proposal(
        kind=kind,
        payload=dict(payload),
        old=old,
        new=new,
        reason=reason,
        needs_two=adds_exposure and _needs_two(deed.name, amount=amount, asked_by=asked_by),
        amount=amount,
        beneficiary_id=beneficiary_id,
        asked_by=asked_by,
        expires_at=clock.database_now() + settings.PROPOSALS.valid_for,
    )
    proposal.save()
    if proposal.needs_two:
        logger.warning("%s asks for proposal %s (%s)", asked_by.pk, proposal.pk, kind)
    else:
        detail = deed.carry_out(payload=payload, asked_by=asked_by, approved_by=None)
        _record(proposal, outcome=ProposalOutcome.DONE, detail=detail)
    return proposal


@retried_on_conflict
@transaction.atomic(durable=True)
def approve(*, proposal_id: int, approved_by: User, note: str = "") -> ProposalRecord:
    """Carry a proposal out, once: of several approvals at the same time one does, and the others are refused.

    The proposal is checked again. If it can no longer be done, it ends with the outcome REFUSED and the reason, and
    nothing else changes. Raises ProposalClosed, NeedsAnotherPerson, MayNotDecide.
    """
    proposal = _lock_open(proposal_id)
    _ensure_another_decides(proposal, decided_by=approved_by)
    record = partial(_record, proposal, decided_by=approved_by, note=note)
    try:
        with transaction.atomic():
            detail = _carry_out(proposal, approved_by=approved_by)
    except DomainError as error:
        return record(outcome=ProposalOutcome.REFUSED, detail=str(error))
    failpoints.reach("proposal.carried_out")
    done = record(outcome=ProposalOutcome.DONE, detail=detail)
    failpoints.reach("proposal.recorded")
    return done


@retried_on_conflict
@transaction.atomic(durable=True)
def reject(*, proposal_id: int, decided_by: User, note: str) -> ProposalRecord:
    """End a proposal undone. Raises ProposalClosed, NeedsAnotherPerson (authors withdraw instead), MayNotDecide."""
    proposal = _lock_open(proposal_id)
    _ensure_another_decides(proposal, decided_by=decided_by)
    return _record(proposal, outcome=ProposalOutcome.REJECTED, decided_by=decided_by, note=note)


@retried_on_conflict
@transaction.atomic(durable=True)
def withdraw(*, proposal_id: int, withdrawn_by: User, note: str = "") -> ProposalRecord:
    """End a proposal undone, by its author. Raises ProposalClosed, MayNotDecide for anybody else."""
    proposal = _lock_open(proposal_id)
    if proposal.asked_by_id != withdrawn_by.pk:
        raise MayNotDecide("Only its author withdraws a proposal. Reject it instead.")
    return _record(proposal, outcome=ProposalOutcome.WITHDRAWN, decided_by=withdrawn_by, note=note)


def _needs_two(kind: str, *, amount: Decimal | None, asked_by: User) -> bool:
    """Say whether a deed needs two persons. An amount counts together with what its author did alone today."""
    needs_two: bool = settings.PROPOSALS.needs_two(kind=kind, amount=amount)
    if needs_two or amount is None or kind not in settings.PROPOSALS.kinds:
        return needs_two
    together = amount + _sum_of_today(kind, asked_by=asked_by)
    return bool(settings.PROPOSALS.needs_two(kind=kind, amount=together))


def _sum_of_today(kind: str, *, asked_by: User) -> Decimal:
    """Return the US dollars of the deeds of a kind that a person did alone since midnight (UTC).

    Their row is locked, so that two deeds of one person at once do not both count as the first.
    """
    User.objects.select_for_update(no_key=True).get(pk=asked_by.pk)
    today = clock.database_now().replace(hour=0, minute=0, second=0, microsecond=0)
    alone = Proposal.objects.filter(asked_by=asked_by, kind=kind, asked_at__gte=today, needs_two=False)
    return alone.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def _lock_open(proposal_id: int) -> Proposal:
    """Lock a proposal that waits for a decision. Raises ProposalClosed.

    Its record is looked for after the lock: whoever held the lock before may have written it.
    """
    proposal = Proposal.objects.select_for_update(no_key=True).filter(pk=proposal_id).first()
    if proposal is None or ProposalRecord.objects.filter(proposal=proposal).exists():
        raise ProposalClosed
    if proposal.expires_at <= clock.database_now():
        raise ProposalClosed
    return proposal


def _ensure_another_decides(proposal: Proposal, *, decided_by: User) -> None:
    if decided_by.pk in {proposal.asked_by_id, proposal.beneficiary_id}:
        logger.warning("proposal %s: %s may not decide about their own deed or gain", proposal.pk, decided_by.pk)
        raise NeedsAnotherPerson
    person = User.objects.get(pk=decided_by.pk)  # without the permissions that the caller's object remembers
    if not (person.is_active and person.is_staff and may_decide(person, kind=proposal.kind)):
        raise MayNotDecide


def _ensure_author_may(author: User, deed: Kind) -> None:
    if not (author.is_active and author.is_staff and any(author.has_perm(each) for each in deed.permissions)):
        raise ProposalRefused("The author may not ask for this, or no longer. Superusers need a role for it too.")


def _carry_out(proposal: Proposal, *, approved_by: User) -> str:
    deed = _kinds.get(proposal.kind)
    if deed is None:
        raise ProposalRefused("This release does not know the kind of this proposal.")
    author = User.objects.get(pk=proposal.asked_by_id)
    _ensure_author_may(author, deed)
    deed.check(payload=proposal.payload, asked_by=author)
    if deed.describe(payload=proposal.payload) != (proposal.old, proposal.new):
        raise ProposalRefused("What this is about has changed, or has another name by now. Look at it, and ask again.")
    return deed.carry_out(payload=proposal.payload, asked_by=author, approved_by=approved_by)


def _record(
    proposal: Proposal, *, outcome: ProposalOutcome, detail: str = "", note: str = "", decided_by: User | None = None
) -> ProposalRecord:
    record = ProposalRecord(
        proposal=proposal,
        outcome=outcome,
        detail=detail[:500],
        note=note[:500],
        asked_by_id=proposal.asked_by_id,
        beneficiary_id=proposal.beneficiary_id,
        needs_two=proposal.needs_two,
        decided_by=decided_by,
    )
    record.save()
    who = (decided_by or proposal.asked_by).pk
    logger.warning("proposal %s (%s) is %s by %s", proposal.pk, proposal.kind, outcome.value, who)
    return record
