-- Inserts an order and, if `claim_now`, the job that claims it; the order is the subject of the movement that charges it.
--
-- All of it is one statement: the ORM and Procrastinate's defer() took half of the processor time of placing an order
-- to write these rows. defer() calls procrastinate_defer_jobs_v1 too; a test checks that the rows are the same. `lock` is
-- the mark by which the job continues the request's trace, if there is one: see wallets/runtime/tracing.py.
placed AS (
    INSERT INTO trading_order
           (customer_id, coin_id, amount, price, price_source, price_at, market_price, spread_rate, price_rule_id,
            quote_id, total_price, fee, state, is_aggregated, settle_by,
            reason, idempotency_key, request_hash, created_at, held_at)
    VALUES (%(customer_id)s, %(coin_id)s, %(amount)s, %(price)s, %(price_source)s, %(price_at)s, %(market_price)s,
            %(spread_rate)s, %(price_rule_id)s, %(quote_id)s, %(charge)s, %(fee)s,
            %(state)s, %(is_pooled)s, %(settle_by)s,
            %(reason)s, %(idempotency_key)s, %(request_hash)s, %(created_at)s, %(held_at)s)
    RETURNING id, coin_id
), subject AS MATERIALIZED (
    SELECT id AS order_id, 'order:' || id || ':charge' AS reference,
           CASE WHEN %(claim_now)s THEN
                procrastinate_defer_jobs_v1(ARRAY[
                    (%(queue)s, %(task)s, 0, %(lock)s, NULL, jsonb_build_object('coin_id', coin_id), NULL)
                ]::procrastinate_job_to_defer_v1[])
           END AS job_ids
      FROM placed
)
