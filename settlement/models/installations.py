"""The installation, and what it knows of the database that serves it."""

from django.db import models
from django.db.models import Q

from settlement.order_ids import CODE_LENGTH, make_client_order_id


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


def load_installation_code() -> str:
    """Return this installation's code. One query, each time: the row is another one after the data was replaced."""
    return Installation.objects.values_list("code", flat=True).get(pk=1)


def new_client_order_id() -> str:
    """Make a client order id of this installation."""
    return make_client_order_id(installation=load_installation_code())
