-- Returns filled attempts, excesses and booked fills that do not match, or that are missing on one side.
-- Reads the ledger's table too: attempts and fills grow with every purchase, and only the database can join the two
-- tables without sending every row to the process.
WITH bought AS (
    SELECT client_order_id AS name, 'attempt:' || client_order_id AS reference, state,
           executed - commission AS received, nullif(cost, 0) AS cost
      FROM settlement_attempt WHERE state = 'filled'
     UNION ALL
    SELECT a.client_order_id, 'excess:' || a.client_order_id, 'excess',
           nullif(e.quantity - e.commission, 0), nullif(e.cost, 0)
      FROM settlement_excess e JOIN settlement_attempt a ON a.id = e.attempt_id
)
SELECT coalesce(b.name, fill.reference, cost.reference), b.state, b.received, b.cost, fill.amount, cost.amount
  FROM bought b
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill') fill ON fill.reference = b.reference || ':fill'
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill_cost') cost ON cost.reference = b.reference || ':cost'
 WHERE b.received IS DISTINCT FROM fill.amount OR b.cost IS DISTINCT FROM cost.amount
