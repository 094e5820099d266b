-- Debits locked wallets, and books each movement for a subject: its number, wallet, amount, order and reference. One
-- statement for all of it, because each statement costs as much as all of its rows when an order is placed.
--
-- WITH begins with the common table expressions of a file that defines `subject (number, wallet_id, amount, order_id,
-- reference)`. The subjects of one wallet are booked in the order of their numbers.
WITH {part}, changed AS (
    UPDATE wallets_wallet wallet SET balance = wallet.balance - total.amount
      FROM (SELECT wallet_id, sum(amount) AS amount FROM subject GROUP BY wallet_id) total
     WHERE wallet.id = total.wallet_id
    RETURNING wallet.id, wallet.owner_id, wallet.balance
), house AS (
    SELECT id FROM wallets_wallet WHERE owner_id IS NULL AND role = %(house)s AND asset = %(asset)s
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id, balance_after, created_at)
SELECT %(asset)s, subject.amount, changed.id, house.id, %(kind)s, subject.reference, subject.order_id, changed.owner_id,
       changed.balance + coalesce(sum(subject.amount) OVER later, 0), %(now)s
  FROM subject JOIN changed ON changed.id = subject.wallet_id, house
WINDOW later AS (PARTITION BY changed.id ORDER BY subject.number ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
 ORDER BY subject.number
RETURNING order_id
