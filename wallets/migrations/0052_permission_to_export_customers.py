"""A permission of its own for exports of everything that is held about a customer."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0051_staff_have_no_wallet")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("freeze_user", "Can freeze and unfreeze customers"),
                    ("export_customer", "Can export everything that is held about a customer"),
                ]
            },
        ),
    ]
