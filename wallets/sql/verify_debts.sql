-- Finds customers whose debt is not what returns, payouts, payments, write-offs and repurchases have left of it, and customers who
-- owe and are not frozen. The last line compares the house wallet with the sum of all debts.
-- Columns: the subject, what is expected, what is found.
WITH legs AS (
    SELECT coalesce(t.customer_id, ret.customer_id, payout.customer_id,
                    substring(t.reference from '^(?:write_off|repurchase):([0-9]{1,18}):')::bigint) AS customer_id,
           CASE WHEN source.role = 'receivable' THEN t.amount ELSE -t.amount END AS change
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
      LEFT JOIN wallets_return ret ON t.reference = 'return:' || ret.id || ':owed'
      LEFT JOIN wallets_payout payout
        ON payout.id = substring(t.reference from '^payout:([0-9]{1,18}):owed(?::|$)')::bigint
     WHERE 'receivable' IN (source.role, destination.role)
), moved AS (
    SELECT customer_id, sum(change) AS owed FROM legs GROUP BY customer_id
)
SELECT 'debt of customer ' || coalesce(debt.customer_id, moved.customer_id, 0), coalesce(moved.owed, 0)::text,
       coalesce(debt.amount, 0)::text
  FROM wallets_receivable debt FULL JOIN moved ON moved.customer_id = debt.customer_id
 WHERE coalesce(debt.amount, 0) <> coalesce(moved.owed, 0)
 UNION ALL
SELECT 'debt of customer ' || debt.customer_id || ': wallet', 'frozen, 0', w.frozen || ', ' || w.balance
  FROM wallets_receivable debt JOIN wallets_wallet w ON w.owner_id = debt.customer_id AND w.asset = 'USD'
 WHERE debt.amount > 0 AND (NOT w.frozen OR w.balance > 0)
 UNION ALL
SELECT 'receivable', debts.amount::text, legs.owed::text
  FROM (SELECT coalesce(sum(amount), 0) AS amount FROM wallets_receivable) debts,
       (SELECT coalesce(sum(change), 0) AS owed FROM legs) legs
 WHERE debts.amount <> legs.owed
 ORDER BY 1
