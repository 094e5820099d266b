-- Takes from locked dollar wallets what their customers owe, as far as the wallets hold it, and books each movement with
-- the balance after it. In SQL, because it is one statement for all customers of a batch.
WITH owing AS (
    SELECT debt.customer_id, wallet.id AS wallet_id, least(debt.amount, wallet.balance) AS amount
      FROM wallets_receivable debt
      JOIN wallets_wallet wallet ON wallet.owner_id = debt.customer_id AND wallet.asset = %(asset)s
     WHERE debt.customer_id = ANY(%(customers)s::bigint[]) AND debt.amount > 0 AND wallet.balance > 0
), paid AS (
    UPDATE wallets_receivable debt SET amount = debt.amount - owing.amount
      FROM owing WHERE debt.customer_id = owing.customer_id
), debited AS (
    UPDATE wallets_wallet wallet SET balance = wallet.balance - owing.amount
      FROM owing WHERE wallet.id = owing.wallet_id
    RETURNING wallet.id, wallet.owner_id, wallet.balance, owing.amount
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, customer_id, balance_after, created_at)
SELECT %(asset)s, debited.amount, debited.id, house.id, 'return',
       'debt:' || debited.owner_id || ':' || gen_random_uuid(), debited.owner_id, debited.balance, %(now)s
  FROM debited
  JOIN wallets_wallet house ON house.role = 'receivable' AND house.asset = %(asset)s AND house.owner_id IS NULL
RETURNING customer_id, amount
