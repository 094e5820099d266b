-- Finds bank statements whose lines do not add up to their sums, and lines whose deposits do not agree with them.
-- Columns: the subject, what is expected, what is found.
WITH summed AS (
    SELECT statement_id,
           coalesce(sum(amount) FILTER (WHERE kind IN ('credit', 'given_back')), 0) AS credits,
           coalesce(sum(amount) FILTER (WHERE kind IN ('debit', 'taken_back')), 0) AS debits,
           count(*) FILTER (WHERE kind IN ('credit', 'given_back') AND deposit_id IS NULL AND payout_id IS NULL)
             AS without_deposit,
           count(*) FILTER (WHERE deposit_id IS NOT NULL) AS with_deposit
      FROM wallets_statementline GROUP BY statement_id
)
SELECT 'statement ' || s.id || ': sums', s.credits || ' and ' || s.debits,
       coalesce(summed.credits, 0) || ' and ' || coalesce(summed.debits, 0)
  FROM wallets_statement s LEFT JOIN summed ON summed.statement_id = s.id
 WHERE s.credits <> coalesce(summed.credits, 0) OR s.debits <> coalesce(summed.debits, 0)
 UNION ALL
SELECT 'statement ' || s.id || ' (' || s.state || '): credits without a deposit, and with one',
       CASE WHEN s.state = 'credited' THEN '0 without' ELSE '0 with' END,
       summed.without_deposit || ' without, ' || summed.with_deposit || ' with'
  FROM wallets_statement s JOIN summed ON summed.statement_id = s.id
 WHERE (s.state = 'credited' AND summed.without_deposit > 0)
    OR (s.state IN ('waiting', 'rejected') AND summed.with_deposit > 0)
 UNION ALL
SELECT 'line ' || line.number || ' of statement ' || s.id || ': deposit ' || d.id,
       line.amount || ' of ' || s.account || ' for ' || coalesce(line.customer_id::text, 'nobody') || ', its reference',
       d.amount || ' of ' || d.source || ' for ' || coalesce(d.customer_id::text, 'nobody')
         || CASE WHEN line.reference_hash = d.reference_hash THEN ', its reference' ELSE ', another reference' END
  FROM wallets_statementline line
  JOIN wallets_statement s ON s.id = line.statement_id
  JOIN wallets_deposit d ON d.id = line.deposit_id
 WHERE line.amount <> d.amount OR s.account <> d.source OR line.reference_hash <> d.reference_hash
    OR (line.customer_id <> d.customer_id AND d.decided_by_id IS NULL)  -- staff may have corrected it
 ORDER BY 1
