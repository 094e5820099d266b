-- The customer's orders within the risk window, and the order of any age that was placed with the same key.
-- Bounded: more orders than the limit break one rule, however many more.
SELECT (SELECT id FROM trading_order WHERE customer_id = %(customer)s AND idempotency_key = %(key)s),
       count(*),
       count(*) FILTER (WHERE state = 'cancelled'),
       coalesce(sum(total_price) FILTER (WHERE state NOT IN ('cancelled', 'refunded')), 0)
  FROM (SELECT state, total_price FROM trading_order
         WHERE customer_id = %(customer)s AND created_at > %(since)s
         ORDER BY created_at DESC, id DESC LIMIT %(most)s) recent
