"""Items that keep failing: coins, orders, batches or jobs that a loop of settlement could not deal with."""

from typing import Final

from django.db import models

PRICE_READING: Final = "price"
"""The work of reading a coin's price; the item is the coin's name."""

BOOK_READING: Final = "book"
"""The work of reading a coin's book alone; the item is the coin's name."""

SECOND_READING: Final = "second source"
"""The work of asking the second source for a coin's price; the item is the coin's name."""


class FailingItem(models.Model):
    """An item that failed when a loop last tried it. The loop leaves the item out until `retry_at`.

    The row is deleted when the item succeeds or no longer needs the loop.
    """

    what = models.CharField(max_length=40, help_text="The work that fails.")
    item = models.CharField(max_length=200)
    error = models.CharField(max_length=300)
    times = models.PositiveIntegerField(default=1, help_text="Failures in a row.")
    since = models.DateTimeField()
    last_at = models.DateTimeField()
    retry_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["what", "item"], name="an_item_fails_once_at_a_time")]

    def __str__(self) -> str:
        return f"{self.what}: {self.item}"
