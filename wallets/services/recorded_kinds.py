"""Kinds of deeds that one person does alone, and that are proposals for the sake of their record."""

from typing import Any, Final

from wallets.exceptions import NotFound, NotPermitted
from wallets.models import Statement, User
from wallets.services.credentials import send_reset
from wallets.services.crediting_statements import reject_statement
from wallets.services.proposals import Kind, Payload


class RejectStatementKind(Kind):
    """The rejection of an imported bank statement, which then counts as never imported."""

    name = "reject_statement"
    title = "Rejection of a bank statement"
    permissions = ("wallets.approve_statement",)
    only_lessens = True

    def payload_of(self, *, statement: Statement) -> dict[str, Any]:
        """Return the payload for rejecting a statement."""
        return {"statement": statement.pk}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        reject_statement(statement_id=payload["statement"], by=asked_by)
        return f"statement {payload['statement']} counts as never imported."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        statement = Statement.objects.filter(pk=payload["statement"]).first()
        if statement is None:
            raise NotFound
        return f"{statement}: {statement.get_state_display().lower()}", f"{statement}: rejected"


class ResetLinkKind(Kind):
    """A link for a new password, which goes to the user's own address. Superusers alone send one to staff."""

    name = "reset_link"
    title = "Link for a new password"
    permissions = ("wallets.change_user",)
    only_lessens = True

    def payload_of(self, *, user: User) -> dict[str, Any]:
        """Return the payload for sending a user a link."""
        return {"user": user.pk}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        user = User.objects.get(pk=payload["user"])
        if (user.is_staff or user.is_superuser) and not asked_by.is_superuser:
            raise NotPermitted

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        send_reset(user=User.objects.get(pk=payload["user"]))
        return "A link is sent."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        return "", f"{User.objects.get(pk=payload['user'])}: a link for a new password"


REJECT_STATEMENT: Final = RejectStatementKind()
SEND_LINK: Final = ResetLinkKind()
