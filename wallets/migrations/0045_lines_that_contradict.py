"""Lines of statements that contradict their payouts, and payees in the security log.

The log's check would be made anew over all rows, and those of lines too: the next migration looks at them.
"""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

import wallets.runtime.constraints

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
    ("payee_added", "payee added"),
    ("payee_removed", "payee removed"),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0044_each_file_for_each_account")]

    operations = [
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
        migrations.AddField(
            model_name="statementline",
            name="contradicts",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contradictions",
                to="wallets.payout",
            ),
        ),
        migrations.AddField(
            model_name="statementline", name="seen_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="statementline",
            name="seen_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        AddConstraintNotValid(
            model_name="statementline",
            constraint=models.CheckConstraint(
                condition=Q(payout=None) | Q(contradicts=None), name="an_answer_about_a_payout_fits_it"
            ),
        ),
        AddConstraintNotValid(
            model_name="statementline",
            constraint=models.CheckConstraint(
                condition=Q(wallets.runtime.constraints.Agree(Q(seen_at=None), Q(seen_by=None))),
                name="somebody_has_seen_a_seen_line",
            ),
        ),
    ]
