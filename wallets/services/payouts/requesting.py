"""Takes customers' requests for payouts, and approves small ones to old payees without staff."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum

from wallets.models import Payee, Payout, PayoutState, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import IdempotencyKey
from wallets.selectors.accounts import Principal, get_account
from wallets.services.holds import ensure_address_is_proven, ensure_available, ensure_credentials_are_old
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.ledger.moving import ensure_funds
from wallets.services.payees import choose_payee
from wallets.services.payouts.moves import send, take
from wallets.services.second_factors import ensure_otp


@dataclass(frozen=True, kw_only=True)
class PayoutRequest:
    """US dollars that a customer wants to have, by default at the first payee that can be used."""

    amount: Decimal
    payee_id: int | None = None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class RequestedPayout:
    """A payout, and whether an earlier request with the same key asked for it."""

    payout: Payout
    replayed: bool


def request_payout(
    *, principal: Principal, payout_request: PayoutRequest, otp: str | None, now: datetime
) -> RequestedPayout:
    """Take the dollars out of the wallet, and ask for their payout. A repeated key needs no second code.

    Raises NoPayee, NotFound, AddressNotProven, PayeeOnHold, CredentialHold, InsufficientFunds, FundsOnHold,
    AccountFrozen, IdempotencyKeyReused; the refusals of `ensure_otp`.
    """
    user = get_account(principal=principal)
    if _find_by_key(customer_id=user.pk, key=payout_request.key) is None:
        ensure_otp(customer=user, code=otp, now=now)
    return _request(principal=principal, payout_request=payout_request)


def request_with_lock(
    *, wallet: LockedWallet, payout_request: PayoutRequest, movement_key: IdempotencyKey | None = None
) -> Payout:
    """Ask for a payout of the locked wallet's dollars. `movement_key` is kept on the movement, not on the payout.

    Raises what `request_payout` raises.
    """
    customer_id, amount, now = wallet.owner_id, payout_request.amount, wallet.now
    payee = choose_payee(customer_id=customer_id, payee_id=payout_request.payee_id, now=now)
    ensure_address_is_proven(customer_id=customer_id)
    ensure_credentials_are_old(customer_id=customer_id, now=now)
    ensure_available(wallet=wallet, amount=amount)
    is_automatic = _needs_no_staff(payee=payee, amount=amount, now=now)
    key = payout_request.key
    payout = Payout(
        customer_id=customer_id,
        payee=payee,
        amount=amount,
        state=PayoutState.APPROVED if is_automatic else PayoutState.REQUESTED,
        is_automatic=is_automatic,
        idempotency_key=key.value if key else None,
        request_hash=key.request_hash if key else None,
        created_at=now,
        approved_at=now if is_automatic else None,
    )
    payout.save()
    take(payout=payout, wallet=wallet, key=movement_key)
    return payout


def pay_at_once(*, wallet: LockedWallet, amount: Decimal, key: IdempotencyKey | None, now: datetime) -> None:
    """Book a payout of a sandbox, which needs no payee and no staff. Raises InsufficientFunds."""
    ensure_funds(wallet=wallet, amount=amount)
    times = dict.fromkeys(("created_at", "approved_at", "sent_at", "paid_at"), now)
    payout = Payout(customer_id=wallet.owner_id, amount=amount, state=PayoutState.PAID, is_automatic=True, **times)
    payout.save()
    take(payout=payout, wallet=wallet, key=key)
    send(payouts=[payout], now=now)


@retried_on_conflict
@transaction.atomic(durable=True)
def _request(*, principal: Principal, payout_request: PayoutRequest) -> RequestedPayout:
    wallet = lock_dollar_wallet(principal=principal)
    if earlier := _find_by_key(customer_id=wallet.owner_id, key=payout_request.key):
        return RequestedPayout(payout=earlier, replayed=True)
    return RequestedPayout(payout=request_with_lock(wallet=wallet, payout_request=payout_request), replayed=False)


def _find_by_key(*, customer_id: int, key: IdempotencyKey | None) -> Payout | None:
    if key is None:
        return None
    earlier = Payout.objects.filter(customer_id=customer_id, idempotency_key=key.value).first()
    if earlier:
        key.ensure_same_request(earlier_hash=earlier.request_hash or "")
    return earlier


def _needs_no_staff(*, payee: Payee, amount: Decimal, now: datetime) -> bool:
    """Say whether the payout is small enough, for this customer and all of them today, and goes to an old payee.

    Payouts that ask this wait here for each other, so that all of them together keep to the limit.
    """
    limits = settings.PAYOUTS
    if amount > min(limits.auto_customer_day, limits.auto_day) or payee.usable_at + limits.auto_payee_age > now:
        return False
    Wallet.objects.select_for_update(no_key=True).get(role=WalletRole.PAYABLE, asset=USD, owner=None)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    automatic = Payout.objects.filter(is_automatic=True, approved_at__gte=today, payee__isnull=False)
    automatic = automatic.exclude(state__in=[PayoutState.REJECTED, PayoutState.CANCELLED])
    of_customer = _sum(automatic.filter(customer_id=payee.customer_id))
    return of_customer + amount <= limits.auto_customer_day and _sum(automatic) + amount <= limits.auto_day


def _sum(payouts: QuerySet[Payout]) -> Decimal:
    return payouts.aggregate(total=Sum("amount"))["total"] or Decimal(0)
