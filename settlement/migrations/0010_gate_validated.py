"""Validate the constraints of the gate.

Older releases booked whatever the venue said. Where they booked a fill beyond its request, the row is history: the
constraint then holds for every new row, and stays unvalidated with a warning.
"""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

VALIDATE_FILLS = """
DO $$
BEGIN
    ALTER TABLE settlement_attempt VALIDATE CONSTRAINT fills_stay_within_the_request;
EXCEPTION WHEN check_violation THEN
    RAISE WARNING 'fills of an older release are beyond their request: fills_stay_within_the_request holds for new ones';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0009_gate")]

    operations = [
        ValidateConstraint(model_name="finding", name="finding_kind_is_known"),
        ValidateConstraint(model_name="intervention", name="intervention_action_is_known"),
        ValidateConstraint(model_name="pause", name="pauses_of_staff_have_no_end"),
        migrations.RunSQL(VALIDATE_FILLS, migrations.RunSQL.noop),
    ]
