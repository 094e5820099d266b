-- Finds corrections of customers' movements that do not reverse what they name, and house movements of goodwill and
-- write-offs of another kind. Columns: the subject, what is expected, what is found.
SELECT 'correction ' || c.id || ' (' || c.reference || ')',
       coalesce('correction:' || r.id || ', ' || r.amount, 'none') || ' back to where a deposit, withdrawal or goodwill came from',
       c.reference || ', ' || c.amount || ' of a ' || coalesce(r.kind, 'missing movement')
  FROM wallets_transaction c LEFT JOIN wallets_transaction r ON r.id = c.reverses_id
 WHERE c.kind = 'correction' AND (c.customer_id IS NOT NULL OR r.customer_id IS NOT NULL)
   AND (r.id IS NULL OR c.amount <> r.amount OR c.customer_id IS DISTINCT FROM r.customer_id OR c.asset <> r.asset
        OR r.order_id IS NOT NULL OR r.kind NOT IN ('deposit', 'withdrawal', 'goodwill')
        OR (r.kind = 'withdrawal' AND r.source_id <> c.destination_id)
        OR (r.kind <> 'withdrawal' AND r.destination_id <> c.source_id)
        OR c.reference <> 'correction:' || r.id)
 UNION ALL
SELECT w.role || ': transaction ' || t.id, CASE w.role WHEN 'goodwill' THEN 'goodwill or its correction' ELSE 'write_off' END,
       t.kind
  FROM wallets_wallet w JOIN wallets_transaction t ON w.id IN (t.source_id, t.destination_id)
  LEFT JOIN wallets_transaction r ON r.id = t.reverses_id
 WHERE w.role IN ('goodwill', 'written_off') AND w.owner_id IS NULL
   AND NOT CASE w.role WHEN 'goodwill' THEN (t.kind = 'goodwill' AND t.source_id = w.id AND t.customer_id IS NOT NULL)
                                         OR (t.kind = 'correction' AND r.kind = 'goodwill' AND t.destination_id = w.id)
                       ELSE t.kind = 'write_off' AND t.source_id = w.id END
 ORDER BY 1
