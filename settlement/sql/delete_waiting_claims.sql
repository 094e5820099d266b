-- Uses Procrastinate's table directly: Procrastinate's interface deletes one job a call, and a backlog has thousands.
-- Skips jobs that a worker is fetching at this moment.
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs
     WHERE status = 'todo' AND task_name = %(task)s AND args @> jsonb_build_object('coin_id', %(coin_id)s::bigint)
     LIMIT %(most)s FOR UPDATE SKIP LOCKED)
