-- Moves waiting orders of a coin to `settling`, in key order, and sums them up. SKIP LOCKED skips orders that a cancel
-- has locked.
--
-- Takes orders of one size (of the oldest, or with `smallest` of the smallest one that can be paid), and together at most
-- `most_charge` dollars (NULL: any number). The last column is the charge of the largest order that is not paid.
WITH waiting AS NOT MATERIALIZED (
    SELECT id, total_price, width_bucket(total_price, %(sizes)s::numeric[]) AS size FROM trading_order
     WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')  -- repeats the condition of the index waiting_orders
), payable AS NOT MATERIALIZED (
    SELECT * FROM waiting WHERE %(most_charge)s::numeric IS NULL OR total_price <= %(most_charge)s::numeric
), candidate AS MATERIALIZED (
    SELECT id, total_price FROM trading_order
     WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')
       AND (%(most_charge)s::numeric IS NULL OR total_price <= %(most_charge)s::numeric)
       AND width_bucket(total_price, %(sizes)s::numeric[]) = coalesce(%(size)s::int, CASE WHEN %(smallest)s
               THEN (SELECT min(size) FROM payable)
               ELSE (SELECT size FROM payable ORDER BY id LIMIT 1) END)
     ORDER BY id LIMIT %(most)s
       FOR NO KEY UPDATE SKIP LOCKED
), summed AS (
    SELECT id, total_price, sum(total_price) OVER (ORDER BY id) AS charge_so_far FROM candidate
), claimed AS (
    UPDATE trading_order o
       SET state = 'settling', settling_at = %(now)s, batch_id = %(batch_id)s
      FROM summed
     WHERE o.id = summed.id AND (%(most_charge)s::numeric IS NULL OR summed.charge_so_far <= %(most_charge)s::numeric)
    RETURNING o.amount, o.total_price, o.is_aggregated
)
SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(total_price), 0),
       coalesce(sum(total_price) FILTER (WHERE is_aggregated), 0),
       min(width_bucket(total_price, %(sizes)s::numeric[])),
       CASE WHEN %(most_charge)s::numeric IS NOT NULL THEN greatest(
           (SELECT max(total_price) FROM summed WHERE charge_so_far > %(most_charge)s::numeric),
           (SELECT max(total_price) FROM waiting WHERE total_price > %(most_charge)s::numeric)) END
  FROM claimed
