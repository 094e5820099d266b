-- Completes the given orders of a batch.
UPDATE trading_order
   SET state = 'completed', completed_at = %(now)s
 WHERE id = ANY(%(ids)s) AND batch_id = %(batch_id)s AND state = 'settling'
RETURNING id, customer_id, amount, total_price - fee, fee, extract(epoch FROM %(now)s - created_at),
          CASE WHEN price_source <> 'fixed' THEN market_price END, spread_rate
