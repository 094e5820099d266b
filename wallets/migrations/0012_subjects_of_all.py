"""Gives every user of before a subject, some at a time, and lets each subject be one user's. Locks no writer out."""

from django.db import migrations

FILLED = """
DO $$
BEGIN
    LOOP
        UPDATE wallets_user SET subject = gen_random_uuid()
         WHERE id IN (SELECT id FROM wallets_user WHERE subject IS NULL LIMIT 5000);
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("wallets", "0011_subjects")]

    operations = [
        migrations.RunSQL(sql=FILLED, reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL(
            sql="CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS wallets_user_subject_key ON wallets_user (subject)",
            reverse_sql="DROP INDEX CONCURRENTLY IF EXISTS wallets_user_subject_key",
        ),
        # Only now: the constraint would refuse every change of a user who has no subject yet.
        migrations.RunSQL(
            sql="ALTER TABLE wallets_user ADD CONSTRAINT users_have_a_subject CHECK (subject IS NOT NULL) NOT VALID",
            reverse_sql="ALTER TABLE wallets_user DROP CONSTRAINT IF EXISTS users_have_a_subject",
        ),
        migrations.RunSQL(
            sql="ALTER TABLE wallets_user VALIDATE CONSTRAINT users_have_a_subject",
            reverse_sql=migrations.RunSQL.noop,
        ),
        # The validated constraint proves it, so Postgres does not read the table.
        migrations.RunSQL(
            sql="ALTER TABLE wallets_user ALTER COLUMN subject SET NOT NULL",
            reverse_sql="ALTER TABLE wallets_user ALTER COLUMN subject DROP NOT NULL",
        ),
    ]
