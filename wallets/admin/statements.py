"""Admin pages of imported bank statements, which staff credit or reject, and of their lines."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from wallets.admin.actions import Question, ask_for_reason, ask_staff, reported
from wallets.admin.deposits import CustomerForm
from wallets.admin.proposals import ask_about, ask_to_do, tell_if_waiting
from wallets.admin.records import RecordAdmin, badge, dollars, is_id, link_to, link_to_list
from wallets.exceptions import StatementDecided
from wallets.models import Return, Statement, StatementLine, StatementState, User
from wallets.selectors.foreseen import foresee
from wallets.selectors.sealed import open_text
from wallets.selectors.statements import list_open_debits
from wallets.services.deposit_kinds import ask_to_credit
from wallets.services.payouts.line_kinds import CHARGE_DEBIT, EXPLAIN_DEBIT
from wallets.services.recorded_kinds import REJECT_STATEMENT


@admin.register(Statement)
class StatementAdmin(RecordAdmin):
    list_display = ("id", "imported_at", "standing", "account", "sums", "imported_by", "decided_by", "lines")
    list_filter = ("state",)
    list_select_related = ("imported_by", "decided_by")
    actions = ("credit", "reject")
    object_actions = ("credit", "reject")
    search_fields = ("id",)
    search_help_text = "The id of a statement"
    fields = (
        "standing",
        "account",
        "sums",
        "numbers",
        "lines",
        "file_name",
        "sha256",
        "previous",
        "imported_by",
        "imported_at",
        "decided_by",
        "decided_at",
    )
    readonly_fields = fields

    def fits(self, record: Statement, action: str) -> bool:
        open_ = (StatementState.WAITING, StatementState.APPROVED)
        return record.state in (open_ if action == "reject" else open_[:1])

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.approve_statement")

    @admin.action(description="Credit", permissions=["approve"])
    def credit(self, request: HttpRequest, queryset: QuerySet[Statement]) -> HttpResponse | None:
        """Ask to credit the chosen statements, if nobody asks for it already. A worker credits the approved ones."""
        return self._decide(request, queryset.order_by("id"), "credit")

    @admin.action(description="Reject", permissions=["approve"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Statement]) -> HttpResponse | None:
        """Put the chosen statements aside, as if they had never been imported."""
        return self._decide(request, queryset.order_by("-id"), "reject")

    def _decide(self, request: HttpRequest, chosen: QuerySet[Statement], action: str) -> HttpResponse | None:
        title = f"{action.title()} these statements"
        reason = ask_for_reason(page=self, request=request, chosen=chosen, action=action, title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for statement in chosen:
            with reported(page=self, request=request, item=statement):
                if action == "reject":
                    payload = REJECT_STATEMENT.payload_of(statement=statement)
                    ask_to_do(page=self, request=request, kind=REJECT_STATEMENT.name, payload=payload, reason=reason)
                    self._tell(request, statement, f"Reject: {reason}")
                else:
                    self._ask(request, statement, reason)
        return None

    def _ask(self, request: HttpRequest, statement: Statement, reason: str) -> None:
        proposal = ask_to_credit(statement_id=statement.pk, asked_by=cast("User", request.user), reason=reason)
        if proposal is None:
            raise StatementDecided(state=statement.get_state_display())
        tell_if_waiting(page=self, request=request, proposal=proposal)
        self._tell(request, statement, f"{'Asked to credit' if proposal.needs_two else 'Credit'}: {reason}")

    def _tell(self, request: HttpRequest, statement: Statement, done: str) -> None:
        self.log_change(request, statement, done)
        self.message_user(request, f"{done.split(':', maxsplit=1)[0]}: {statement}")

    @admin.display(description="State")
    def standing(self, statement: Statement) -> SafeString | str:
        return badge(statement.state, statement.get_state_display().lower())

    @admin.display(description="Opening + credits \N{MINUS SIGN} debits = closing (USD)")
    def sums(self, statement: Statement) -> str:
        figures = (statement.opening, statement.credits, statement.debits, statement.closing)
        opening, credits_, debits, closing = map(dollars, figures)
        return f"{opening} + {credits_} \N{MINUS SIGN} {debits} = {closing}"

    @admin.display(description="Entries")
    def numbers(self, statement: Statement) -> str:
        return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in statement.counts.items()) or "-"

    @admin.display(description="Lines")
    def lines(self, statement: Statement) -> SafeString | str:
        return link_to_list("wallets_statementline", "lines", statement__id__exact=statement.pk)


@admin.register(StatementLine)
class StatementLineAdmin(RecordAdmin):
    list_display = ("id", "in_statement", "booked_on", "what", "value", "payer", "told", "does")
    list_filter = ("kind",)
    list_select_related = (
        "customer__personal_key",
        "statement",
        "deposit__customer",
        "payout__customer",
        "contradicts__customer",
    )
    search_fields = ("key",)
    search_help_text = "The bank's whole reference, or the id of a line"
    fields = (
        *list_display[1:],
        "of",
        "paid_in",
        "taken",
        "answered",
        "contradicted",
        "number",
        "reference",
        "further",
        "remark",
        "seen_by",
        "seen_at",
    )
    actions = ("explain", "charge")
    object_actions = actions
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        ours = {f"{name}__id__exact" for name in ("statement", "deposit", "payout")}
        return lookup in ours or super().lookup_allowed(lookup, value, request)

    def fits(self, record: StatementLine, action: str) -> bool:
        return list_open_debits().filter(pk=record.pk).exists()

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.decide_payout")

    @admin.action(description="Explain", permissions=["decide"])
    def explain(self, request: HttpRequest, queryset: QuerySet[StatementLine]) -> HttpResponse | None:
        """Ask to take the chosen debits off the to-do page, because they concern no customer."""
        title = "These debits concern no customer"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="explain", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for line in queryset:
            with reported(page=self, request=request, item=line):
                payload = EXPLAIN_DEBIT.payload_of(line_id=line.pk)
                kind = EXPLAIN_DEBIT.name
                ask_about(page=self, request=request, record=line, kind=kind, payload=payload, reason=reason)
        return None

    @admin.action(description="Charge a customer", permissions=["decide"])
    def charge(self, request: HttpRequest, queryset: QuerySet[StatementLine]) -> HttpResponse | None:
        """Ask to take the chosen debits from the customer to whom they have paid."""
        question = Question(action="charge", title="These debits have paid a customer", form_class=CustomerForm)
        given = ask_staff(page=self, request=request, chosen=queryset, question=question)
        if isinstance(given, HttpResponse):
            return given
        for line in queryset:
            with reported(page=self, request=request, item=line):
                payload = CHARGE_DEBIT.payload_of(line_id=line.pk, customer_id=given["customer"].pk)
                kind, reason = CHARGE_DEBIT.name, given["reason"]
                ask_about(page=self, request=request, record=line, kind=kind, payload=payload, reason=reason)
        return None

    def find(self, term: str) -> Q:
        return Q(key=term) | Q(pk=int(term)) if is_id(term) else Q(key=term)

    @admin.display(description="Statement")
    def in_statement(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_statement", line.statement_id)

    @admin.display(description="USD")
    def value(self, line: StatementLine) -> str:
        return dollars(line.amount)

    @admin.display(description="Kind")
    def what(self, line: StatementLine) -> str:
        return line.kind.replace("_", " ")

    @admin.display(description="Counterparty")
    def payer(self, line: StatementLine) -> str:
        return open_text(text=line.counterparty, customer=line.customer) or "-"

    @admin.display(description="Text")
    def told(self, line: StatementLine) -> str:
        return open_text(text=line.text, customer=line.customer) or "-"

    @admin.display(description="What it does")
    def does(self, line: StatementLine) -> SafeString | str:
        """Say what the line has done, or will do once its statement is credited, with links to what it is about."""
        effect = foresee(line)
        links = (
            link_to(f"wallets_{name}", record.pk, record)
            for name in ("deposit", "payout", "user", "return")
            if (record := getattr(effect, {"user": "customer", "return": "taken"}.get(name, name))) is not None
        )
        return format_html_join(" ", "{}", ((part,) for part in (effect.words, *links)))

    @admin.display(description="Customer")
    def of(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_user", line.customer_id, line.customer)

    @admin.display(description="Deposit")
    def paid_in(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_deposit", line.deposit_id)

    @admin.display(description="Bank's further references")
    def further(self, line: StatementLine) -> str:
        return line.originals or "-"

    @admin.display(description="Return")
    def taken(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_return", Return.objects.filter(line=line).values_list("pk", flat=True).first())

    @admin.display(description="Answers payout")
    def answered(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_payout", line.payout_id, line.payout)

    @admin.display(description="Contradicts payout")
    def contradicted(self, line: StatementLine) -> SafeString | str:
        return link_to("wallets_payout", line.contradicts_id, line.contradicts)
