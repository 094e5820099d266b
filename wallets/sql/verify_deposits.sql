-- Finds deposits whose movements do not agree with their state, and movements that name a deposit which is not there.
-- Columns: the subject, what is expected, what is found.
--
-- The movements of a deposit are its own, those of its returns, and the corrections of its own. What a customer owes
-- after a return counts as credited: it is asked back from that customer.
WITH named AS (
    SELECT t.amount, t.customer_id, source.role AS source, destination.role AS destination,
           CASE WHEN t.reference LIKE 'return:%%' THEN ret.deposit_id
                ELSE substring(coalesce(reversed.reference, t.reference) from '^deposit:([0-9]{1,18})(?::|$)')::bigint
           END AS deposit_id
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
      LEFT JOIN wallets_transaction reversed ON reversed.id = t.reverses_id
      LEFT JOIN wallets_return ret ON ret.id = substring(t.reference from '^return:([0-9]{1,18})(?::|$)')::bigint
     WHERE t.reference LIKE 'deposit:%%' OR t.reference LIKE 'return:%%' OR t.reference LIKE 'correction:%%'
), moved AS (
    SELECT deposit_id,
           coalesce(sum(amount) FILTER (WHERE source = 'funding'), 0)
             - coalesce(sum(amount) FILTER (WHERE destination = 'funding'), 0) AS kept,
           coalesce(sum(amount) FILTER (WHERE destination = 'unassigned'), 0)
             - coalesce(sum(amount) FILTER (WHERE source = 'unassigned'), 0) AS unassigned,
           coalesce(sum(amount) FILTER (WHERE destination IN ('customer', 'receivable')), 0)
             - coalesce(sum(amount) FILTER (WHERE source IN ('customer', 'receivable')), 0) AS credited
      FROM named WHERE deposit_id IS NOT NULL GROUP BY deposit_id
), customers AS (
    SELECT deposit_id, string_agg(customer_id::text, ' and ' ORDER BY customer_id) AS ids FROM (
        SELECT deposit_id, customer_id, sum(CASE WHEN destination = 'customer' THEN amount ELSE -amount END) AS total
          FROM named WHERE deposit_id IS NOT NULL AND customer_id IS NOT NULL GROUP BY deposit_id, customer_id) net
     WHERE total <> 0 GROUP BY deposit_id
), compared AS (
    SELECT 'deposit ' || coalesce(d.id, moved.deposit_id) AS subject,
           coalesce(d.state, 'no deposit') AS state,
           CASE WHEN d.state = 'credited' THEN d.amount - d.returned ELSE 0 END AS should_be_credited,
           CASE WHEN d.state = 'unassigned' THEN d.amount - d.returned ELSE 0 END AS should_be_unassigned,
           CASE WHEN d.state IN ('credited', 'unassigned') THEN d.amount - d.returned ELSE 0 END AS should_be_kept,
           coalesce(moved.credited, 0) AS credited, coalesce(moved.unassigned, 0) AS unassigned,
           coalesce(moved.kept, 0) AS kept,
           d.id IS NULL OR moved.deposit_id IS NULL OR customers.ids <> coalesce(d.customer_id::text, '') AS is_strange,
           d.customer_id AS customer, customers.ids AS credited_customer
      FROM wallets_deposit d FULL JOIN moved ON moved.deposit_id = d.id
      LEFT JOIN customers ON customers.deposit_id = moved.deposit_id
)
SELECT subject || ' (' || state || ')',
       should_be_credited || ' credited to ' || coalesce(customer::text, 'nobody') || ', '
         || should_be_unassigned || ' unassigned, ' || should_be_kept || ' kept',
       credited || ' credited to ' || coalesce(credited_customer, 'nobody') || ', '
         || unassigned || ' unassigned, ' || kept || ' kept'
  FROM compared
 WHERE is_strange OR credited <> should_be_credited OR unassigned <> should_be_unassigned OR kept <> should_be_kept
 ORDER BY subject
