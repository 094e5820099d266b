"""Attempts: the requests to buy the coins of a batch."""

from decimal import Decimal
from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from settlement.models.batches import Batch
from settlement.models.installations import new_client_order_id
from settlement.models.venues import NAME_LENGTH, current_venue
from trading.models import Coin
from trading.models.fields import PriceField
from wallets.runtime.constraints import is_number

_MOST_COST: Final = Decimal("1.02000001")
_ROUNDED_UP: Final = Decimal("0.00000003")  # cost, commission and the bound are each rounded up to 8 places
"""An attempt's cost, as a multiple of its price bound: with commission (`gate.MOST_COMMISSION`) and its rounding."""


class AttemptState(models.TextChoices):
    """Our knowledge of a request to the venue. `sent` includes requests whose answer may have been lost."""

    NEW = "new"
    SENT = "sent"
    FILLED = "filled"  # coins were bought and are booked
    EMPTY = "empty"  # final, and nothing was bought
    REFUSED = "refused"  # this purchase can never succeed
    NOT_PLACED = "not_placed"  # not accepted, as far as we know; another attempt may follow
    PARKED = "parked"  # staff decide


IN_FLIGHT = (AttemptState.NEW, AttemptState.SENT)
GIVEN_UP: Final = (AttemptState.NOT_PLACED, AttemptState.REFUSED)
"""Ended without having bought anything, as far as we know. If it was sent, the venue may say otherwise later."""

UNDECIDED: Final = Q(state=AttemptState.SENT) | Q(state=AttemptState.PARKED, signed_at__isnull=False)
"""Sent, and neither we nor staff have decided what came of it. See also `Attempt.is_undecided`."""

IN_DOUBT: Final = UNDECIDED | Q(recheck_at__isnull=False)
"""The venue may have executed it: it is undecided, or was presumed not placed and is still rechecked."""

# An adopted attempt has no batch, and ends as it begins: filled. All code that settles works on attempts with a batch,
# so their type is not optional.
_NULL_IF_ADOPTED: Final[Any] = {"null": True, "blank": True}


class Attempt(models.Model):
    """One request to buy, sent at most once. Quantities are in coins, prices and cost in the quote asset."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="attempts", **_NULL_IF_ADOPTED)
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="+")
    # Until it is sent, the attempt may move to another venue; afterwards it stays with its venue for good.
    venue = models.CharField(
        max_length=NAME_LENGTH,
        default=current_venue,
        db_default="",
        blank=True,
        help_text="Empty: before venues were recorded.",
    )
    asks = models.JSONField(
        null=True, blank=True, help_text="By venue, the asks that were compared before it was sent: the best execution."
    )
    number = models.PositiveSmallIntegerField()
    client_order_id = models.CharField(max_length=36, unique=True, default=new_client_order_id)
    state = models.CharField(max_length=10, choices=AttemptState.choices, default=AttemptState.NEW)
    quantity = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    limit_price = PriceField(null=True, blank=True)
    budget = models.DecimalField(
        max_digits=38,
        decimal_places=8,
        null=True,
        blank=True,
        help_text="The most that it may cost, in US dollars. This much of the account is set aside until it ends.",
    )
    # By the venue's clock. After `valid_until` the venue can no longer accept the request.
    signed_at = models.DateTimeField(null=True, blank=True)
    valid_until = models.DateTimeField(null=True, blank=True)
    clock_offset = models.DurationField(null=True, blank=True)
    venue_order_id = models.CharField(max_length=64, blank=True)
    executed = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    cost = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    commission = models.DecimalField(max_digits=38, decimal_places=8, default=0, help_text="Taken in the coin.")
    lookups = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0, help_text="Lookups that counted as not found.")
    next_step_at = models.DateTimeField()
    # Set if the reason for the end has nothing to do with the purchase. MAX_ATTEMPTS ignores such an attempt.
    excused = models.BooleanField(default=False)
    # The next recheck of an attempt that was presumed not placed: the venue's reads lag.
    recheck_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(null=True, blank=True, help_text="The venue's last answer.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_step_at"], condition=Q(state__in=IN_FLIGHT), name="attempts_in_flight"),
            models.Index(fields=["recheck_at"], condition=Q(recheck_at__isnull=False), name="attempts_to_recheck"),
            models.Index(fields=["created_at"], name="attempts_by_age"),
            models.Index(fields=["venue_order_id"], name="attempts_by_venue_order"),
            # Which attempts have ended since the venue's account was last read, or since purchases were summed up.
            models.Index(
                fields=["ended_at"],
                condition=Q(signed_at__isnull=False, ended_at__isnull=False),
                name="attempts_that_were_sent",
            ),
            models.Index(fields=["coin"], condition=Q(state=AttemptState.PARKED), name="attempts_parked"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["coin", "venue"],
                condition=Q(state__in=IN_FLIGHT),
                name="one_attempt_in_flight_per_coin_and_venue",
            ),
            models.UniqueConstraint(fields=["batch", "number"], name="attempts_of_a_batch_are_numbered"),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state_is_known"),
            models.CheckConstraint(
                condition=Q(batch__isnull=False) | Q(state=AttemptState.FILLED), name="adopted_attempts_are_filled"
            ),
            models.CheckConstraint(
                condition=Q(state__in=IN_FLIGHT, ended_at=None) | (~Q(state__in=IN_FLIGHT) & Q(ended_at__isnull=False)),
                name="attempts_end_once",
            ),
            models.CheckConstraint(
                condition=Q(budget=None)
                | Q(budget__gt=0, budget__gte=F("quantity") * F("limit_price")) & is_number("budget"),
                name="attempts_stay_within_their_budget",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[AttemptState.SENT, AttemptState.FILLED])
                | Q(signed_at__isnull=False, valid_until__isnull=False, quantity__gt=0, limit_price__gt=0),
                name="sent_attempts_say_what_was_sent",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.FILLED, executed__gt=0) | ~Q(state=AttemptState.FILLED) & Q(executed=0),
                name="filled_attempts_bought_something",
            ),
            models.CheckConstraint(
                condition=Q(commission__gte=0, commission__lte=F("executed"), cost__gte=0)
                & is_number("commission")
                & is_number("cost")
                & is_number("executed"),
                name="fill_figures_are_plausible",
            ),
            models.CheckConstraint(
                # Commission taken in the quote asset is part of the cost: at most 2 % of the price bound.
                condition=~Q(state=AttemptState.FILLED)
                | Q(
                    executed__lte=F("quantity"),
                    cost__gt=0,
                    cost__lte=F("quantity") * F("limit_price") * _MOST_COST + _ROUNDED_UP,
                ),
                name="fills_stay_within_the_request",
            ),
            models.CheckConstraint(
                condition=Q(recheck_at=None) | Q(state=AttemptState.NOT_PLACED, signed_at__isnull=False),
                name="only_attempts_that_were_sent_are_asked_for_again",
            ),
        ]

    def __str__(self) -> str:
        return self.client_order_id

    @property
    def place(self) -> str:
        """The name of its venue, also if it is from before venues were recorded."""
        return self.venue or current_venue()

    @property
    def is_undecided(self) -> bool:
        """Whether the attempt is one of those that `UNDECIDED` selects."""
        return self.state == AttemptState.SENT or (self.state == AttemptState.PARKED and self.signed_at is not None)
