-- Sums up, by role, how the newest movements of US dollars have changed wallets, and counts the movements. The change of
-- a customer's wallet is taken from its stored balance, that of a house wallet from the movements: so the sum over all
-- roles is zero only if the stored balances agree with the movements. OFFSET 0 keeps Postgres from reading all wallets.
WITH newest AS (
    SELECT id, source_id, destination_id, amount, balance_after
      FROM wallets_transaction
     WHERE asset = 'USD'
     ORDER BY id DESC
     LIMIT %(most)s
), changed AS (
    SELECT leg.wallet_id, sum(leg.change) AS change, (array_agg(t.balance_after - leg.change ORDER BY t.id))[1] AS before
      FROM newest t
     CROSS JOIN LATERAL (VALUES (t.source_id, -t.amount), (t.destination_id, t.amount)) leg (wallet_id, change)
     GROUP BY leg.wallet_id
)
SELECT w.role, sum(CASE WHEN w.role = 'customer' THEN w.balance - c.before ELSE c.change END),
       (SELECT count(*) FROM newest)
  FROM changed c
 CROSS JOIN LATERAL (SELECT role, balance FROM wallets_wallet WHERE id = c.wallet_id OFFSET 0) w
 GROUP BY w.role
