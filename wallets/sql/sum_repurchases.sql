-- Sums up by UTC day the coins that came from customers who owe, with what they cost: a movement of coins and one of
-- dollars make a repurchase. In SQL, because the ORM cannot join the two by their references.
SELECT (c.created_at AT TIME ZONE 'UTC')::date, c.asset, sum(c.amount), sum(paid.amount)
  FROM wallets_transaction c
  JOIN wallets_transaction paid ON paid.reference = left(c.reference, -length(':coins'))
 WHERE c.kind = 'repurchase' AND c.reference LIKE 'repurchase:%%:coins'
   AND c.created_at >= %(begin)s AND (%(end)s::timestamptz IS NULL OR c.created_at < %(end)s::timestamptz)
 GROUP BY 1, 2
