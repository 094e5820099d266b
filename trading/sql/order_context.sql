-- Sums up the customer's orders within the risk window, and finds the order of any age with the same key.
-- LIMIT bounds the cost: one order above the rule's limit breaks the rule, and further orders change nothing.
SELECT (SELECT id FROM trading_order WHERE customer_id = %(customer)s AND idempotency_key = %(key)s),
       count(*),
       count(*) FILTER (WHERE state = 'cancelled'),
       coalesce(sum(total_price) FILTER (WHERE state NOT IN ('cancelled', 'refunded')), 0)
  FROM (SELECT state, total_price FROM trading_order
         WHERE customer_id = %(customer)s AND created_at > %(since)s
         ORDER BY created_at DESC, id DESC LIMIT %(most)s) recent
