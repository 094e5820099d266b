"""The house's loss of each UTC day, by coin, and the stops of sales that follow from it."""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0007_steps_and_holds'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DayLoss',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('coins', models.DecimalField(decimal_places=8, max_digits=38)),
                ('cost', models.DecimalField(decimal_places=8, max_digits=38)),
                ('charge', models.DecimalField(decimal_places=2, max_digits=38)),
                ('counted_at', models.DateTimeField()),
                ('coin', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.coin')),
            ],
            options={
                'verbose_name': 'loss of a day',
                'verbose_name_plural': 'losses by day',
                'constraints': [models.UniqueConstraint(fields=('day', 'coin'), name='one_loss_per_day_and_coin'), models.CheckConstraint(condition=models.Q(('charge__gt', 0), ('coins__gt', 0), ('cost__gte', 0), models.Q(('coins', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True), models.Q(('cost', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True), models.Q(('charge', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True)), name='a_loss_is_of_delivered_coins')],
            },
        ),
        migrations.CreateModel(
            name='SalesStop',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('loss', models.DecimalField(decimal_places=8, max_digits=38)),
                ('ceiling', models.DecimalField(decimal_places=8, max_digits=38)),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('resumed_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, help_text='Why staff let sales go on.', max_length=200)),
                ('coin', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.coin')),
                ('resumed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('day', 'coin'), name='one_stop_per_day_and_coin_and_one_for_all', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('ceiling__gt', 0), ('loss__gt', 0), models.Q(('loss', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True), models.Q(('ceiling', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True)), name='a_stop_has_a_loss_and_a_ceiling'), models.CheckConstraint(condition=models.Q(('stopped_at', None), ('loss__gte', models.F('ceiling')), _connector='OR'), name='a_stop_is_of_a_reached_ceiling'), models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), ('resumed_at', None), ('resumed_by', None)), models.Q(('resumed_at__isnull', False), ('resumed_by__isnull', False), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='who_lets_sales_go_on_says_why'), models.CheckConstraint(condition=models.Q(('stopped_at__isnull', False), ('resumed_at__isnull', False), _connector='OR'), name='a_stop_ends_by_staff')],
            },
        ),
    ]
