"""Payouts: who may ask for them, how long money is held before, and the account that pays them."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, DollarsOrZero, HoursOrZero
from exchange_site.configuration.variables import PARSED, Group, variable


@dataclass(frozen=True, config=PARSED)
class Payouts(Group):
    title: ClassVar[str] = "Payouts"

    self_service: bool = variable(
        "SELF_SERVICE_PAYOUTS",
        "True",
        "a withdrawal needs no payee and counts as paid at once, although nobody sends money; for a sandbox only",
        unit="switch",
        in_production="False",
    )
    deposit_hold: HoursOrZero = variable(
        "DEPOSIT_HOLD_HOURS",
        "0",
        "how long a deposit from a bank is not paid out, because the bank may take it back; it buys coins meanwhile",
        unit="hours",
        in_production="72",
    )
    credential_hold: HoursOrZero = variable(
        "CREDENTIAL_HOLD_HOURS",
        "0",
        "how long nothing is paid out after a change of password, second factor, e-mail address or payee",
        unit="hours",
        in_production="24",
    )
    payee_hold: HoursOrZero = variable(
        "PAYEE_HOLD_HOURS", "0", "how long a new payee cannot be used", unit="hours", in_production="24"
    )
    proven_email: bool = variable(
        "PAYOUT_PROVEN_EMAIL",
        "False",
        "payees and payouts need a proven e-mail address, to which changes are told",
        unit="switch",
        in_production="True",
    )
    most_payees: Count = variable("PAYEES_PER_CUSTOMER", "10", "payees that a customer may have", unit="payees")
    auto_customer_day: DollarsOrZero = variable(
        "PAYOUT_AUTO_CUSTOMER_DAY",
        "0",
        "up to this sum of a customer and UTC day, payouts are approved without staff; 0 is none",
        unit="USD",
    )
    auto_day: DollarsOrZero = variable(
        "PAYOUT_AUTO_DAY",
        "0",
        "up to this sum of all customers and UTC day, payouts are approved without staff; 0 is none",
        unit="USD",
    )
    auto_payee_age: HoursOrZero = variable(
        "PAYOUT_AUTO_PAYEE_HOURS",
        "0",
        "how long a payee has to be usable before a payout to it is approved without staff",
        unit="hours",
        in_production="168",
    )
    account: str = variable(
        "PAYOUT_ACCOUNT",
        "",
        "our account that pays payouts: its IBAN, or its number in the United States; without it nothing is exported",
        example="",
    )
    account_bank: str = variable(
        "PAYOUT_ACCOUNT_BANK", "", "the bank of that account: its BIC, or its routing number", example=""
    )
    account_name: str = variable("PAYOUT_ACCOUNT_NAME", "", "the name of that account's owner", example="")

    most_in_a_file: ClassVar[int] = 1000
