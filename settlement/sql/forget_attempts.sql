-- Gives a job that staff run again all its attempts, and makes it due now by Postgres' clock: Procrastinate has dated it
-- by the host's. Procrastinate has no call for that.
UPDATE procrastinate_jobs SET attempts = 0, scheduled_at = now() WHERE id = %(job_id)s AND status = 'todo'
