# Words only: no statement is sent to the database.
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlement", "0004_fetching_from_a_backlog")]

    operations = [
        # First state the column's name, then rename the field: so the rename changes nothing in the database.
        migrations.AlterField(
            model_name="pause",
            name="is_of_calls",
            field=models.BooleanField(
                db_column="is_of_calls",
                default=False,
                help_text="The venue got too many calls: no calls until the end.",
            ),
        ),
        migrations.RenameField(model_name="pause", old_name="is_of_calls", new_name="stops_all_calls"),
        migrations.AlterField(
            model_name="batch",
            name="charged",
            field=models.DecimalField(db_column="charged", decimal_places=2, default=0, max_digits=38),
        ),
        migrations.RenameField(model_name="batch", old_name="charged", new_name="charge"),
        migrations.AlterField(
            model_name="pause",
            name="times",
            field=models.PositiveIntegerField(
                default=1, help_text="How often in a row the venue gave a reason to pause."
            ),
        ),
        migrations.AlterField(
            model_name="finding",
            name="seen_at",
            field=models.DateTimeField(help_text="When the contradiction was last found."),
        ),
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
            field=models.JSONField(blank=True, help_text="The venue's answers about the attempts in doubt.", null=True),
        ),
    ]
