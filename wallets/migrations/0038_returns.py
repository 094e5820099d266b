"""Returns of deposits, and what customers owe after them. Previous releases write deposits without `returned`."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.math
import django.db.models.lookups
import wallets.runtime.clock
import wallets.runtime.constraints
from decimal import Decimal
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


SUMS = """
CREATE FUNCTION wallets_sum_returns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'taken' THEN
        UPDATE wallets_deposit SET returned = returned - OLD.amount WHERE id = OLD.deposit_id;
    END IF;
    IF NEW.state = 'taken' THEN
        UPDATE wallets_deposit SET returned = returned + NEW.amount WHERE id = NEW.deposit_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER returns_of_a_deposit_are_summed_up AFTER INSERT OR UPDATE OF amount, deposit_id, state ON wallets_return
    FOR EACH ROW EXECUTE FUNCTION wallets_sum_returns();
"""

NO_SUMS = """
DROP TRIGGER returns_of_a_deposit_are_summed_up ON wallets_return;
DROP FUNCTION wallets_sum_returns();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0037_answers_of_the_bank_validated'),
    ]

    operations = [
        migrations.CreateModel(
            name='Receivable',
            fields=[
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='receivable', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=38)),
                ('since', models.DateTimeField()),
            ],
            options={
                'permissions': [('settle_debt', 'Can ask for write-offs of debts and for repurchases of coins')],
            },
        ),
        migrations.CreateModel(
            name='Return',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=38)),
                ('source', models.CharField(max_length=64)),
                ('reference', models.CharField(max_length=100)),
                ('named', models.CharField(blank=True, max_length=600)),
                ('state', models.CharField(choices=[('waiting', 'waits for its deposit'), ('taken', 'taken back'), ('won', 'won back')], max_length=16)),
                ('taken', models.DecimalField(decimal_places=2, default=0, max_digits=38)),
                ('owed', models.DecimalField(decimal_places=2, default=0, max_digits=38)),
                ('received_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(default=wallets.runtime.clock.now)),
                ('won_at', models.DateTimeField(blank=True, null=True)),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'permissions': [('take_return', 'Can ask for returns of deposits, and for returns that are won back')],
            },
        ),
        migrations.AlterModelOptions(
            name='transaction',
            options={'permissions': [('correct_movement', 'Can ask for corrections of movements'), ('give_goodwill', 'Can ask for gifts of goodwill')]},
        ),
        migrations.AddField(
            model_name='deposit',
            name='returned',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=38),
        ),
        AddConstraintNotValid(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(('returned__gte', Decimal('0.0')), ('returned__lt', models.Value('NaN')), ('returned__lte', models.F('amount'))), name='a_deposit_is_returned_in_full_at_most'),
        ),
        migrations.AddIndex(
            model_name='receivable',
            index=models.Index(condition=models.Q(('amount__gt', 0)), fields=['since'], name='debts_that_are_open'),
        ),
        migrations.AddConstraint(
            model_name='receivable',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', Decimal('0.0')), ('amount__lt', models.Value('NaN'))), name='debt_is_not_negative'),
        ),
        migrations.AddField(
            model_name='return',
            name='approved_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='return',
            name='customer',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='return',
            name='decided_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='return',
            name='deposit',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='returns', to='wallets.deposit'),
        ),
        migrations.AddField(
            model_name='return',
            name='line',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='taken_back', to='wallets.statementline'),
        ),
        migrations.AddField(
            model_name='return',
            name='seen_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='return',
            index=models.Index(condition=models.Q(('deposit__isnull', False)), fields=['deposit'], name='returns_of_deposit'),
        ),
        migrations.AddIndex(
            model_name='return',
            index=models.Index(condition=models.Q(('seen_at', None)), fields=['id'], name='returns_not_seen'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.UniqueConstraint(fields=('reference', 'source'), name='each_return_is_taken_once'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Exact(django.db.models.functions.math.Sign(models.F('amount')), models.Value('1'))), name='return_amount_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('source', ''), _negated=True), models.Q(('reference', ''), _negated=True)), name='a_return_names_its_source_and_reference'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{waiting,taken,won}'))), name='return_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('deposit', None)), models.Q(('state', 'waiting')))), name='a_taken_return_has_its_deposit'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(('taken__gte', Decimal('0.0')), ('taken__lt', models.Value('NaN')), ('owed__gte', Decimal('0.0')), ('owed__lt', models.Value('NaN'))), name='parts_of_a_return_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('owed', 0), ('state', 'waiting'), ('taken', 0)), models.Q(models.Q(('state', 'waiting'), _negated=True), ('amount', django.db.models.expressions.CombinedExpression(models.F('taken'), '+', models.F('owed')))), _connector='OR'), name='parts_of_a_return_add_up'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(('owed', 0), ('customer__isnull', False), _connector='OR'), name='what_is_owed_has_its_customer'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('won_at__isnull', False)), models.Q(('state', 'won')))), name='a_won_return_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('seen_at', None)), models.Q(('seen_by', None)))), name='somebody_has_seen_a_seen_return'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(('approved_by', None), models.Q(('approved_by', models.F('decided_by')), _negated=True), _connector='OR'), name='another_person_approves_a_return'),
        ),
        migrations.RunSQL(SUMS, NO_SUMS),
    ]
