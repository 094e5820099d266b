from django.db import migrations

# A worker that had nothing to do keeps the plan that it made for an empty table: sort all jobs, and compare each
# with all others in search of its lock. When 20,000 orders came at once, every fetch ran into the time limit of its
# statement until autovacuum had passed by. Told not to sort, it reads the jobs in the order of their index and stops
# at the first; and whether a lock is taken it finds in an index of the locks (our jobs take none).
_FETCH = "ALTER FUNCTION procrastinate_fetch_job_v2(character varying[], bigint) {} enable_sort{}"
_INDEX = "CREATE INDEX settlement_jobs_by_lock ON procrastinate_jobs (lock) WHERE lock IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0003_polled_queue")]

    operations = [
        migrations.RunSQL(_FETCH.format("SET", " = off"), _FETCH.format("RESET", "")),
        migrations.RunSQL(_INDEX, "DROP INDEX settlement_jobs_by_lock"),
    ]
