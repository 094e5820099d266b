"""Deposits: dollars that came in, each received once. Previous releases write movements without them."""

import django.db.models.deletion
import django.db.models.functions.math
import django.db.models.lookups
import wallets.runtime.clock
import wallets.runtime.constraints
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0026_second_factors'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deposit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=38)),
                ('source', models.CharField(max_length=64)),
                ('reference', models.CharField(max_length=100)),
                ('state', models.CharField(choices=[('credited', 'Credited'), ('unassigned', 'Unassigned'), ('sent_back', 'sent back')], max_length=16)),
                ('received_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(default=wallets.runtime.clock.now)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('approved_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deposits', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(models.F('customer'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('customer__isnull', False)), name='deposits_of_customer'), models.Index(condition=models.Q(('state', 'unassigned')), fields=['id'], name='deposits_of_nobody')],
                'constraints': [models.UniqueConstraint(fields=('reference', 'source'), name='each_deposit_is_received_once'), models.CheckConstraint(condition=models.Q(django.db.models.lookups.Exact(django.db.models.functions.math.Sign(models.F('amount')), models.Value('1'))), name='deposit_amount_is_positive'), models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{credited,unassigned,sent_back}'))), name='deposit_state_is_known'), models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('customer__isnull', False)), models.Q(('state', 'credited')))), name='a_credited_deposit_has_its_customer'), models.CheckConstraint(condition=models.Q(models.Q(('source', ''), _negated=True), models.Q(('reference', ''), _negated=True)), name='a_deposit_names_its_source_and_reference'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent_back'), _negated=True), ('decided_by__isnull', False), _connector='OR'), name='staff_send_deposits_back'), models.CheckConstraint(condition=models.Q(('approved_by', None), models.Q(('approved_by', models.F('decided_by')), _negated=True), _connector='OR'), name='another_person_approves_a_decision_about_a_deposit')],
            },
        ),
    ]

