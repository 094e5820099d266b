-- Credits many customers, each for one order, and books each credit with the balance after it.
WITH credit AS (
    SELECT *
      FROM unnest(%(orders)s::bigint[], %(customers)s::bigint[], %(amounts)s::numeric[])
           AS c (order_id, customer_id, amount)
), credited AS (
    UPDATE wallets_wallet w
       SET balance = w.balance + total.amount
      FROM (SELECT customer_id, sum(amount) AS amount FROM credit GROUP BY customer_id) total
     WHERE w.owner_id = total.customer_id AND w.asset = %(asset)s
    RETURNING w.id, w.owner_id, w.balance - total.amount AS balance_before
)
INSERT INTO wallets_transaction
       (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id, balance_after, created_at)
SELECT %(asset)s, credit.amount, source.id, credited.id, %(kind)s,
       'order:' || credit.order_id || ':' || %(part)s, credit.order_id, credit.customer_id,
       credited.balance_before + sum(credit.amount) OVER (PARTITION BY credit.customer_id ORDER BY credit.order_id),
       %(now)s
  FROM credit
  JOIN credited ON credited.owner_id = credit.customer_id
  JOIN wallets_wallet source ON source.role = %(source)s AND source.asset = %(asset)s AND source.owner_id IS NULL
 ORDER BY credit.order_id
