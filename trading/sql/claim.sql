-- Moves the waiting orders of a coin to `settling`, in key order, and sums them up. SKIP LOCKED skips orders that a
-- cancel has locked.
WITH taken AS (
    SELECT id FROM trading_order
     WHERE coin_id = %(coin_id)s AND (state = 'pending' OR %(with_pool)s AND state = 'aggregated')
       AND state IN ('pending', 'aggregated')  -- repeats the condition of the index waiting_orders
     ORDER BY id LIMIT %(most)s
       FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE trading_order o
       SET state = 'settling', settling_at = %(now)s, batch_id = %(batch_id)s
      FROM taken WHERE o.id = taken.id
    RETURNING o.amount, o.total_price, o.is_aggregated
)
SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(total_price), 0),
       coalesce(sum(total_price) FILTER (WHERE is_aggregated), 0)
  FROM claimed
