"""An attempt's budget: what it may cost at most. Attempts of the previous release have none."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

from wallets.runtime.constraints import is_number


class Migration(migrations.Migration):
    dependencies = [("settlement", "0011_losses")]

    operations = [
        migrations.AddField(
            "attempt",
            "budget",
            models.DecimalField(
                blank=True,
                decimal_places=8,
                help_text="What it may cost at most, in US dollars. Until it ends, so much of the account is set aside.",
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
