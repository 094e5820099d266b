-- Finds movements whose `balance_after` is not the wallet's previous `balance_after` plus the change.
WITH steps AS (
    SELECT t.id, w.id AS wallet_id, t.balance_after,
           CASE WHEN t.destination_id = w.id THEN t.amount ELSE -t.amount END AS change,
           lag(t.balance_after, 1, 0) OVER (PARTITION BY w.id ORDER BY t.id) AS balance_before
      FROM wallets_transaction t
      JOIN wallets_wallet w ON w.owner_id = t.customer_id AND w.asset = t.asset
     WHERE t.customer_id IS NOT NULL
)
SELECT id, wallet_id, balance_before + change, balance_after
  FROM steps WHERE balance_before + change <> balance_after ORDER BY id
