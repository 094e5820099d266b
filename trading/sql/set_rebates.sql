-- Writes the rebates of completed orders, once.
UPDATE trading_order o
   SET rebate = given.rebate
  FROM unnest(%(orders)s::bigint[], %(rebates)s::numeric[]) AS given (order_id, rebate)
 WHERE o.id = given.order_id AND o.state = 'completed' AND o.rebate = 0
