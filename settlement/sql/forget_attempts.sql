-- Gives a job that staff run again all its attempts. Procrastinate has no call for that.
UPDATE procrastinate_jobs SET attempts = 0 WHERE id = %(job_id)s AND status = 'todo'
