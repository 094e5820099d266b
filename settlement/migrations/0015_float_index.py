"""Find what attempts have spent lately. Outside a transaction: the index is built while attempts are written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("settlement", "0014_float")]

    operations = [
        AddIndexConcurrently(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("state__in", ["filled", "parked"])),
                fields=["ended_at"],
                name="attempts_that_spent",
            ),
        ),
    ]
