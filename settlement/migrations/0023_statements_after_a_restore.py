"""The moment beyond which a bank statement has to reach before payouts are exported after a restore."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlement", "0022_prices_of_any_places_validated")]

    operations = [
        migrations.AddField(
            model_name="databasewatch",
            name="statements_since",
            field=models.DateTimeField(
                blank=True,
                help_text="Payouts are exported once a bank statement reaches beyond this moment.",
                null=True,
            ),
        ),
    ]
