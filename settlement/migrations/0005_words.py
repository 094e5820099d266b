# Words only: no statement is sent to the database.
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlement", "0004_fetching_from_a_backlog")]

    operations = [
        # First the column's name, then the field's: so the second finds nothing to rename in the database.
        migrations.AlterField(
            model_name="pause",
            name="is_of_calls",
            field=models.BooleanField(
                db_column="is_of_calls",
                default=False,
                help_text="Too many calls: the venue is not asked for anything.",
            ),
        ),
        migrations.RenameField(model_name="pause", old_name="is_of_calls", new_name="stops_all_calls"),
        migrations.AlterField(
            model_name="intervention",
            name="action",
            field=models.CharField(
                choices=[
                    ("look_again", "look up at the venue again"),
                    ("mark_filled", "mark as filled"),
                    ("mark_not_placed", "mark as not placed"),
                    ("retry", "buy again"),
                    ("refund", "refund"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="intervention",
            name="venue_answer",
            field=models.JSONField(blank=True, help_text="The venue's answers when it was asked.", null=True),
        ),
    ]
