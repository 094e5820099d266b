"""Payees and payouts of tests, and the staff who decide about them."""

from decimal import Decimal

from tests.configure import configure
from tests.secrecy import ACCOUNT_NUMBER
from tests.staff import make_chief
from wallets.bank_accounts import BankAccount
from wallets.models import Payout, PayoutState
from wallets.runtime import clock
from wallets.services.payees import NewPayee, add_payee
from wallets.services.payouts.kinds import PAYOUT, PAYOUT_OUTCOME
from wallets.services.payouts.requesting import PayoutRequest, request_payout
from wallets.services.proposals import propose

OUR_ACCOUNT = "DE89370400440532013000"
IBAN = "GB82WEST12345698765432"
HERS = BankAccount(number=IBAN)
HIS = BankAccount(number=ACCOUNT_NUMBER, routing="021000021")


def add(shopper, *, name="Alice Example", account=HERS, otp=None, now=None):
    """Add a payee and return it."""
    new = NewPayee(name=name, account=account)
    return add_payee(principal=shopper.principal, new=new, otp=otp, now=now or clock.now()).payee


def ask(shopper, amount="30.00", *, payee=None, key=None, otp=None):
    """Ask for a payout and return it."""
    given = PayoutRequest(amount=Decimal(amount), payee_id=payee and payee.pk, key=key)
    return request_payout(principal=shopper.principal, payout_request=given, otp=otp, now=clock.now()).payout


def decide(payout, becomes, *, by, reason="because", told=""):
    """Let a member of staff decide about a payout, where one person suffices."""
    payout = Payout.objects.get(pk=payout.pk)
    kind = PAYOUT if becomes in {PayoutState.APPROVED, PayoutState.REJECTED} else PAYOUT_OUTCOME
    payload = kind.payload_of(payout=payout, becomes=PayoutState(becomes), told=told)
    return propose(kind=kind.name, payload=payload, reason=reason, asked_by=by)


def make_staff(name="ann"):
    return make_chief(name)


def pay_from(settings, **changes):
    """Name our account that pays."""
    named = {"account": OUR_ACCOUNT, "account_bank": "DEUTDEFF", "account_name": "Example Exchange"}
    configure(settings, "PAYOUTS", **{**named, **changes})


def state_of(payout):
    return Payout.objects.values_list("state", flat=True).get(pk=payout.pk)
