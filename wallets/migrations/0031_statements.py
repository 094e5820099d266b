"""Statements of our bank accounts, imported as batches that are credited once they are approved."""

import django.db.models.deletion
import django.db.models.expressions
import wallets.runtime.clock
import wallets.runtime.constraints
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0030_unassigned_dollars_validated'),
    ]

    operations = [
        migrations.CreateModel(
            name='Statement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(max_length=64)),
                ('file_name', models.CharField(max_length=100)),
                ('sha256', models.CharField(max_length=64)),
                ('opening', models.DecimalField(decimal_places=2, max_digits=38)),
                ('credits', models.DecimalField(decimal_places=2, max_digits=38)),
                ('debits', models.DecimalField(decimal_places=2, max_digits=38)),
                ('closing', models.DecimalField(decimal_places=2, max_digits=38)),
                ('last_day', models.DateField(blank=True, null=True)),
                ('counts', models.JSONField()),
                ('state', models.CharField(choices=[('waiting', 'waits for approval'), ('approved', 'Approved'), ('credited', 'Credited'), ('rejected', 'Rejected')], default='waiting', max_length=16)),
                ('imported_at', models.DateTimeField(default=wallets.runtime.clock.now)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('imported_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('previous', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='following', to='wallets.statement')),
            ],
            options={
                'permissions': [('approve_statement', 'Can approve and reject imported statements')],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'approved'])), fields=['id'], name='statements_that_are_not_done')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'rejected'), _negated=True), fields=('sha256',), name='each_file_is_imported_once'), models.UniqueConstraint(condition=models.Q(models.Q(('state', 'rejected'), _negated=True), ('previous__isnull', False)), fields=('previous',), name='one_statement_follows_another'), models.UniqueConstraint(condition=models.Q(models.Q(('state', 'rejected'), _negated=True), ('previous', None)), fields=('account',), name='one_statement_is_an_accounts_first'), models.CheckConstraint(condition=models.Q(('closing', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('opening'), '+', models.F('credits')), '-', models.F('debits')))), name='statement_balances_add_up'), models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{waiting,approved,credited,rejected}'))), name='statement_state_is_known'), models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('decided_by', None)), models.Q(('state', 'waiting')))), name='a_decision_about_a_statement_has_its_person')],
            },
        ),
        migrations.CreateModel(
            name='StatementLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('credit', 'credit'), ('debit', 'debit'), ('taken_back', 'taken_back'), ('given_back', 'given_back'), ('pending', 'pending'), ('nothing', 'nothing')], max_length=16)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=38)),
                ('booked_on', models.DateField()),
                ('key', models.CharField(max_length=80)),
                ('reference', models.CharField(max_length=100)),
                ('counterparty', models.CharField(blank=True, max_length=200)),
                ('text', models.CharField(blank=True, max_length=500)),
                ('remark', models.CharField(blank=True, max_length=200)),
                ('customer', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('deposit', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='wallets.deposit')),
                ('statement', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='wallets.statement')),
            ],
            options={
                'indexes': [models.Index(fields=['key'], name='lines_by_key'), models.Index(condition=models.Q(('deposit', None), ('kind', 'credit')), fields=['statement', 'number'], name='lines_to_credit')],
                'constraints': [models.UniqueConstraint(fields=('statement', 'number'), name='lines_of_a_statement_are_numbered'), models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.IsOneOf(models.F('kind'), models.Value('{credit,debit,taken_back,given_back,pending,nothing}'))), name='line_kind_is_known'), models.CheckConstraint(condition=models.Q(('kind', 'credit'), models.Q(('customer', None), ('deposit', None)), _connector='OR'), name='only_credits_become_deposits')],
            },
        ),
    ]

