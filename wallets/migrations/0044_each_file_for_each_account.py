"""A file in CSV names no account, so that files of two accounts may hold the same bytes.

Statements came with this release, so the previous one neither reads nor writes their table.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0043_personal_data")]

    operations = [
        migrations.RemoveConstraint("statement", "each_file_is_imported_once"),
        migrations.AddConstraint(
            "statement",
            models.UniqueConstraint(
                condition=models.Q(("state", "rejected"), _negated=True),
                fields=("account", "sha256"),
                name="each_file_is_imported_once",
            ),
        ),
    ]
