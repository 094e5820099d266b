"""The queue of proposals, where a second member of staff decides, and how other pages ask for deeds."""

import json
from collections.abc import Callable
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from wallets.admin.actions import acts_on_chosen, ask_for_reason, reported
from wallets.admin.records import RecordAdmin, badge, find_customers, is_id, link_to, moment
from wallets.exceptions import Busy, DomainError, HashingBusy, RateLimited
from wallets.models import Proposal, ProposalRecord, User
from wallets.runtime import clock
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.proposals import is_open
from wallets.selectors.sealed import open_text
from wallets.services.proposals import MAY_DECIDE, approve, find_kind, may_decide, propose, reject, title_of, withdraw

_PAGES: Final = {
    "statement": "wallets_statement",
    "deposit": "wallets_deposit",
    "return": "wallets_return",
    "payout": "wallets_payout",
    "movement": "wallets_transaction",
    "user": "wallets_user",
    "customer": "wallets_user",
    "group": "auth_group",
    "coin": "trading_coin",
    "order": "trading_order",
    "file": "wallets_payoutfile",
}
"""The admin pages of the records that payloads name by their ids."""


def ask_to_do(
    *, page: "admin.ModelAdmin[Any]", request: HttpRequest, kind: str, payload: dict[str, Any], reason: str
) -> Proposal:
    """Propose a deed for the member of staff who is signed in, and tell them if it waits for a second person.

    For actions of pages, which run outside a database transaction. Raises what `propose` raises.
    """
    ask = retried_on_conflict(propose)
    proposal = ask(kind=kind, payload=payload, reason=reason, asked_by=cast("User", request.user))
    tell_if_waiting(page=page, request=request, proposal=proposal)
    return proposal


def ask_about(
    *,
    page: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    record: Any,
    kind: str,
    payload: dict[str, Any],
    reason: str,
) -> None:
    """Propose a deed about a record like `ask_to_do`, write it into the record's history, and tell staff."""
    proposal = ask_to_do(page=page, request=request, kind=kind, payload=payload, reason=reason)
    done = f"Asked for {proposal}" if proposal.needs_two else f"Done: {proposal.new}"
    page.log_change(request, record, f"{done}: {reason}")
    page.message_user(request, done)


def ask_to_save(
    *, page: "admin.ModelAdmin[Any]", request: HttpRequest, kind: str, payload: dict[str, Any], reason: str
) -> Proposal:
    """Like `ask_to_do`, inside the database transaction in which a page saves its form."""
    proposal = propose(kind=kind, payload=payload, reason=reason, asked_by=cast("User", request.user))
    tell_if_waiting(page=page, request=request, proposal=proposal)
    return proposal


def tell_if_waiting(*, page: "admin.ModelAdmin[Any]", request: HttpRequest, proposal: Proposal) -> None:
    """Tell staff that a proposal waits for a second person, if it does."""
    if proposal.needs_two:
        words = f"{title_of(proposal)}: another member of staff has to approve {proposal}."
        page.message_user(request, words, messages.WARNING)


class ShowsRefusals:
    """For pages whose form proposes deeds: a deed that is refused leaves everything as it was, and staff read why."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]  # of ModelAdmin
        except (RateLimited, HashingBusy, Busy):
            raise  # the middleware answers
        except DomainError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())


class AddedByProposal(ShowsRefusals):
    """For pages whose rows are added by a proposal: while it waits, there is no row to show, nor one to record."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, message) if obj.pk else None  # type: ignore[misc]  # of ModelAdmin

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if obj.pk:
            answer: HttpResponse = super().response_add(request, obj, post_url_continue)  # type: ignore[misc]
            return answer
        name = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_changelist"  # noqa: SLF001  Django's own names
        return HttpResponseRedirect(reverse(name))


