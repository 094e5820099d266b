-- Reads the movements of a customer's dollar wallet, by the API's names and as texts in its notation (wallets.web.writing).
SELECT record.id, seen.type, record.kind, round(record.amount, 2)::text AS amount,
       round(record.balance_after, 2)::text AS balance_after, record.order_id, record.created_at::text
  FROM wallets_transaction record
  JOIN wallets_wallet destination ON destination.id = record.destination_id
 CROSS JOIN LATERAL (
       SELECT CASE WHEN record.kind = ANY (%(incoming)s) THEN 'deposit'
                   WHEN record.kind = ANY (%(either)s) AND destination.owner_id = record.customer_id THEN 'deposit'
                   ELSE 'withdrawal' END AS type) seen
 WHERE record.customer_id = %(customer)s AND record.asset = 'USD'
   AND (record.kind = ANY (%(incoming)s) OR record.kind = ANY (%(outgoing)s) OR record.kind = ANY (%(either)s)) {part}
