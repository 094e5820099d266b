"""Where a sign-in comes from: the address of its last use, and what the device says that it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0024_users_by_email")]

    operations = [
        migrations.AddField("tokenfamily", "address", models.CharField(blank=True, db_default="", default="", max_length=64)),
        migrations.AddField("tokenfamily", "device", models.CharField(blank=True, db_default="", default="", max_length=200)),
    ]
