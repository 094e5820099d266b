-- Moves waiting orders of a coin to `settling`, in key order, and sums them up. SKIP LOCKED skips orders that a cancel
-- has locked.
--
-- Takes orders of one size (of the oldest, or with `smallest` of the smallest one that can be paid), and together at most
-- `most_subtotal` dollars (NULL: any number). All dollars are those of subtotals: fees buy no coins. The last but one column
-- is the subtotal of the largest order that is not paid.
--
-- Takes nothing while one of the orders, priced before a moment, costs too much at the ask (NULL: not known). The last
-- column says so: then that order is refunded first, because the others may not be due without it.
WITH moved AS MATERIALIZED (
    SELECT %(ask)s::numeric IS NOT NULL AND EXISTS (
        SELECT FROM trading_order
         WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
           AND state IN ('pending', 'aggregated') AND market_price IS NOT NULL AND price_at < %(priced_before)s::timestamptz
           AND amount * %(ask)s::numeric > (total_price - fee) * %(most_cost)s::numeric) AS is_so
), waiting AS NOT MATERIALIZED (
    SELECT id, total_price - fee AS subtotal, width_bucket(total_price - fee, %(sizes)s::numeric[]) AS size
      FROM trading_order
     WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')  -- repeats the condition of the index waiting_orders
), payable AS NOT MATERIALIZED (
    SELECT * FROM waiting WHERE %(most_subtotal)s::numeric IS NULL OR subtotal <= %(most_subtotal)s::numeric
), candidate AS MATERIALIZED (
    SELECT id, total_price - fee AS subtotal FROM trading_order
     WHERE NOT (SELECT is_so FROM moved)
       AND coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')
       AND (%(most_subtotal)s::numeric IS NULL OR total_price - fee <= %(most_subtotal)s::numeric)
       AND width_bucket(total_price - fee, %(sizes)s::numeric[]) = coalesce(%(size)s::int, CASE WHEN %(smallest)s
               THEN (SELECT min(size) FROM payable)
               ELSE (SELECT size FROM payable ORDER BY id LIMIT 1) END)
     ORDER BY id LIMIT %(most)s
       FOR NO KEY UPDATE SKIP LOCKED
), summed AS (
    SELECT id, subtotal, sum(subtotal) OVER (ORDER BY id) AS subtotal_so_far FROM candidate
), claimed AS (
    UPDATE trading_order o
       SET state = 'settling', settling_at = %(now)s, batch_id = %(batch_id)s
      FROM summed
     WHERE o.id = summed.id AND (%(most_subtotal)s::numeric IS NULL OR summed.subtotal_so_far <= %(most_subtotal)s::numeric)
    RETURNING o.amount, o.total_price - o.fee AS subtotal, o.is_aggregated
)
SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(subtotal), 0),
       coalesce(sum(subtotal) FILTER (WHERE is_aggregated), 0),
       min(width_bucket(subtotal, %(sizes)s::numeric[])),
       CASE WHEN %(most_subtotal)s::numeric IS NOT NULL THEN greatest(
           (SELECT max(subtotal) FROM summed WHERE subtotal_so_far > %(most_subtotal)s::numeric),
           (SELECT max(subtotal) FROM waiting WHERE subtotal > %(most_subtotal)s::numeric)) END,
       (SELECT is_so FROM moved)
  FROM claimed
