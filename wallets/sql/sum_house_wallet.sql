-- Computes the balance of a house wallet from its movements.
SELECT coalesce(sum(CASE WHEN t.destination_id = w.id THEN t.amount ELSE -t.amount END), 0)
  FROM wallets_wallet w
  JOIN wallets_transaction t ON w.id IN (t.source_id, t.destination_id)
 WHERE w.owner_id IS NULL AND w.role = %(role)s AND w.asset = %(asset)s
