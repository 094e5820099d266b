"""Items that keep failing; and nobody intervenes in a batch that holds an order of their own, except to look it up."""

from django.db import migrations, models

_TRIGGER = """
CREATE FUNCTION settlement_refuse_own_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM trading_order WHERE batch_id = NEW.batch_id AND customer_id = NEW.requested_by_id) THEN
        RAISE EXCEPTION 'nobody_decides_about_their_own_orders' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER interventions_are_by_others BEFORE INSERT ON settlement_intervention
    FOR EACH ROW WHEN (NEW.action <> 'look_again') EXECUTE FUNCTION settlement_refuse_own_batch();
"""

_WITHOUT_TRIGGER = """
DROP TRIGGER interventions_are_by_others ON settlement_intervention;
DROP FUNCTION settlement_refuse_own_batch();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0005_words"),
        ("trading", "0006_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="FailingItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(help_text="The work that fails.", max_length=40)),
                ("item", models.CharField(max_length=200)),
                ("error", models.CharField(max_length=300)),
                ("times", models.PositiveIntegerField(default=1, help_text="Failures in a row.")),
                ("since", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("retry_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("what", "item"), name="an_item_fails_once_at_a_time"),
                ],
            },
        ),
        migrations.RunSQL(_TRIGGER, _WITHOUT_TRIGGER),
    ]
