-- Finds payouts whose movements do not agree with their state, movements that name a payout which is not there, and
-- whether `payable` holds other dollars than those of payouts that are not sent. Columns: the subject, what is expected,
-- what is found.
WITH named AS (
    SELECT t.amount, t.customer_id, source.role AS source, destination.role AS destination,
           substring(t.reference from '^payout:([0-9]{1,18})(?::|$)')::bigint AS payout_id
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
     WHERE t.reference LIKE 'payout:%%'
), moved AS (
    SELECT payout_id,
           coalesce(sum(amount) FILTER (WHERE source = 'customer' AND destination = 'payable'), 0) AS asked,
           coalesce(sum(amount) FILTER (WHERE source = 'payable' AND destination = 'funding'), 0) AS sent,
           coalesce(sum(amount) FILTER (WHERE source = 'payable' AND destination = 'customer'), 0) AS kept,
           coalesce(sum(amount) FILTER (WHERE source = 'funding' AND destination = 'customer'), 0) AS came_back,
           min(customer_id) AS customer_id, max(customer_id) AS other_customer_id
      FROM named WHERE payout_id IS NOT NULL GROUP BY payout_id
), compared AS (
    SELECT 'payout ' || coalesce(p.id, moved.payout_id) || ' (' || coalesce(p.state, 'no payout') || ')' AS subject,
           p.customer_id::text AS customer, moved.customer_id::text AS charged,
           coalesce(p.amount, 0) AS should_be_asked,
           CASE WHEN p.sent_at IS NOT NULL THEN p.amount ELSE 0 END AS should_be_sent,
           CASE WHEN p.state IN ('rejected', 'cancelled') THEN p.amount ELSE 0 END AS should_be_kept,
           CASE WHEN p.state IN ('failed', 'returned') THEN p.amount ELSE 0 END AS should_be_back,
           coalesce(moved.asked, 0) AS asked, coalesce(moved.sent, 0) AS sent, coalesce(moved.kept, 0) AS kept,
           coalesce(moved.came_back, 0) AS came_back,
           p.id IS NULL OR moved.customer_id IS DISTINCT FROM p.customer_id
             OR moved.other_customer_id IS DISTINCT FROM p.customer_id AS is_strange
      FROM wallets_payout p FULL JOIN moved ON moved.payout_id = p.id
), payable AS (
    SELECT coalesce(sum(CASE WHEN t.destination_id = w.id THEN t.amount ELSE -t.amount END), 0) AS balance
      FROM wallets_wallet w
      JOIN wallets_transaction t ON w.id IN (t.source_id, t.destination_id)
     WHERE w.owner_id IS NULL AND w.role = 'payable' AND w.asset = 'USD'
), waiting AS (
    SELECT coalesce(sum(amount), 0) AS amount FROM wallets_payout WHERE state IN ('requested', 'approved')
), files AS (
    SELECT f.id, f.message_id, f.count, f.total, count(p.id) AS payouts, coalesce(sum(p.amount), 0) AS amount
      FROM wallets_payoutfile f LEFT JOIN wallets_payout p ON p.file_id = f.id
     GROUP BY f.id
)
SELECT subject,
       should_be_asked || ' asked by ' || coalesce(customer, 'nobody') || ', ' || should_be_sent || ' sent, '
         || should_be_kept || ' kept, ' || should_be_back || ' back',
       asked || ' asked by ' || coalesce(charged, 'nobody') || ', ' || sent || ' sent, ' || kept || ' kept, '
         || came_back || ' back'
  FROM compared
 WHERE is_strange OR asked <> should_be_asked OR sent <> should_be_sent OR kept <> should_be_kept
    OR came_back <> should_be_back
 UNION ALL
SELECT 'payable: payouts that are not sent', waiting.amount::text, payable.balance::text
  FROM payable, waiting WHERE payable.balance <> waiting.amount
 UNION ALL
SELECT 'payout file ' || message_id || ': payouts', count || ', ' || total, payouts || ', ' || amount
  FROM files WHERE count <> payouts OR total <> amount
 UNION ALL
SELECT 'line ' || line.number || ' of statement ' || line.statement_id || ': payout ' || p.id || ' (' || p.state || ')',
       line.amount || CASE WHEN line.kind = 'debit' THEN ' paid' ELSE ' returned' END,
       p.amount || ' of another amount or state'
  FROM wallets_statementline line JOIN wallets_payout p ON p.id = line.payout_id
 WHERE line.amount <> p.amount OR (line.kind = 'debit' AND p.paid_at IS NULL)
    OR (line.kind <> 'debit' AND p.state NOT IN ('returned', 'failed'))
 ORDER BY 1
