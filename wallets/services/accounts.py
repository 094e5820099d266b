"""Opens accounts, signs customers in, and freezes or unfreezes them."""

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction

from wallets.exceptions import (
    CustomerOwes,
    DomainError,
    InvalidCredentials,
    TokenInvalid,
    UsernameNotAllowed,
    UsernameTaken,
)
from wallets.models import Receivable, SecurityEventKind, User, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime.acting import current_origin
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.sessions import is_new_device
from wallets.services.credentials import ensure_strong
from wallets.services.emails import ask_for_proof
from wallets.services.ledger.locking import lock_customer_wallets
from wallets.services.mail_texts import MailKind
from wallets.services.mailing import notify
from wallets.services.second_factors import ensure_otp
from wallets.services.security_log import record_event, record_failed_sign_in
from wallets.services.tokens import TokenPair, start_token_family
from wallets.usernames import accept_username, key_of, skeleton_of


def register(
    *,
    username: str,
    password: str,
    email: str,
    now: datetime,
    address: str | None = None,
    has_room: Callable[[], bool] = lambda: True,
) -> TokenPair:
    """Open an account with an empty dollar wallet and sign it in. Its address, if given, is remembered.

    An e-mail address, unless it is empty, gets a message that proves it, if `has_room` says that the mailbox may get
    another one.

    Raises UsernameTaken (in any spelling), UsernameNotAllowed, WeakPassword, HashingBusy.
    """
    name = accept_new_name(username)
    user = User(username=name, email=User.objects.normalize_email(email))
    ensure_strong(password=password, user=user)
    user.set_password(password)  # hashing is slow on purpose, so it precedes the database transaction
    proves = bool(email) and has_room()
    return _open_account(user, now, address, proves=proves)


def accept_new_name(username: str, *, of: User | None = None, for_staff: bool = False) -> str:
    """Return the form in which a new name is stored: the name of a new user, or the next name of the user `of`.

    Raises UsernameTaken, UsernameNotAllowed. Of two users who choose a name at once the database refuses one, by its
    constraints.
    """
    others = User.objects.exclude(pk=of.pk) if of else User.objects.all()
    if others.filter(pk__in=User.objects.spelt(username)).exists():
        raise UsernameTaken
    name = accept_username(username, for_staff=for_staff)
    skeleton = skeleton_of(name)
    if skeleton is not None and others.filter(username_skeleton=skeleton).exists():
        raise UsernameNotAllowed
    return name


@retried_on_conflict
@transaction.atomic(durable=True)
def _open_account(user: User, now: datetime, address: str | None, *, proves: bool) -> TokenPair:
    user.pk = None  # a first run that was lost has set it, and its sequence may have gone back
    try:
        user.save(force_insert=True)
    except IntegrityError as error:
        raise _refusal_of(error) from error  # raising rolls the database transaction back
    open_dollar_wallet(owner=user)
    record_event(SecurityEventKind.REGISTERED, user=user)
    if proves:
        ask_for_proof(user=user, email=user.email)
    return start_token_family(user=user, now=now, address=address)


def _refusal_of(error: IntegrityError) -> DomainError:
    violated = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return UsernameNotAllowed() if violated == "usernames_do_not_look_alike" else UsernameTaken()


def settle_name(*, user: User) -> None:
    """Give a user the key and the skeleton of their name that somebody else had, as far as they are free by now."""
    alike = {"username_key": key_of(user.username), "username_skeleton": skeleton_of(user.username)}
    free = {
        field: text
        for field, text in alike.items()
        if getattr(user, field) is None and text and not User.objects.filter(**{field: text}).exists()
    }
    if free:
        User.objects.filter(pk=user.pk).update(**free)


def open_dollar_wallet(*, owner: User) -> None:
    """Open the dollar wallet of `owner`; an existing wallet stays as it is."""
    Wallet.objects.get_or_create(owner=owner, asset=USD, defaults={"role": WalletRole.CUSTOMER, "balance": 0})


def sign_in(
    *, username: str, password: str, now: datetime, otp: str | None = None, address: str | None = None
) -> TokenPair:
    """Exchange a username and password for tokens. The address, if given, is remembered.

    `otp` is a one-time code or a recovery code. A right password without a needed code is answered with
    OtpRequired; OtpInvalid and RateLimited are refusals of the code.

    Raises InvalidCredentials for an unknown user, a wrong password and a disabled account alike, after the same amount
    of work, and for a password that was changed while it was checked; and HashingBusy.
    """
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        raise InvalidCredentials
    ensure_otp(customer=user, code=otp, now=now)
    try:
        return _begin_session(user, now, address)
    except TokenInvalid as error:
        record_failed_sign_in(name=username)
        raise InvalidCredentials from error


@transaction.atomic(durable=True)
def _begin_session(user: User, now: datetime, address: str | None) -> TokenPair:
    device = current_origin().device
    if address and is_new_device(user=user, address=address, device=device, now=now):
        record_event(SecurityEventKind.NEW_DEVICE, user=user, details={"device": device})
        at = f"{now:%Y-%m-%d %H:%M} UTC"
        notify(MailKind.NEW_DEVICE, user=user, at=at, address=current_origin().address, device=device or "unknown")
    record_event(SecurityEventKind.SIGNED_IN, user=user)
    return start_token_family(user=user, now=now, address=address)


@transaction.atomic
def unfreeze_within_transaction(*, owner_id: int) -> None:
    """Allow the customer to move money again, inside the running database transaction. Raises CustomerOwes."""
    _set_frozen(owner_id=owner_id, frozen=False)


@transaction.atomic
def freeze_within_transaction(*, owner_id: int) -> None:
    """Stop the customer from moving money, at once and even with valid tokens; reading stays allowed.

    Waits for the wallet's lock, so that operations in progress have ended. Open orders are settled as usual.
    """
    _set_frozen(owner_id=owner_id, frozen=True)


def ensure_owes_nothing(*, customer_id: int) -> None:
    """Raise CustomerOwes if the customer owes dollars that a bank took back."""
    owed = Receivable.objects.filter(customer_id=customer_id).values_list("amount", flat=True).first()
    if owed:
        raise CustomerOwes(amount=owed)


def _set_frozen(*, owner_id: int, frozen: bool) -> None:
    lock_customer_wallets(asset=USD, customer_ids=[owner_id])
    if not frozen:
        ensure_owes_nothing(customer_id=owner_id)
    Wallet.objects.filter(owner_id=owner_id, asset=USD).update(frozen=frozen)
    kind = SecurityEventKind.FROZEN if frozen else SecurityEventKind.UNFROZEN
    record_event(kind, user=User.objects.get(pk=owner_id))
