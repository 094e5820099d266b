-- Sums up open orders by state: number, charges and age of the oldest. Partial indexes leave closed orders out.
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
