-- Completes the orders of a batch in key order, up to the first one that the available coins do not cover. Orders of
-- more coins than are available are passed over. A fixed price is no market price. The last column counts the orders that are still open.
WITH open_order AS (
    SELECT id, amount, sum(amount) FILTER (WHERE amount <= %(available)s) OVER (ORDER BY id) AS amount_so_far
      FROM trading_order WHERE batch_id = %(batch_id)s AND state = 'settling'
), completed AS (
    UPDATE trading_order o
       SET state = 'completed', completed_at = %(now)s
      FROM open_order
     WHERE o.id = open_order.id AND o.amount <= %(available)s AND open_order.amount_so_far <= %(available)s
    RETURNING o.id, o.customer_id, o.amount, o.total_price - o.fee, o.fee, extract(epoch FROM %(now)s - o.created_at),
              CASE WHEN o.price_source <> 'fixed' THEN o.market_price END, o.spread_rate
)
SELECT completed.*, (SELECT count(*) FROM open_order) - (SELECT count(*) FROM completed) FROM completed
