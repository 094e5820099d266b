"""Find what attempts have spent lately, and which are parked. Outside a transaction: the index is built while attempts are written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("settlement", "0014_float")]

    operations = [
        AddIndexConcurrently(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False), ("signed_at__isnull", False)),
                fields=["ended_at"],
                name="attempts_that_were_sent",
            ),
        ),
        AddIndexConcurrently(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("state", "parked")),
                fields=["coin"],
                name="attempts_parked",
            ),
        ),
    ]
