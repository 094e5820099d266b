-- Finds orders whose movements do not match their state.
SELECT o.id, o.state, moved.charged, moved.refunded, moved.delivered, moved.rebated
  FROM trading_order o
  JOIN trading_coin c ON c.id = o.coin_id
  LEFT JOIN LATERAL (
        SELECT array_agg(t.amount) FILTER (WHERE t.kind = 'purchase') AS charged,
               array_agg(t.amount) FILTER (WHERE t.kind = 'refund') AS refunded,
               array_agg(t.amount) FILTER (WHERE t.kind = 'delivery' AND t.asset = c.name) AS delivered,
               array_agg(t.amount) FILTER (WHERE t.kind = 'price_improvement' AND t.asset = 'USD'
                                             AND t.reference = 'order:' || o.id || ':rebate') AS rebated,
               count(*) FILTER (WHERE t.kind = 'price_improvement') AS rebates
          FROM wallets_transaction t
         WHERE t.order_id = o.id AND t.customer_id = o.customer_id) moved ON true
 WHERE moved.charged IS DISTINCT FROM ARRAY[o.total_price]
    OR moved.refunded IS DISTINCT FROM CASE WHEN o.state IN ('refunded', 'cancelled') THEN ARRAY[o.total_price] END
    OR moved.delivered IS DISTINCT FROM CASE WHEN o.state = 'completed' THEN ARRAY[o.amount] END
    OR moved.rebated IS DISTINCT FROM CASE WHEN o.rebate > 0 THEN ARRAY[o.rebate] END
    OR moved.rebates <> (o.rebate > 0)::int
 ORDER BY o.id
