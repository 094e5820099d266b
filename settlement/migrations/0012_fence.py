"""An attempt's budget, the most that it may cost. The previous release writes none."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

from wallets.runtime.constraints import is_number


class Migration(migrations.Migration):
    dependencies = [("settlement", "0011_denials")]

    operations = [
        migrations.AddField(
            "attempt",
            "budget",
            models.DecimalField(
                blank=True,
                decimal_places=8,
                help_text="The most that it may cost, in US dollars. This much of the account is set aside until it ends.",
                max_digits=38,
                null=True,
            ),
        ),
        AddConstraintNotValid(
            "attempt",
            models.CheckConstraint(
                condition=Q(budget=None)
                | Q(budget__gt=0, budget__gte=F("quantity") * F("limit_price")) & is_number("budget"),
                name="attempts_stay_within_their_budget",
            ),
        ),
    ]
