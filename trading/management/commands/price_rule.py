from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from trading.models import Coin, PriceRule
from trading.services.price_rules import make_rule
from wallets.exceptions import DomainError
from wallets.models import User
from wallets.runtime.clock import database_now


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
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the member of staff who decides this")
        parser.add_argument("--reason", required=True, help="why the rule is made")

    def handle(self, *_: Any, **options: Any) -> None:
        rule = PriceRule(
            coin=_find_coin(options["coin"]),
            spread_rate=options["spread_rate"],
            fee_rate=options["fee_rate"],
            fee_minimum=options["fee_minimum"],
            fee_maximum=options["fee_maximum"],
            created_by=_find_staff(options["by"]),
            reason=options["reason"].strip(),
        )
        try:
            _make(rule, valid_from=options["valid_from"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Made {rule}, with a spread of {rule.spread_rate.normalize():f}.")


@transaction.atomic
def _make(rule: PriceRule, *, valid_from: datetime | None) -> None:
    """Save a rule, and the entry in the admin's history that its form would write."""
    rule.full_clean(exclude=["valid_from", "created_at"])
    assert rule.created_by_id is not None, "the command has found its person"
    make_rule(rule=rule, valid_from=valid_from, now=database_now())
    LogEntry.objects.log_actions(
        user_id=rule.created_by_id,
        queryset=[rule],
        action_flag=ADDITION,
        change_message=f"Made by the command price_rule: {rule.reason}",
    )


def _find_coin(name: str | None) -> Coin | None:
    if name is None:
        return None
    coin = Coin.objects.filter(name=name).first()
    if coin is None:
        raise CommandError(f"There is no coin {name}.")
    return coin


def _find_staff(username: str) -> User:
    """Return the member of staff, who may make rules in the admin too."""
    try:
        user = User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        raise CommandError(f"There is no account {username}.") from error
    if not (user.is_active and user.is_staff and user.has_perm("trading.add_pricerule")):
        raise CommandError(f"{username} is no member of staff who may make price rules.")
    return user


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
