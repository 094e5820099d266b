-- Open orders by state: how many, for how much, and the age of the oldest. Over partial indexes: history costs nothing.
SELECT state, count(*), sum(total_price), extract(epoch FROM now() - min(since)) FROM (
    SELECT o.state, o.total_price,
           coalesce(o.settle_by - make_interval(secs => %(pool_age)s), review.decided_at, o.created_at) AS since
      FROM trading_order o LEFT JOIN trading_review review ON review.order_id = o.id
     WHERE o.state IN ('pending', 'aggregated')
     UNION ALL
    SELECT state, total_price, held_at FROM trading_order WHERE state = 'held'
     UNION ALL
    SELECT state, total_price, settling_at FROM trading_order WHERE state = 'settling') open_orders
 GROUP BY state
