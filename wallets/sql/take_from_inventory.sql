-- Takes coins from inventory together with their share of its cost, and returns that share. In SQL, because the ORM
-- returns nothing from an UPDATE. Numeric multiplies exactly and divides last, so one rounding happens, to 8 places.
WITH stock AS (
    SELECT id, CASE WHEN balance > %(quantity)s THEN round(coalesce(cost, 0) * %(quantity)s / balance, 8)
                    ELSE coalesce(cost, 0) END AS taken
      FROM wallets_wallet WHERE role = 'inventory' AND asset = %(asset)s AND owner_id IS NULL
)
UPDATE wallets_wallet w
   SET balance = w.balance - %(quantity)s, cost = coalesce(w.cost, 0) - stock.taken
  FROM stock WHERE w.id = stock.id
RETURNING stock.taken
