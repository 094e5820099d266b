from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from trading.models import Coin, PriceRule
from trading.services.proposing.kinds import PRICE_RULE
from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_staff
from wallets.models import Proposal
from wallets.services.proposals import propose


class Command(BaseCommand):
    help = (
        "Make a price rule: the spread and the fee of a coin, or of all coins with a market price. For a shell, when"
        " web and worker do not start because a rule is missing or too small; else use the admin. The rule and the"
        " admin's history say who made it, and why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--coin", metavar="NAME", help="the coin; without it, all coins with a market price")
        parser.add_argument("--spread-rate", type=_number, required=True, help="a share: 0.005 is half a percent")
        parser.add_argument("--fee-rate", type=_number, default=Decimal(0), help="a share of the subtotal")
        parser.add_argument("--fee-minimum", type=_number, default=Decimal(0), help="US dollars an order")
        parser.add_argument("--fee-maximum", type=_number, help="US dollars an order")
        parser.add_argument("--valid-from", type=_moment, help="as 2026-01-31T12:00:00Z; without it, from now on")
        add_staff(parser, help="the member of staff who decides this")
        parser.add_argument("--reason", required=True, help="why the rule is made")

    def handle(self, *_: Any, **options: Any) -> None:
        rule = PriceRule(
            coin=_find_coin(options["coin"]),
            spread_rate=options["spread_rate"],
            fee_rate=options["fee_rate"],
            fee_minimum=options["fee_minimum"],
            fee_maximum=options["fee_maximum"],
            created_by=find_staff(*PRICE_RULE.permissions, options=options, kind=PRICE_RULE.name),
            reason=options["reason"].strip(),
        )
        try:
            proposal = _propose(rule, valid_from=options["valid_from"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        if proposal.needs_two:
            self.stdout.write(f"Waits until another member of staff approves it in the admin: {proposal}")
        else:
            spread = rule.spread_rate.normalize()
            self.stdout.write(f"Made {proposal.record.detail}, with a spread of {spread:f}.")


@transaction.atomic
def _propose(rule: PriceRule, *, valid_from: datetime | None) -> Proposal:
    """Propose a rule. Where one person suffices, it is made, with the entry that the admin's form would write."""
    rule.full_clean(exclude=["valid_from", "created_at"])
    staff = rule.created_by
    assert staff is not None, "the command has found its person"
    payload = PRICE_RULE.payload_of(rule=rule, valid_from=valid_from)
    proposal = propose(kind=PRICE_RULE.name, payload=payload, reason=rule.reason, asked_by=staff)
    if not proposal.needs_two:
        LogEntry.objects.log_actions(
            user_id=staff.pk,
            queryset=[PriceRule.objects.filter(created_by=staff).latest("pk")],
            action_flag=ADDITION,
            change_message=f"Made by the command price_rule: {rule.reason}",
        )
    return proposal


def _find_coin(name: str | None) -> Coin | None:
    if name is None:
        return None
    coin = Coin.objects.filter(name=name).first()
    if coin is None:
        raise CommandError(f"There is no coin {name}.")
    return coin


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError("a plain number, as 0.005") from error
    if not number.is_finite():
        raise ArgumentTypeError("a plain number, as 0.005")
    return number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError("a moment, as 2026-01-31T12:00:00Z") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC)
