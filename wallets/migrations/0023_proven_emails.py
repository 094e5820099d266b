"""The address that a user has proven to read, and more kinds of events in the security log.

The log's check would be made anew over all rows: the next migration looks at them.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

_KINDS = [
    ("registered", "registered"),
    ("signed_in", "signed in"),
    ("sign_in_failed", "sign-in failed"),
    ("signed_out", "signed out"),
    ("refresh_reused", "refresh token used twice"),
    ("password_changed", "password changed"),
    ("disabled", "disabled"),
    ("enabled", "enabled"),
    ("frozen", "frozen"),
    ("unfrozen", "unfrozen"),
    ("permissions_changed", "permissions changed"),
    ("staff_at_new_address", "staff at a new address"),
    ("email_verified", "e-mail address confirmed"),
    ("email_changed", "e-mail address changed"),
    ("reset_sent", "link for a new password sent by staff"),
    ("session_ended", "session ended by its owner"),
    ("new_device", "signed in on a new device"),
    ("second_factor_on", "second factor turned on"),
    ("second_factor_off", "second factor turned off"),
    ("recovery_code_used", "recovery code used"),
    ("otp_failed", "wrong one-time code"),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0022_proposals")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="verified_email",
            field=models.EmailField(blank=True, db_default="", default="", editable=False, max_length=254),
        ),
        migrations.RemoveConstraint(model_name="securityevent", name="kind_of_security_event_is_known"),
        migrations.AlterField(
            model_name="securityevent", name="kind", field=models.CharField(choices=_KINDS, max_length=32)
        ),
        AddConstraintNotValid(
            model_name="securityevent",
            constraint=models.CheckConstraint(
                condition=Q(kind__in=[kind for kind, _ in _KINDS]), name="kind_of_security_event_is_known"
            ),
        ),
    ]
