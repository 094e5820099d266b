-- Changes the balance of a locked wallet back, and books the movement that reverses another one. In a file of its own,
-- because the movements of orders reverse nothing, and each parameter of a statement costs them something.
WITH changed AS (
    UPDATE wallets_wallet SET balance = balance + %(change)s WHERE id = %(wallet)s
    RETURNING id, owner_id, balance
), house AS (
    SELECT id FROM wallets_wallet WHERE owner_id IS NULL AND role = %(house)s AND asset = %(asset)s
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, customer_id, balance_after, reverses_id, created_at)
SELECT %(asset)s, abs(%(change)s),
       CASE WHEN %(change)s < 0 THEN changed.id ELSE house.id END,
       CASE WHEN %(change)s < 0 THEN house.id ELSE changed.id END,
       'correction', 'correction:' || %(reverses)s, changed.owner_id, changed.balance, %(reverses)s, %(now)s
  FROM changed, house
RETURNING balance_after
