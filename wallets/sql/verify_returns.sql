-- Finds returns whose movements do not agree with them, movements that name a return which is not there, deposits whose
-- sum is not that of their returns, and lines of statements that disagree with their returns.
-- Columns: the subject, what is expected, what is found.
WITH moved AS (
    SELECT substring(t.reference from '^return:([0-9]{1,18})(?::|$)')::bigint AS return_id,
           coalesce(sum(t.amount) FILTER (WHERE t.reference ~ '^return:[0-9]+$' AND destination.role = 'funding'
               AND source.role = CASE WHEN t.customer_id IS NULL THEN 'unassigned' ELSE 'customer' END), 0) AS taken,
           coalesce(sum(t.amount) FILTER (WHERE t.reference LIKE 'return:%%:owed'
               AND source.role = 'receivable' AND destination.role = 'funding'), 0) AS owed,
           coalesce(sum(t.amount) FILTER (WHERE t.reference LIKE 'return:%%:won' AND source.role = 'funding'
               AND destination.role IN ('customer', 'unassigned')), 0) AS won,
           max(t.customer_id) FILTER (WHERE t.reference ~ '^return:[0-9]+$') AS customer_id,
           bool_and(t.kind = 'return') AS is_return
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
     WHERE t.reference LIKE 'return:%%'
     GROUP BY 1
)
SELECT 'return ' || coalesce(r.id, moved.return_id, 0) || ' (' || coalesce(r.state, 'no return') || ')',
       coalesce(r.taken, 0) || ' taken from ' || coalesce(r.customer_id::text, 'nobody') || ', ' || coalesce(r.owed, 0)
         || ' owed, ' || CASE WHEN r.state = 'won' THEN r.amount ELSE 0 END || ' won',
       coalesce(moved.taken, 0) || ' taken from ' || coalesce(moved.customer_id::text, 'nobody') || ', '
         || coalesce(moved.owed, 0) || ' owed, ' || coalesce(moved.won, 0) || ' won'
  FROM wallets_return r FULL JOIN moved ON moved.return_id = r.id
 WHERE r.id IS NULL OR NOT coalesce(moved.is_return, true)
    OR coalesce(moved.taken, 0) <> r.taken OR coalesce(moved.owed, 0) <> r.owed
    OR coalesce(moved.won, 0) <> CASE WHEN r.state = 'won' THEN r.amount ELSE 0 END
    OR (r.taken > 0 AND moved.customer_id IS DISTINCT FROM r.customer_id)
 UNION ALL
SELECT 'deposit ' || d.id || ': returned', coalesce(summed.amount, 0)::text, d.returned::text
  FROM wallets_deposit d
  LEFT JOIN (SELECT deposit_id, sum(amount) AS amount FROM wallets_return WHERE state = 'taken' GROUP BY deposit_id) summed
    ON summed.deposit_id = d.id
 WHERE d.returned <> coalesce(summed.amount, 0)
 UNION ALL
SELECT 'return ' || r.id || ': customer', coalesce(d.customer_id::text, 'nobody'), r.customer_id::text
  FROM wallets_return r JOIN wallets_deposit d ON d.id = r.deposit_id
 WHERE r.state = 'taken' AND r.customer_id <> d.customer_id
 UNION ALL
SELECT 'line ' || line.number || ' of statement ' || s.id || ': return', line.amount || ' of ' || s.account,
       coalesce(r.amount || ' of ' || r.source, 'none')
  FROM wallets_statementline line
  JOIN wallets_statement s ON s.id = line.statement_id
  LEFT JOIN wallets_return r ON r.line_id = line.id
 WHERE (line.kind = 'taken_back' AND s.state = 'credited' AND r.id IS NULL)
    OR (r.id IS NOT NULL AND (line.kind <> 'taken_back' OR line.amount <> r.amount OR s.account <> r.source))
 ORDER BY 1
