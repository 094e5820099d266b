-- Sums up what came into (above zero) and left each of some house wallets on each UTC day. In SQL, because the ORM reads
-- the movements twice, once for each of their two wallets.
SELECT (t.created_at AT TIME ZONE 'UTC')::date, w.role, w.asset, sum(leg.change)
  FROM wallets_transaction t
 CROSS JOIN LATERAL (VALUES (t.source_id, -t.amount), (t.destination_id, t.amount)) leg (wallet_id, change)
  JOIN wallets_wallet w ON w.id = leg.wallet_id
 WHERE t.created_at >= %(begin)s AND t.created_at < %(end)s AND w.owner_id IS NULL AND w.role = ANY(%(roles)s)
 GROUP BY 1, 2, 3
