"""Balances as part of the truth: openings and moves of the venue's account, its readings, lists that lacked a coin.

Attempts get their venue. Rows of before, and those of the previous release, have none: see `Attempt.venue`.
"""

import django.db.models.deletion
import django.db.models.functions.comparison
import settlement.models.attempts
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

APPEND_ONLY = """
CREATE FUNCTION settlement_refuse_account_move_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account moves are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER account_moves_are_append_only BEFORE UPDATE OR DELETE ON settlement_accountmove
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_account_move_change();
CREATE TRIGGER account_moves_are_never_emptied BEFORE TRUNCATE ON settlement_accountmove
    FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_account_move_change();
"""

CHANGEABLE = """
DROP TRIGGER account_moves_are_never_emptied ON settlement_accountmove;
DROP TRIGGER account_moves_are_append_only ON settlement_accountmove;
DROP FUNCTION settlement_refuse_account_move_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0017_after_a_restore_validated'),
        ('trading', '0009_unclear_coins'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AbsentMarket',
            fields=[
                ('attempt', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='absent_market', serialize=False, to='settlement.attempt')),
                ('first_at', models.DateTimeField(help_text="When the first list lacked the coin, by Postgres' clock.")),
                ('latest_at', models.DateTimeField()),
                ('lists', models.PositiveIntegerField(default=1)),
            ],
        ),
        migrations.CreateModel(
            name='AccountMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('venue', models.CharField(max_length=32)),
                ('asset', models.CharField(max_length=12)),
                ('kind', models.CharField(choices=[('opening', 'what it held besides our purchases when the comparison began'), ('move', 'moved in (more than 0) or out (less than 0)')], max_length=8)),
                ('amount', models.DecimalField(decimal_places=8, max_digits=38)),
                ('reason', models.CharField(max_length=500)),
                ('booked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('booked_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='BalanceReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('venue', models.CharField(max_length=32)),
                ('asset', models.CharField(max_length=12)),
                ('amount', models.DecimalField(decimal_places=8, max_digits=38)),
                ('expected', models.DecimalField(blank=True, decimal_places=8, max_digits=38, null=True)),
                ('difference', models.DecimalField(blank=True, decimal_places=8, max_digits=38, null=True)),
                ('proposed', models.DecimalField(blank=True, decimal_places=8, max_digits=38, null=True)),
                ('read_at', models.DateTimeField(help_text="By Postgres' clock, before the venue was asked.")),
                ('steady_since', models.DateTimeField(blank=True, null=True)),
                ('agreed_at', models.DateTimeField(blank=True, help_text='When the books last agreed.', null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='finding',
            name='finding_kind_is_known',
        ),
        migrations.AddField(
            model_name='attempt',
            name='venue',
            field=models.CharField(blank=True, db_default='', default=settlement.models.attempts.current_venue, help_text='Empty: before venues were recorded.', max_length=32),
        ),
        migrations.AlterField(
            model_name='finding',
            name='kind',
            field=models.CharField(choices=[('missing', 'the venue does not know it'), ('extra', 'we do not know it'), ('differs', 'the figures differ'), ('late_fill', 'bought after it was given up'), ('untrue', 'an answer that cannot be true'), ('ledger', 'the ledger does not balance'), ('balance', 'the account holds more or less than it should')], max_length=10),
        ),
        AddConstraintNotValid(
            model_name='finding',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['missing', 'extra', 'differs', 'late_fill', 'untrue', 'ledger', 'balance'])), name='finding_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='absentmarket',
            constraint=models.CheckConstraint(condition=models.Q(('lists__gte', 1)), name='an_absence_has_a_list'),
        ),
        migrations.AddConstraint(
            model_name='absentmarket',
            constraint=models.CheckConstraint(condition=models.Q(('first_at__lte', models.F('latest_at'))), name='an_absence_begins_before_it_ends'),
        ),
        migrations.AddConstraint(
            model_name='balancereading',
            constraint=models.UniqueConstraint(fields=('venue', 'asset'), name='one_reading_per_venue_and_asset'),
        ),
        migrations.AddConstraint(
            model_name='balancereading',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), models.Q(('amount', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True)), name='balances_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='balancereading',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('difference', None), ('expected', None), ('proposed__isnull', False)), models.Q(('difference__isnull', False), ('expected__isnull', False), ('proposed', None)), _connector='OR'), name='a_reading_is_compared_or_proposes_an_opening'),
        ),
        migrations.AddConstraint(
            model_name='balancereading',
            constraint=models.CheckConstraint(condition=models.Q(('steady_since', None), ('steady_since__lte', models.F('read_at')), _connector='OR'), name='a_reading_is_steady_since_an_earlier_one'),
        ),
        migrations.AddConstraint(
            model_name='accountmove',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'opening')), fields=('venue', 'asset'), name='an_account_opens_once_per_asset'),
        ),
        migrations.AddConstraint(
            model_name='accountmove',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['opening', 'move'])), name='account_move_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='accountmove',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('venue', ''), _negated=True), models.Q(('asset', ''), _negated=True), models.Q(('reason', ''), _negated=True)), name='account_moves_say_where_and_why'),
        ),
        migrations.AddConstraint(
            model_name='accountmove',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True), models.Q(('kind', 'opening'), models.Q(('amount', 0), _negated=True), _connector='OR')), name='moves_move_something'),
        ),
        migrations.AddConstraint(
            model_name='accountmove',
            constraint=models.CheckConstraint(condition=models.Q(('booked_by__isnull', False), models.Q(('kind', 'opening'), ('reason', 'first reading')), _connector='OR'), name='staff_book_all_but_first_readings'),
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
