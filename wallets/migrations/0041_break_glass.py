"""Requests from a server for the powers of a superuser. What was asked for never changes, nor how it ended."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

GUARDED = """
CREATE FUNCTION wallets_date_break_glass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.outcome IS NOT NULL THEN
        RAISE EXCEPTION 'a break-glass request begins without an end' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.asked_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER break_glass_requests_say_when_they_were_made BEFORE INSERT ON wallets_breakglass
    FOR EACH ROW EXECUTE FUNCTION wallets_date_break_glass();
CREATE FUNCTION wallets_end_break_glass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome IS NOT NULL OR NEW.outcome IS NULL
       OR (NEW.id, NEW.user_id, NEW.reason, NEW.asked_from, NEW.asked_at, NEW.ready_at)
          IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.reason, OLD.asked_from, OLD.asked_at, OLD.ready_at) THEN
        RAISE EXCEPTION 'break-glass requests end once, and change in nothing else' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.ended_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER break_glass_requests_end_once BEFORE UPDATE ON wallets_breakglass
    FOR EACH ROW EXECUTE FUNCTION wallets_end_break_glass();
CREATE FUNCTION wallets_keep_break_glass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'break-glass requests are kept: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER break_glass_requests_are_kept BEFORE DELETE ON wallets_breakglass
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_break_glass();
CREATE TRIGGER break_glass_requests_are_never_emptied BEFORE TRUNCATE ON wallets_breakglass
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_keep_break_glass();
"""

FREE = """
DROP TRIGGER break_glass_requests_are_never_emptied ON wallets_breakglass;
DROP TRIGGER break_glass_requests_are_kept ON wallets_breakglass;
DROP FUNCTION wallets_keep_break_glass();
DROP TRIGGER break_glass_requests_end_once ON wallets_breakglass;
DROP FUNCTION wallets_end_break_glass();
DROP TRIGGER break_glass_requests_say_when_they_were_made ON wallets_breakglass;
DROP FUNCTION wallets_date_break_glass();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0040_returns_validated'),
    ]

    operations = [
        migrations.CreateModel(
            name='BreakGlass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=500)),
                ('asked_from', models.CharField(max_length=200)),
                ('asked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('ready_at', models.DateTimeField()),
                ('outcome', models.CharField(blank=True, choices=[('done', 'took effect'), ('revoked', 'revoked'), ('lapsed', 'came too late')], max_length=7, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('ended_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'break-glass request',
                'constraints': [models.UniqueConstraint(condition=models.Q(('outcome', None)), fields=('user',), name='one_break_glass_request_of_a_user_waits'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='a_break_glass_request_has_a_reason'), models.CheckConstraint(condition=models.Q(('ready_at__gt', models.F('asked_at'))), name='a_break_glass_request_waits_before_its_effect'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_by', None), ('outcome', None)), models.Q(('ended_at__gte', models.F('ready_at')), ('ended_by', None), ('outcome', 'done')), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False), ('outcome', 'revoked')), models.Q(('ended_at__gte', models.F('ready_at')), ('ended_by', None), ('outcome', 'lapsed')), _connector='OR'), name='a_break_glass_request_ends_as_it_may')],
            },
        ),
        migrations.RunSQL(GUARDED, FREE),
    ]
