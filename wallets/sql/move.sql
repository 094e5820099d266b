-- Changes the balance of a locked wallet and books the movement. One statement for both, because each statement costs
-- as much as all of its rows when an order is placed.
WITH changed AS (
    UPDATE wallets_wallet SET balance = balance + %(change)s WHERE id = %(wallet)s
    RETURNING id, owner_id, balance
), house AS (
    SELECT id FROM wallets_wallet WHERE owner_id IS NULL AND role = %(house)s AND asset = %(asset)s
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id, balance_after,
        idempotency_key, request_hash, created_at)
SELECT %(asset)s, abs(%(change)s),
       CASE WHEN %(change)s < 0 THEN changed.id ELSE house.id END,
       CASE WHEN %(change)s < 0 THEN house.id ELSE changed.id END,
       %(kind)s, %(reference)s, %(order)s, changed.owner_id, changed.balance, %(key)s, %(hash)s, %(now)s
  FROM changed, house
RETURNING balance_after
