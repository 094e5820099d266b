"""Nobody deletes the interventions at one stroke: TRUNCATE fires no trigger for rows."""

from django.db import migrations

# In a statement's trigger OLD and NEW are null, so the function comes to its refusal.
NEVER_EMPTIED = """
CREATE TRIGGER interventions_are_never_emptied BEFORE TRUNCATE ON settlement_intervention
    FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_change();
"""

EMPTIED = "DROP TRIGGER interventions_are_never_emptied ON settlement_intervention;"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0006_failing_items")]

    operations = [migrations.RunSQL(sql=NEVER_EMPTIED, reverse_sql=EMPTIED)]
