-- Changes the balance of a locked wallet and books the movement for a subject: the order, if any, and the reference. One
-- statement for all of it, because each statement costs as much as all of its rows when an order is placed.
--
-- WITH begins with the common table expressions of a file that defines `subject (order_id, reference)`.
WITH {part}, changed AS (
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
       %(kind)s, subject.reference, subject.order_id, changed.owner_id, changed.balance, %(key)s, %(hash)s, %(now)s
  FROM changed, house, subject
RETURNING balance_after, order_id
