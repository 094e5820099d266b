"""Payees, payouts, and the files by which a bank is told to pay. The database refuses changes that no service makes."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.math
import django.db.models.lookups
import wallets.models.encrypted
import wallets.models.payouts
import wallets.runtime.clock
import wallets.runtime.constraints
from django.conf import settings
from django.db import migrations, models

GUARDS = """
CREATE FUNCTION wallets_guard_payout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'payouts are never removed: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.customer_id, NEW.payee_id, NEW.amount, NEW.end_to_end_id, NEW.created_at, NEW.idempotency_key,
        NEW.request_hash)
       IS DISTINCT FROM
       (OLD.id, OLD.customer_id, OLD.payee_id, OLD.amount, OLD.end_to_end_id, OLD.created_at, OLD.idempotency_key,
        OLD.request_hash)
       OR (OLD.file_id IS NOT NULL AND NEW.file_id IS DISTINCT FROM OLD.file_id)
    THEN
        RAISE EXCEPTION 'what a payout is about never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('requested', 'approved'), ('requested', 'rejected'), ('requested', 'cancelled'), ('requested', 'paid'),
        ('approved', 'rejected'), ('approved', 'cancelled'), ('approved', 'sent'), ('approved', 'paid'),
        ('sent', 'paid'), ('sent', 'failed'), ('sent', 'returned'), ('paid', 'returned'))
    THEN
        RAISE EXCEPTION 'a payout that is % does not become %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payouts_change_only_their_state BEFORE UPDATE OR DELETE ON wallets_payout
    FOR EACH ROW EXECUTE FUNCTION wallets_guard_payout();
CREATE TRIGGER payouts_are_never_emptied BEFORE TRUNCATE ON wallets_payout
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_guard_payout();
CREATE FUNCTION wallets_guard_payout_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.written_at IS NULL OR NEW.written_at = OLD.written_at) THEN
        IF to_jsonb(NEW) - 'content' - 'written_at' = to_jsonb(OLD) - 'content' - 'written_at' THEN
            RETURN NEW;  -- encrypted again by another key, or written for the first time
        END IF;
    END IF;
    RAISE EXCEPTION 'files of payouts are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payout_files_are_append_only BEFORE UPDATE OR DELETE ON wallets_payoutfile
    FOR EACH ROW EXECUTE FUNCTION wallets_guard_payout_file();
CREATE TRIGGER payout_files_are_never_emptied BEFORE TRUNCATE ON wallets_payoutfile
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_guard_payout_file();
CREATE FUNCTION wallets_keep_credential_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.credentials_changed_at := OLD.credentials_changed_at;
    RETURN NEW;
END $$;
CREATE TRIGGER changes_of_credentials_are_not_forgotten BEFORE UPDATE ON wallets_user
    FOR EACH ROW WHEN (OLD.credentials_changed_at IS NOT NULL
                       AND (NEW.credentials_changed_at IS NULL
                            OR NEW.credentials_changed_at < OLD.credentials_changed_at))
    EXECUTE FUNCTION wallets_keep_credential_change();
