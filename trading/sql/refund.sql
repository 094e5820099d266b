-- Refunds the given orders that are still in one of the given states. Returns what is credited, and the dollars of coins.
UPDATE trading_order
   SET state = 'refunded', refunded_at = %(now)s, reason = %(reason)s
 WHERE id = ANY(%(ids)s) AND state = ANY(%(states)s)
RETURNING id, customer_id, total_price, total_price - fee, batch_id, is_aggregated
