"""Sums over the purchases that ended long ago, so that comparing balances need not read them each time."""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0019_balances_validated'),
        ('trading', '0009_unclear_coins'),
    ]

    operations = [
        migrations.CreateModel(
            name='PurchaseSum',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('venue', models.CharField(max_length=32)),
                ('received', models.DecimalField(decimal_places=8, max_digits=38)),
                ('cost', models.DecimalField(decimal_places=8, max_digits=38)),
                ('count', models.PositiveBigIntegerField()),
                ('last_ended', models.DateTimeField(blank=True, null=True)),
                ('until', models.DateTimeField()),
                ('coin', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.coin')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('venue', 'coin'), name='one_sum_of_purchases_per_venue_and_coin'), models.CheckConstraint(condition=models.Q(('cost__gte', 0), ('received__gte', 0), models.Q(('received', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True), models.Q(('cost', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True)), name='sums_of_purchases_are_plausible'), models.CheckConstraint(condition=models.Q(('last_ended', None), ('last_ended__lte', models.F('until')), _connector='OR'), name='sums_hold_what_has_ended')],
            },
        ),
    ]
