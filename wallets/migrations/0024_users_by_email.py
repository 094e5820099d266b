"""Finds accounts by their e-mail address, and looks at the rows of the check that the migration before has changed."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0023_proven_emails")]

    operations = [
        ValidateConstraint(model_name="securityevent", name="kind_of_security_event_is_known"),
        AddIndexConcurrently(model_name="user", index=models.Index(Upper("email"), name="users_by_email")),
    ]
