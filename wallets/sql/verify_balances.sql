-- Finds wallets whose stored balance is not the sum of their movements, or is negative.
WITH moved AS (
    SELECT wallet_id, sum(change) AS total FROM (
        SELECT destination_id AS wallet_id, amount AS change FROM wallets_transaction
         UNION ALL
        SELECT source_id, -amount FROM wallets_transaction) legs
     GROUP BY wallet_id
)
SELECT w.id, w.asset, coalesce(u.username, w.role), coalesce(moved.total, 0), w.balance
  FROM wallets_wallet w
  LEFT JOIN moved ON moved.wallet_id = w.id
  LEFT JOIN wallets_user u ON u.id = w.owner_id
 WHERE w.balance IS NOT NULL AND (w.balance <> coalesce(moved.total, 0) OR w.balance < 0)
 ORDER BY w.id
