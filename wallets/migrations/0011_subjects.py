"""The random name of each user in tokens. A column without a rewrite of the table; the next migration fills it."""

import uuid

import django.contrib.postgres.functions
from django.db import migrations, models

ADDED = """
ALTER TABLE wallets_user ADD COLUMN subject uuid NULL;
ALTER TABLE wallets_user ALTER COLUMN subject SET DEFAULT gen_random_uuid();
"""
REMOVED = "ALTER TABLE wallets_user DROP COLUMN subject;"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0010_keys_of_usernames")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(sql=ADDED, reverse_sql=REMOVED)],
            state_operations=[
                migrations.AddField(
                    model_name="user",
                    name="subject",
                    field=models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        unique=True,
                    ),
                )
            ],
        )
    ]
