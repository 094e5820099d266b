"""What staff ask for, and what came of it. The database lets nobody change either."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


APPEND_ONLY = """
CREATE FUNCTION wallets_refuse_change_of_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'proposals are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER proposals_are_append_only BEFORE UPDATE OR DELETE ON wallets_proposal
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_change_of_proposal();
CREATE TRIGGER proposals_are_never_emptied BEFORE TRUNCATE ON wallets_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_change_of_proposal();
CREATE TRIGGER records_of_proposals_are_append_only BEFORE UPDATE OR DELETE ON wallets_proposalrecord
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_change_of_proposal();
CREATE TRIGGER records_of_proposals_are_never_emptied BEFORE TRUNCATE ON wallets_proposalrecord
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_change_of_proposal();
CREATE FUNCTION wallets_date_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.asked_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_say_when_they_were_made BEFORE INSERT ON wallets_proposal
    FOR EACH ROW EXECUTE FUNCTION wallets_date_proposal();
CREATE FUNCTION wallets_copy_persons_of_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    proposal wallets_proposal;
BEGIN
    SELECT * INTO proposal FROM wallets_proposal WHERE id = NEW.proposal_id;
    NEW.asked_by_id := proposal.asked_by_id;
    NEW.beneficiary_id := proposal.beneficiary_id;
    NEW.needs_two := proposal.needs_two;
    NEW.decided_at := statement_timestamp();
    IF NEW.outcome = 'done' AND proposal.needs_two AND proposal.expires_at <= NEW.decided_at THEN
        RAISE EXCEPTION 'proposal % has expired', proposal.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER records_name_the_persons_of_their_proposal BEFORE INSERT ON wallets_proposalrecord
    FOR EACH ROW EXECUTE FUNCTION wallets_copy_persons_of_proposal();
"""

CHANGEABLE = """
DROP TRIGGER records_name_the_persons_of_their_proposal ON wallets_proposalrecord;
DROP FUNCTION wallets_copy_persons_of_proposal();
DROP TRIGGER proposals_say_when_they_were_made ON wallets_proposal;
DROP FUNCTION wallets_date_proposal();
DROP TRIGGER records_of_proposals_are_never_emptied ON wallets_proposalrecord;
DROP TRIGGER records_of_proposals_are_append_only ON wallets_proposalrecord;
DROP TRIGGER proposals_are_never_emptied ON wallets_proposal;
DROP TRIGGER proposals_are_append_only ON wallets_proposal;
DROP FUNCTION wallets_refuse_change_of_proposal();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0021_shorter_checks_validated'),
    ]

    operations = [
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('payload', models.JSONField()),
                ('old', models.TextField(blank=True)),
                ('new', models.TextField()),
                ('reason', models.CharField(max_length=500)),
                ('needs_two', models.BooleanField()),
                ('asked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('expires_at', models.DateTimeField()),
                ('asked_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('beneficiary', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'permissions': [('decide_proposal', 'Can approve and reject proposals')],
            },
        ),
        migrations.CreateModel(
            name='ProposalRecord',
            fields=[
                ('proposal', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='record', serialize=False, to='wallets.proposal')),
                ('outcome', models.CharField(choices=[('done', 'done'), ('refused', 'could no longer be done'), ('rejected', 'rejected'), ('withdrawn', 'withdrawn')], max_length=9)),
                ('detail', models.CharField(blank=True, help_text='What came of it.', max_length=500)),
                ('note', models.CharField(blank=True, help_text='Why it was decided so.', max_length=500)),
                ('needs_two', models.BooleanField()),
                ('decided_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('asked_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('beneficiary', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(condition=models.Q(('needs_two', True)), fields=['expires_at'], name='proposals_by_their_end'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='a_proposal_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('beneficiary', None), models.Q(('beneficiary', models.F('asked_by')), _negated=True), _connector='OR'), name='nobody_proposes_their_own_gain'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('asked_at'))), name='a_proposal_expires_after_it_was_made'),
        ),
        migrations.AddConstraint(
            model_name='proposalrecord',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['done', 'refused', 'rejected', 'withdrawn'])), name='outcome_of_a_proposal_is_known'),
        ),
        migrations.AddConstraint(
            model_name='proposalrecord',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', False), ('needs_two', True)), models.Q(('decided_by', None), ('needs_two', False), ('outcome', 'done')), _connector='OR'), name='two_persons_decide_where_two_are_needed'),
        ),
        migrations.AddConstraint(
            model_name='proposalrecord',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by', None), models.Q(('decided_by', models.F('asked_by')), ('outcome', 'withdrawn')), models.Q(models.Q(('outcome', 'withdrawn'), _negated=True), models.Q(('decided_by', models.F('asked_by')), _negated=True)), _connector='OR'), name='author_and_approver_differ'),
        ),
        migrations.AddConstraint(
            model_name='proposalrecord',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by', None), ('beneficiary', None), models.Q(('decided_by', models.F('beneficiary')), _negated=True), _connector='OR'), name='nobody_decides_about_their_own_gain'),
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
