"""The installation and its database, adopted attempts, and decisions about unknown orders."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0015_float_index'),
        ('trading', '0009_unclear_coins'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DatabaseWatch',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('place', models.CharField(blank=True, max_length=200)),
                ('known_at', models.DateTimeField(help_text='The last moment of which the database has everything for certain.')),
                ('beat', models.BigIntegerField(default=0, help_text='Increases with every write of this row.')),
                ('doubted_at', models.DateTimeField(blank=True, null=True)),
                ('doubted_place', models.CharField(blank=True, max_length=200)),
                ('doubt', models.CharField(blank=True, help_text='Why the database is in doubt.', max_length=200)),
                ('stopped_at', models.DateTimeField(blank=True, help_text='Nothing is sent until after_restore has run.', null=True)),
                ('found', models.JSONField(blank=True, default=list, help_text='What the venue has and this database did not know.')),
            ],
            options={
                'verbose_name': 'database watch',
                'verbose_name_plural': 'database watch',
            },
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=8)),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='finding',
            name='decided_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='finding',
            name='decision',
            field=models.CharField(blank=True, choices=[('adopt', 'ours: book it'), ('not_ours', 'not ours')], db_default='', max_length=10),
        ),
        migrations.AlterField(
            model_name='attempt',
            name='batch',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='settlement.batch'),
        ),
        AddConstraintNotValid(
            model_name='attempt',
            constraint=models.CheckConstraint(condition=models.Q(('batch__isnull', False), ('state', 'filled'), _connector='OR'), name='adopted_attempts_are_filled'),
        ),
        AddConstraintNotValid(
            model_name='finding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by', None), ('decision', '')), models.Q(('decided_by__isnull', False), ('decision__in', ['adopt', 'not_ours']), ('kind', 'extra'), models.Q(('note', ''), _negated=True)), _connector='OR'), name='only_unknown_orders_are_decided_about_and_with_a_note'),
        ),
        migrations.AddConstraint(
            model_name='databasewatch',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='there_is_one_database_watch'),
        ),
        migrations.AddConstraint(
            model_name='databasewatch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('doubt', ''), ('doubted_at', None), ('doubted_place', '')), models.Q(('doubted_at__isnull', False), models.Q(('doubt', ''), _negated=True)), _connector='OR'), name='a_doubt_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='installation',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='there_is_one_installation'),
        ),
        migrations.AddConstraint(
            model_name='installation',
            constraint=models.CheckConstraint(condition=models.Q(('code__regex', '^[0-9a-f]{8}$')), name='installation_code_is_hex'),
        ),
    ]
