-- Finds orders whose movements do not match their state.
SELECT o.id, o.state, moved.charged, moved.refunded, moved.delivered
  FROM trading_order o
  JOIN trading_coin c ON c.id = o.coin_id
  LEFT JOIN LATERAL (
        SELECT array_agg(t.amount) FILTER (WHERE t.kind = 'purchase') AS charged,
               array_agg(t.amount) FILTER (WHERE t.kind = 'refund') AS refunded,
               array_agg(t.amount) FILTER (WHERE t.kind = 'delivery' AND t.asset = c.name) AS delivered
          FROM wallets_transaction t
         WHERE t.order_id = o.id AND t.customer_id = o.customer_id) moved ON true
 WHERE moved.charged IS DISTINCT FROM ARRAY[o.total_price]
    OR moved.refunded IS DISTINCT FROM CASE WHEN o.state IN ('refunded', 'cancelled') THEN ARRAY[o.total_price] END
    OR moved.delivered IS DISTINCT FROM CASE WHEN o.state = 'completed' THEN ARRAY[o.amount] END
 ORDER BY o.id
