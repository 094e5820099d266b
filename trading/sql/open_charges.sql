-- Sums up what a customer has paid for orders that are neither settled nor refunded. Part of wallets.dollar_balance, so
-- that reading the wallet is one statement: a second one, by the ORM, took a third of the time.
SELECT coalesce(sum(total_price), 0) FROM trading_order
 WHERE customer_id = customer.id AND state IN ('pending', 'aggregated', 'held', 'settling')
