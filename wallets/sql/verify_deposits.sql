-- Finds deposits whose movements do not agree with their state, and movements that name a deposit which is not there.
-- Columns: the subject, what is expected, what is found.
WITH named AS (
    SELECT t.reference, t.amount, t.customer_id, source.role AS source, destination.role AS destination,
           substring(t.reference from '^deposit:([0-9]{1,18})(?::|$)')::bigint AS deposit_id
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
     WHERE t.reference LIKE 'deposit:%%'
), moved AS (
    SELECT deposit_id,
           coalesce(sum(amount) FILTER (WHERE source = 'funding'), 0)
             - coalesce(sum(amount) FILTER (WHERE destination = 'funding'), 0) AS kept,
           coalesce(sum(amount) FILTER (WHERE destination = 'unassigned'), 0)
             - coalesce(sum(amount) FILTER (WHERE source = 'unassigned'), 0) AS unassigned,
           coalesce(sum(amount) FILTER (WHERE destination = 'customer'), 0)
             - coalesce(sum(amount) FILTER (WHERE source = 'customer'), 0) AS credited,
           max(customer_id) AS customer_id
      FROM named WHERE deposit_id IS NOT NULL GROUP BY deposit_id
), compared AS (
    SELECT 'deposit ' || coalesce(d.id, moved.deposit_id) AS subject,
           coalesce(d.state, 'no deposit') AS state,
           CASE WHEN d.state = 'credited' THEN d.amount ELSE 0 END AS should_be_credited,
           CASE WHEN d.state = 'unassigned' THEN d.amount ELSE 0 END AS should_be_unassigned,
           CASE WHEN d.state IN ('credited', 'unassigned') THEN d.amount ELSE 0 END AS should_be_kept,
           coalesce(moved.credited, 0) AS credited, coalesce(moved.unassigned, 0) AS unassigned,
           coalesce(moved.kept, 0) AS kept,
           d.id IS NULL OR moved.deposit_id IS NULL OR moved.customer_id IS DISTINCT FROM d.customer_id AS is_strange,
           d.customer_id AS customer, moved.customer_id AS credited_customer
      FROM wallets_deposit d FULL JOIN moved ON moved.deposit_id = d.id
)
SELECT subject || ' (' || state || ')',
       should_be_credited || ' credited to ' || coalesce(customer::text, 'nobody') || ', '
         || should_be_unassigned || ' unassigned, ' || should_be_kept || ' kept',
       credited || ' credited to ' || coalesce(credited_customer::text, 'nobody') || ', '
         || unassigned || ' unassigned, ' || kept || ' kept'
  FROM compared
 WHERE is_strange OR credited <> should_be_credited OR unassigned <> should_be_unassigned OR kept <> should_be_kept
 ORDER BY subject
