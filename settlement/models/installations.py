"""The installation, and what it knows of the database that serves it."""

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from settlement.order_ids import CODE_LENGTH, make_client_order_id, make_code
from wallets.runtime.sql import load_statement


class Installation(models.Model):
    """One database of ours: its code begins the random part of its client order ids.

    The table has one row, which is written once and never changes. So the transaction that wrote the row (Postgres'
    `xmin`) tells the original from a copy that a dump brought back.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    code = models.CharField(max_length=CODE_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_installation"),
            models.CheckConstraint(
                condition=Q(code__regex=f"^[0-9a-f]{{{CODE_LENGTH}}}$"), name="installation_code_is_hex"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class DatabaseWatch(models.Model):
    """What is known of the database that serves us: one row, which workers write again and again.

    `place` names the server, its timeline and the copy of the data (settlement/sql/place.sql), as it was when the venue
    was last found to have no order that we do not know. While the database is in another place, or in doubt, or
    stopped, nothing is sent to the venue.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    place = models.CharField(max_length=200, blank=True)
    known_at = models.DateTimeField(help_text="The last moment of which the database has everything for certain.")
    beat = models.BigIntegerField(default=0, help_text="Increases with every write of this row.")
    doubted_at = models.DateTimeField(null=True, blank=True)
    doubted_place = models.CharField(max_length=200, blank=True)
    doubt = models.CharField(max_length=200, blank=True, help_text="Why the database is in doubt.")
    stopped_at = models.DateTimeField(null=True, blank=True, help_text="Nothing is sent until after_restore has run.")
    statements_since = models.DateTimeField(
        null=True, blank=True, help_text="Payouts are exported once a bank statement reaches beyond this moment."
    )
    found = models.JSONField(default=list, blank=True, help_text="What the venue has and this database did not know.")

    class Meta:
        verbose_name = "database watch"
        verbose_name_plural = "database watch"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_database_watch"),
            models.CheckConstraint(
                condition=Q(doubted_at=None, doubt="", doubted_place="") | Q(doubted_at__isnull=False) & ~Q(doubt=""),
                name="a_doubt_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return "the database watch"


def here() -> RawSQL:
    """Return the expression for the place where the database is."""
    return RawSQL(load_statement("settlement.place"), (), output_field=models.CharField())  # noqa: S611  a file of ours


def begin_watch(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make this installation's code and its watch, unless they exist.

    A database that has purchases already may be a restored one. Its place is left open, so workers ask the venue first.
    """
    installation = Installation(code=make_code(), created_at=Now())
    Installation.objects.using(using).bulk_create([installation], ignore_conflicts=True)
    attempts = apps.get_model("settlement", "Attempt")._default_manager.using(using)  # noqa: SLF001  the documented way
    last = attempts.aggregate(last=models.Max("created_at"))["last"]
    watch = DatabaseWatch(place="" if last else here(), known_at=last or Now())
    DatabaseWatch.objects.using(using).bulk_create([watch], ignore_conflicts=True)


def load_installation_code() -> str:
    """Return this installation's code. One query, each time: the row is another one after the data was replaced."""
    codes = Installation.objects.values_list("code", flat=True)
    code = codes.first()
    if code is None:  # `migrate` makes it; this is a database whose tables were emptied
        begin_watch()
        code = codes.get()
    return code


def new_client_order_id() -> str:
    """Make a client order id of this installation."""
    return make_client_order_id(installation=load_installation_code())
