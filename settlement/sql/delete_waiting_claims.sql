-- Names one of Procrastinate's tables: its own interface deletes jobs one by one, and a backlog has thousands.
-- Jobs that a worker is fetching at this moment are passed over.
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs
     WHERE status = 'todo' AND task_name = %(task)s AND args @> jsonb_build_object('coin_id', %(coin_id)s::bigint)
     LIMIT %(most)s FOR UPDATE SKIP LOCKED)
