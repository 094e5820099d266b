"""The security log, which the database lets nobody change."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

APPEND_ONLY = """
CREATE FUNCTION wallets_refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN -- OLD is not there for TRUNCATE
        IF OLD.at < now() - interval '30 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the security log is append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER security_log_is_append_only BEFORE UPDATE OR DELETE ON wallets_securityevent
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_log_change();
CREATE TRIGGER security_log_is_never_emptied BEFORE TRUNCATE ON wallets_securityevent
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_log_change();
"""

CHANGEABLE = """
DROP TRIGGER security_log_is_never_emptied ON wallets_securityevent;
DROP TRIGGER security_log_is_append_only ON wallets_securityevent;
DROP FUNCTION wallets_refuse_log_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0008_revocation_and_usernames'),
    ]

    operations = [
        migrations.CreateModel(
            name='SecurityEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='time')),
                ('kind', models.CharField(choices=[('registered', 'registered'), ('signed_in', 'signed in'), ('sign_in_failed', 'sign-in failed'), ('signed_out', 'signed out'), ('refresh_reused', 'refresh token used twice'), ('password_changed', 'password changed'), ('disabled', 'disabled'), ('enabled', 'enabled'), ('frozen', 'frozen'), ('unfrozen', 'unfrozen'), ('permissions_changed', 'permissions changed'), ('staff_at_new_address', 'staff at a new address')], max_length=32)),
                ('realm', models.CharField(choices=[('api', 'API'), ('admin', 'admin'), ('command', 'command')], max_length=16)),
                ('name_hash', models.CharField(blank=True, max_length=64)),
                ('address', models.CharField(blank=True, max_length=64)),
                ('network', models.CharField(blank=True, max_length=64)),
                ('details', models.JSONField(blank=True, default=dict)),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'entry of the security log',
                'verbose_name_plural': 'entries of the security log',
                'indexes': [models.Index(condition=models.Q(('user', None), _negated=True), fields=['user', '-id'], name='security_event_of_user'), models.Index(condition=models.Q(('actor', None), _negated=True), fields=['actor', '-id'], name='security_event_by_actor'), models.Index(condition=models.Q(('network', ''), _negated=True), fields=['network', '-at'], name='security_event_of_network'), models.Index(condition=models.Q(('address', ''), _negated=True), fields=['address'], name='security_event_at_address'), models.Index(condition=models.Q(('name_hash', ''), _negated=True), fields=['name_hash'], name='security_event_by_name'), models.Index(fields=['at'], name='security_event_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['registered', 'signed_in', 'sign_in_failed', 'signed_out', 'refresh_reused', 'password_changed', 'disabled', 'enabled', 'frozen', 'unfrozen', 'permissions_changed', 'staff_at_new_address'])), name='kind_of_security_event_is_known'), models.CheckConstraint(condition=models.Q(('realm__in', ['api', 'admin', 'command'])), name='realm_of_security_event_is_known'), models.CheckConstraint(condition=models.Q(('user', None), ('name_hash', ''), _connector='OR'), name='name_of_an_account_is_not_hashed')],
            },
        ),
        migrations.RunSQL(sql=APPEND_ONLY, reverse_sql=CHANGEABLE),
    ]
