"""How many purchases of a batch were sent and then denied by the venue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlement", "0010_gate_validated")]

    operations = [
        migrations.AddField(
            "batch",
            "denials",
            models.PositiveSmallIntegerField(db_default=0, default=0, help_text="Purchases sent, then not found."),
        ),
    ]