"""

UNGUARDED = """
DROP TRIGGER changes_of_credentials_are_not_forgotten ON wallets_user;
DROP FUNCTION wallets_keep_credential_change();
DROP TRIGGER payout_files_are_never_emptied ON wallets_payoutfile;
DROP TRIGGER payout_files_are_append_only ON wallets_payoutfile;
DROP FUNCTION wallets_guard_payout_file();
DROP TRIGGER payouts_are_never_emptied ON wallets_payout;
DROP TRIGGER payouts_change_only_their_state ON wallets_payout;
DROP FUNCTION wallets_guard_payout();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0034_payouts_and_returns_validated'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayoutFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=35, unique=True)),
                ('content', wallets.models.encrypted.EncryptedText()),
                ('sha256', models.CharField(max_length=64)),
                ('count', models.PositiveIntegerField()),
                ('total', models.DecimalField(decimal_places=2, max_digits=38)),
                ('account', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('written_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name='user',
            name='credentials_changed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name='Payee',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', wallets.models.encrypted.EncryptedText()),
                ('account', wallets.models.encrypted.EncryptedText()),
                ('routing', wallets.models.encrypted.EncryptedText(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=wallets.runtime.clock.now)),
                ('usable_at', models.DateTimeField()),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payees', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Payout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=38)),
                ('state', models.CharField(choices=[('requested', 'waits for approval'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('sent', 'Sent'), ('paid', 'Paid'), ('failed', 'Failed'), ('returned', 'Returned')], max_length=16)),
                ('is_automatic', models.BooleanField(default=False)),
                ('end_to_end_id', models.CharField(default=wallets.models.payouts.new_end_to_end_id, max_length=35, unique=True)),
                ('bank_reference', models.CharField(blank=True, max_length=100)),
                ('reason', models.CharField(blank=True, help_text='Why it was rejected, failed or came back.', max_length=200)),
                ('idempotency_key', models.CharField(blank=True, max_length=255, null=True)),
                ('request_hash', models.CharField(blank=True, max_length=64, null=True)),
                ('created_at', models.DateTimeField()),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('rejected_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('paid_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('returned_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payouts', to=settings.AUTH_USER_MODEL)),
                ('payee', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payouts', to='wallets.payee')),
            ],
            options={
                'permissions': [('decide_payout', 'Can ask for the approval of payouts, reject them, and say what came of them'), ('export_payout', 'Can export payouts to a file for the bank')],
            },
        ),
        migrations.AddField(
            model_name='payoutfile',
            name='made_by',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='payout',
            name='file',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payouts', to='wallets.payoutfile'),
        ),
        migrations.AddIndex(
            model_name='payee',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['customer', 'id'], name='payees_of_customer'),
        ),
        migrations.AddConstraint(
            model_name='payee',
            constraint=models.CheckConstraint(condition=models.Q(('usable_at__gte', models.F('created_at'))), name='a_payee_is_usable_after_it_was_added'),
        ),
        migrations.AddConstraint(
            model_name='payee',
            constraint=models.CheckConstraint(condition=models.Q(('removed_at', None), ('removed_at__gte', models.F('created_at')), _connector='OR'), name='a_payee_is_removed_after_it_was_added'),
        ),
        migrations.AddIndex(
            model_name='payoutfile',
            index=models.Index(condition=models.Q(('written_at', None)), fields=['id'], name='payout_files_not_written'),
        ),
        migrations.AddConstraint(
            model_name='payoutfile',
            constraint=models.CheckConstraint(condition=models.Q(('count__gt', 0)), name='a_payout_file_has_payouts'),
        ),
        migrations.AddConstraint(
            model_name='payoutfile',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Exact(django.db.models.functions.math.Sign(models.F('total')), models.Value('1'))), name='total_of_a_payout_file_is_positive'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(models.F('customer'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='payouts_of_customer'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(condition=models.Q(('state__in', ['requested', 'approved'])), fields=['customer'], name='payable_payouts_of_customer'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(condition=models.Q(('state__in', ['requested', 'approved', 'sent'])), fields=['state', 'id'], name='payouts_under_way'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(condition=models.Q(('is_automatic', True)), fields=['approved_at'], name='automatic_payouts'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(condition=models.Q(('state__in', ['requested', 'approved'])), fields=['payee'], name='payouts_to_payee'),
        ),
        migrations.AddIndex(
            model_name='payout',
            index=models.Index(condition=models.Q(('file__isnull', False)), fields=['file'], name='payouts_of_file'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Exact(django.db.models.functions.math.Sign(models.F('amount')), models.Value('1'))), name='payout_amount_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{requested,approved,rejected,cancelled,sent,paid,failed,returned}'))), name='payout_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(('payee__isnull', False), ('state', 'paid'), _connector='OR'), name='a_payout_without_a_payee_is_paid_at_once'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('approved_at', None)), models.Q(('state', 'requested'))), wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{rejected,cancelled}')), _connector='OR'), name='an_approved_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('rejected_at__isnull', False)), models.Q(('state', 'rejected')))), name='a_rejected_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('cancelled_at__isnull', False)), models.Q(('state', 'cancelled')))), name='a_cancelled_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('sent_at__isnull', False)), models.Q(wallets.runtime.constraints.IsOneOf(models.F('state'), models.Value('{sent,paid,failed,returned}'))))), name='a_sent_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('paid_at__isnull', False)), models.Q(('state', 'paid'))), ('state', 'returned'), _connector='OR'), name='a_paid_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('failed_at__isnull', False)), models.Q(('state', 'failed')))), name='a_failed_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('returned_at__isnull', False)), models.Q(('state', 'returned')))), name='a_returned_payout_has_the_time'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(('file', None), ('sent_at__isnull', False), _connector='OR'), name='payouts_of_a_file_are_sent'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(wallets.runtime.constraints.Agree(models.Q(('idempotency_key', None)), models.Q(('request_hash', None)))), name='payout_key_has_its_request_hash'),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.UniqueConstraint(condition=models.Q(('idempotency_key__isnull', False)), fields=('customer', 'idempotency_key'), name='one_payout_per_idempotency_key'),
        ),
        migrations.RunSQL(GUARDS, UNGUARDED),
    ]
