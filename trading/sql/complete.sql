-- Completes the orders of a batch in key order, as far as the available coins cover whole orders.
WITH ordered AS (
    SELECT id, sum(amount) OVER (ORDER BY id) AS amount_so_far
      FROM trading_order WHERE batch_id = %(batch_id)s AND state = 'settling'
)
UPDATE trading_order o
   SET state = 'completed', completed_at = %(now)s
  FROM ordered
 WHERE o.id = ordered.id AND ordered.amount_so_far <= %(available)s
RETURNING o.id, o.customer_id, o.amount, o.total_price, extract(epoch FROM %(now)s - o.created_at)
