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
    -- What has left the customer for good, what has left `payable` or the customer for the world outside, and what is in
    -- `payable`. A payout may come back, and be taken again.
    SELECT payout_id,
           coalesce(sum(CASE WHEN source IN ('customer', 'receivable') THEN amount
                             WHEN destination IN ('customer', 'receivable') THEN -amount ELSE 0 END), 0) AS taken,
           coalesce(sum(CASE WHEN destination = 'funding' THEN amount WHEN source = 'funding' THEN -amount ELSE 0 END), 0)
             AS sent,
           coalesce(sum(CASE WHEN destination = 'payable' THEN amount WHEN source = 'payable' THEN -amount ELSE 0 END), 0)
             AS waits,
           min(customer_id) AS customer_id, max(customer_id) AS other_customer_id
      FROM named WHERE payout_id IS NOT NULL GROUP BY payout_id
), compared AS (
    SELECT 'payout ' || coalesce(p.id, moved.payout_id) || ' (' || coalesce(p.state, 'no payout') || ')' AS subject,
           p.customer_id::text AS customer, moved.customer_id::text AS charged,
           CASE WHEN p.state IN ('requested', 'approved', 'sent', 'paid') OR p.came_back_as_id IS NOT NULL
                THEN p.amount ELSE 0 END AS should_be_taken,
           CASE WHEN p.state IN ('sent', 'paid') OR p.came_back_as_id IS NOT NULL THEN p.amount ELSE 0 END
             AS should_be_sent,
           CASE WHEN p.state IN ('requested', 'approved') THEN p.amount ELSE 0 END AS should_wait,
           coalesce(moved.taken, 0) AS taken, coalesce(moved.sent, 0) AS sent, coalesce(moved.waits, 0) AS waits,
           p.id IS NULL OR moved.payout_id IS NULL
             OR (moved.customer_id IS NOT NULL AND (moved.customer_id <> p.customer_id
                                                    OR moved.other_customer_id <> p.customer_id)) AS is_strange
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
       should_be_taken || ' taken from ' || coalesce(customer, 'nobody') || ', ' || should_be_sent || ' sent, '
         || should_wait || ' waiting',
       taken || ' taken from ' || coalesce(charged, 'nobody') || ', ' || sent || ' sent, ' || waits || ' waiting'
  FROM compared
 WHERE is_strange OR taken <> should_be_taken OR sent <> should_be_sent OR waits <> should_wait
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
    OR (line.kind <> 'debit' AND NOT EXISTS (
            SELECT 1 FROM wallets_transaction t
             WHERE t.reference = 'payout:' || p.id || ':back' OR t.reference LIKE 'payout:' || p.id || ':back:%%'))
 UNION ALL
SELECT 'payout ' || p.id || ' (' || p.state || '): the deposit as which it came back',
       'at most ' || p.amount || ', once, for customer ' || p.customer_id,
       d.amount || ' for ' || coalesce(d.customer_id::text, 'nobody')
  FROM wallets_payout p JOIN wallets_deposit d ON d.id = p.came_back_as_id
 WHERE d.amount > p.amount OR d.customer_id IS DISTINCT FROM p.customer_id
    OR EXISTS (SELECT 1 FROM wallets_payout other WHERE other.came_back_as_id = d.id AND other.id <> p.id)
 ORDER BY 1