class SavedByProposal(ShowsRefusals):
    """For pages whose form proposes changes: `form.waiting` are the proposals that wait."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002  Django's signature
        """Name the proposals that wait, instead of fields that have not changed yet."""
        if waiting := getattr(form, "waiting", []):
            return "Asked for " + "; ".join(str(proposal) for proposal in waiting)
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]  # of ModelAdmin


class _OpenFilter(admin.SimpleListFilter):
    """Shows only proposals that wait, unless staff choose another filter or act on chosen ones."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All")]

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return [{**found[0], "display": "Waiting"}, *found[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or acts_on_chosen(request):
            return queryset
        return queryset.filter(is_open(now=clock.now()))


@admin.register(Proposal)
class ProposalAdmin(RecordAdmin):
    """What staff asked for, who approved it, and what came of it. Rows never change."""

    list_display = ("id", "what", "old", "new", "reason", "asked", "state", "decided_by")
    list_filter = (_OpenFilter,)
    list_select_related = ("asked_by", "record__decided_by")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "The id of a proposal, or the whole username of its author or of the customer who gains by it"
    actions = ("approve", "reject", "withdraw")
    object_actions = ("approve", "reject", "withdraw")
    fields = (
        *list_display[:5],
        "asked_by",
        "asked_at",
        "expires_at",
        "about",
        "beneficiary_link",
        "needs_two",
        "state",
        "decided_by",
        "decided_at",
        "came_of_it",
        "note",
        "told",
    )
    readonly_fields = fields

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Offer decisions to managers, and to superusers, who decide about powers."""
        return request.user.has_perm(MAY_DECIDE) or (request.user.is_active and request.user.is_superuser)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what the deed is about in detail for staff who neither ask for such deeds nor decide about them."""
        shown = "told" if obj is not None and _knows(cast("User", request.user), obj) else ""
        return [name for name in self.fields if name != "told" or name == shown]

    def find(self, term: str) -> Q:
        people = find_customers(term)
        found = Q(asked_by_id__in=people) | Q(beneficiary_id__in=people)
        return found | Q(pk=int(term)) if is_id(term) else found

    def fits(self, record: Proposal, action: str) -> bool:
        return _record_of(record) is None and record.expires_at > clock.now()

    def is_for(self, person: User, record: Proposal, action: str) -> bool:
        """Offer decisions that the person's role allows. The service says why authors do not decide."""
        return action == "withdraw" or may_decide(person, kind=record.kind)

    @admin.display(description="What")
    def what(self, proposal: Proposal) -> str:
        return title_of(proposal)

    @admin.display(description="Asked by")
    def asked(self, proposal: Proposal) -> SafeString:
        return format_html("{}<br>{}", proposal.asked_by, moment(proposal.asked_at))

    @admin.display(description="State")
    def state(self, proposal: Proposal) -> SafeString | str:
        record = _record_of(proposal)
        if record is not None:
            return badge(record.outcome, record.get_outcome_display())
        return badge("undecided", "waits") if proposal.expires_at > clock.now() else badge("expired")

    @admin.display(description="Look at")
    def about(self, proposal: Proposal) -> SafeString | str:
        """Link to the records that the deed is about, for the person who decides."""
        told = proposal.payload
        named = [(name, told[name]) for name in _PAGES if isinstance(told.get(name), int)]
        links = ((link_to(_PAGES[name], pk, f"{name} {pk}"),) for name, pk in named)
        return format_html_join(" · ", "{}", links) or "-"

    @admin.display(description="In detail")
    def told(self, proposal: Proposal) -> str:
        """Return the payload, with the texts that are sealed in the database."""
        facts = proposal.payload.items()
        opened = {name: open_text(text=value) if isinstance(value, str) else value for name, value in facts}
        return json.dumps(opened, ensure_ascii=False)

    @admin.display(description="Gains by it")
    def beneficiary_link(self, proposal: Proposal) -> SafeString | str:
        return link_to("wallets_user", proposal.beneficiary_id, proposal.beneficiary)

    @admin.display(description="Decided by")
    def decided_by(self, proposal: Proposal) -> str:
        record = _record_of(proposal)
        if record is None:
            return "-"
        return str(record.decided_by or "nobody else: one person suffices")

    @admin.display(description="Decided at")
    def decided_at(self, proposal: Proposal) -> str:
        record = _record_of(proposal)
        return moment(record.decided_at) if record else "-"

    @admin.display(description="What came of it")
    def came_of_it(self, proposal: Proposal) -> str:
        record = _record_of(proposal)
        return record.detail or "-" if record else "-"

    @admin.display(description="Note")
    def note(self, proposal: Proposal) -> str:
        record = _record_of(proposal)
        return record.note or "-" if record else "-"

    @admin.action(description="Approve", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> HttpResponse | None:
        return self._decide(request, queryset, "approve", lambda **given: approve(approved_by=_staff(request), **given))

    @admin.action(description="Reject", permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> HttpResponse | None:
        return self._decide(request, queryset, "reject", lambda **given: reject(decided_by=_staff(request), **given))

    @admin.action(description="Withdraw", permissions=["view"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> HttpResponse | None:
        """End one's own proposals. The service refuses those of others."""
        return self._decide(
            request, queryset, "withdraw", lambda **given: withdraw(withdrawn_by=_staff(request), **given)
        )

    def _decide(
        self,
        request: HttpRequest,
        chosen: QuerySet[Proposal],
        action: str,
        decide: Callable[..., ProposalRecord],
    ) -> HttpResponse | None:
        """Ask for a note, and decide about each proposal by itself."""
        title = f"{action.capitalize()} these proposals"
        note = ask_for_reason(page=self, request=request, chosen=chosen, action=action, title=title)
        if isinstance(note, HttpResponse):
            return note
        for proposal in chosen:
            with reported(page=self, request=request, item=proposal):
                record = decide(proposal_id=proposal.pk, note=note)
                self.message_user(request, f"{record}. {record.detail}".strip())
        return None


def _knows(person: User, proposal: Proposal) -> bool:
    kind = find_kind(proposal.kind)
    asks = kind is not None and any(person.has_perm(each) for each in kind.permissions)
    return asks or may_decide(person, kind=proposal.kind)


def _record_of(proposal: Proposal) -> ProposalRecord | None:
    return getattr(proposal, "record", None)


def _staff(request: HttpRequest) -> User:
    return cast("User", request.user)
