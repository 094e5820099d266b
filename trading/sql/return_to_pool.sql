-- Lets the open orders of a batch wait in their pool again, unless one of them is large or overdue, or they fill a pool.
UPDATE trading_order o
   SET state = 'aggregated', settling_at = NULL, batch_id = NULL
  FROM trading_coin c
 WHERE o.batch_id = %(batch_id)s AND o.state = 'settling' AND c.id = o.coin_id
   AND (SELECT bool_and(is_aggregated) AND min(settle_by) > %(now)s AND sum(total_price - fee) < %(threshold)s
          FROM trading_order WHERE batch_id = %(batch_id)s AND state = 'settling')
RETURNING o.amount, o.total_price - o.fee, c.name
