-- Returns filled attempts and booked fills that do not match, or that are missing on one side.
-- Reads the ledger's table too: attempts and fills grow with every purchase, and only the database can join the two
-- tables without sending every row to the process.
SELECT coalesce(a.client_order_id, fill.reference, cost.reference), a.state,
       a.executed - a.commission, nullif(a.cost, 0), fill.amount, cost.amount
  FROM (SELECT * FROM settlement_attempt WHERE state = 'filled') a
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill') fill
       ON fill.reference = 'attempt:' || a.client_order_id || ':fill'
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill_cost') cost
       ON cost.reference = 'attempt:' || a.client_order_id || ':cost'
 WHERE a.executed - a.commission IS DISTINCT FROM fill.amount OR nullif(a.cost, 0) IS DISTINCT FROM cost.amount
