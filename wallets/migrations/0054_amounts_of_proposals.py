"""The amounts of proposals, so that what one person does alone can be added up."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0053_encrypted_returns")]

    operations = [
        migrations.AddField(
            "proposal", "amount", models.DecimalField(blank=True, decimal_places=2, max_digits=38, null=True)
        ),
        AddIndexConcurrently(
            "proposal",
            models.Index(
                fields=["asked_by", "kind", "asked_at"],
                condition=Q(needs_two=False, amount__isnull=False),
                name="what_one_person_did_alone",
            ),
        ),
    ]
