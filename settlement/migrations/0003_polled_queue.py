from django.db import migrations

# Procrastinate's own trigger sends two notifications with every job. A transaction that has one pending takes a lock
# that all of the cluster's databases share before it commits, so orders would queue up there. Workers poll instead
# (PROCRASTINATE_WORKER_DEFAULTS).
_TRIGGER = "ALTER TABLE procrastinate_jobs {} TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1"

# Every job is inserted, changed twice and deleted within seconds: by their size alone, the tables would be
# cleaned too late for the workers' fetching, which walks over what is dead.
_EAGER = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0"
_NAMES = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay"


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0002_pauses_findings_and_interventions"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.RunSQL(_TRIGGER.format("DISABLE"), _TRIGGER.format("ENABLE")),
        *(
            migrations.RunSQL(f"ALTER TABLE {table} SET ({_EAGER})", f"ALTER TABLE {table} RESET ({_NAMES})")
            for table in ("procrastinate_jobs", "procrastinate_events")
        ),
    ]
