-- Inserts orders, in the order of their numbers, and the jobs that claim the coins of `claims`; each order is the subject of
-- the movement that charges it.
--
-- All of it is one statement: the ORM and Procrastinate's defer() took half of the processor time of placing an order
-- to write these rows. defer() calls procrastinate_defer_jobs_v1 too; a test checks that the rows are the same. `lock` is
-- the mark by which a job continues a request's trace, if there is one: see wallets/runtime/tracing.py.
--
-- An order finds its id by its place among the new ids, which grow in the order of insertion, and only if customer and
-- charge are those of the row: the caller compares how many were found.
asked AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(orders)s::json) AS asked
           (number int, wallet_id bigint, customer_id bigint, coin_id bigint, amount numeric, price numeric,
            price_source text, price_at timestamptz, market_price numeric, spread_rate numeric, price_rule_id bigint,
            quote_id uuid, charge numeric, fee numeric, state text, is_pooled boolean, settle_by timestamptz,
            reason text, idempotency_key text, request_hash text, created_at timestamptz, held_at timestamptz)
), placed AS (
    INSERT INTO trading_order
           (customer_id, coin_id, amount, price, price_source, price_at, market_price, spread_rate, price_rule_id,
            quote_id, total_price, fee, state, is_aggregated, settle_by,
            reason, idempotency_key, request_hash, created_at, held_at)
    SELECT customer_id, coin_id, amount, price, price_source, price_at, market_price, spread_rate, price_rule_id,
           quote_id, charge, fee, state, is_pooled, settle_by,
           reason, idempotency_key, request_hash, created_at, held_at
      FROM asked ORDER BY number
    RETURNING id, customer_id, total_price
), claimed AS MATERIALIZED (
    SELECT procrastinate_defer_jobs_v1(array_agg(
               (%(queue)s, %(task)s, 0, lock, NULL, jsonb_build_object('coin_id', coin_id), NULL)
               ::procrastinate_job_to_defer_v1)) AS job_ids
      FROM json_to_recordset(%(claims)s::json) AS claim (coin_id bigint, lock text)
    HAVING count(*) > 0
), subject AS MATERIALIZED (
    SELECT asked.number, asked.wallet_id, asked.charge AS amount, placed.id AS order_id,
           'order:' || placed.id || ':charge' AS reference, (SELECT job_ids FROM claimed) AS job_ids
      FROM asked
      JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS number FROM placed) placed USING (number)
     WHERE placed.customer_id = asked.customer_id AND placed.total_price = asked.charge
)
