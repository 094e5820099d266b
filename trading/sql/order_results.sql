-- Sums up, by UTC day of booking and coin, the orders that were placed, refunded and completed. Reads the ledger's table
-- too: a day's orders are found by their movements, in an index that costs an order nothing, and only the database can
-- join the two tables without sending every row to the process.
SELECT m.day, o.coin_id,
       coalesce(sum(o.total_price) FILTER (WHERE m.kind = 'purchase'), 0),
       coalesce(sum(o.total_price) FILTER (WHERE m.kind = 'refund'), 0),
       count(*) FILTER (WHERE m.kind = 'delivery'),
       coalesce(sum(o.amount) FILTER (WHERE m.kind = 'delivery'), 0),
       coalesce(sum(o.total_price - o.fee) FILTER (WHERE m.kind = 'delivery'), 0),
       coalesce(sum(o.fee) FILTER (WHERE m.kind = 'delivery'), 0),
       coalesce(sum(o.rebate) FILTER (WHERE m.kind = 'delivery'), 0),
       coalesce(sum(o.amount * coalesce(o.market_price, o.price)) FILTER (WHERE m.kind = 'delivery'), 0),
       coalesce(sum(o.total_price - o.fee - o.amount * o.price) FILTER (WHERE m.kind = 'delivery'), 0)
  FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, kind, order_id
          FROM wallets_transaction
         WHERE created_at >= %(begin)s AND created_at < %(end)s AND order_id IS NOT NULL
           AND kind IN ('purchase', 'refund', 'delivery')) m
  JOIN trading_order o ON o.id = m.order_id
 GROUP BY m.day, o.coin_id
