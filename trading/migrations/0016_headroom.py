"""Limits of what may be sold and not settled, and the last count of what still may be. New tables only."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

from wallets.runtime.constraints import is_number

_APPEND_ONLY = """
CREATE FUNCTION trading_refuse_change_of_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sales limits are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER sales_limits_are_append_only BEFORE UPDATE OR DELETE ON trading_saleslimit
    FOR EACH ROW EXECUTE FUNCTION trading_refuse_change_of_limit();
CREATE TRIGGER sales_limits_are_never_emptied BEFORE TRUNCATE ON trading_saleslimit
    FOR EACH STATEMENT EXECUTE FUNCTION trading_refuse_change_of_limit();
CREATE FUNCTION trading_date_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER sales_limits_say_when_they_were_set BEFORE INSERT ON trading_saleslimit
    FOR EACH ROW EXECUTE FUNCTION trading_date_limit();
"""

_CHANGEABLE = """
DROP TRIGGER sales_limits_say_when_they_were_set ON trading_saleslimit;
DROP FUNCTION trading_date_limit();
DROP TRIGGER sales_limits_are_never_emptied ON trading_saleslimit;
DROP TRIGGER sales_limits_are_append_only ON trading_saleslimit;
DROP FUNCTION trading_refuse_change_of_limit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ('trading', '0015_booked_fees_validated'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Headroom',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('most', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ('used', models.DecimalField(decimal_places=2, max_digits=38)),
                ('room', models.DecimalField(blank=True, decimal_places=2, max_digits=38, null=True)),
                ('whole', models.DecimalField(blank=True, decimal_places=2, max_digits=38, null=True)),
                ('near_since', models.DateTimeField(blank=True, null=True)),
                ('stopped_since', models.DateTimeField(blank=True, null=True)),
                ('counted_at', models.DateTimeField()),
                ('coin', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='headroom', to='trading.coin')),
            ],
            options={
                'verbose_name': 'headroom',
                'verbose_name_plural': 'headroom',
                'constraints': [models.UniqueConstraint(fields=('coin',), name='one_headroom_per_coin_and_one_for_all', nulls_distinct=False), models.CheckConstraint(
                condition=Q(used__gte=0)
                & is_number("used")
                & (Q(room=None) | Q(room__gte=0) & is_number("room"))
                & (Q(most=None) | Q(most__gte=0) & is_number("most"))
                & (Q(whole=None) | Q(whole__gte=0) & is_number("whole")),
                name='headroom_is_not_negative'), models.CheckConstraint(condition=Q(stopped_since=None) | Q(near_since__isnull=False), name='sales_that_stop_were_near_it')],
            },
        ),
        migrations.CreateModel(
            name='SalesLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('most', models.DecimalField(blank=True, decimal_places=2, help_text='US dollars: subtotals of orders that are taken and not settled. Empty: no limit.', max_digits=14, null=True)),
                ('created_at', models.DateTimeField(db_default=Now(), editable=False)),
                ('reason', models.CharField(help_text='Why the limit was set.', max_length=200)),
                ('coin', models.ForeignKey(blank=True, db_index=False, help_text='Empty: all coins together.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.coin')),
                ('created_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index('coin', F('id').desc(), name='newest_sales_limits')],
                'constraints': [models.CheckConstraint(condition=Q(most=None) | Q(most__gte=0) & is_number("most"), name='a_sales_limit_is_not_negative'), models.CheckConstraint(condition=~Q(reason=''), name='a_sales_limit_has_a_reason')],
            },
        ),
        migrations.RunSQL(_APPEND_ONLY, _CHANGEABLE),
    ]
