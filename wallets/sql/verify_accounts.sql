-- Finds accounts of ours whose credited statements say another sum than the ledger has booked for their lines.
-- Columns: the subject, what is expected, what is found.
--
-- A line counts with what the ledger has moved for its deposit, payout or return, and never with more: two lines that
-- share one movement count once. Lines that book nothing count with their own amount: debits that wait for staff or that
-- staff have explained, returns that wait for their deposit, and credits that repeat one of an earlier statement.
WITH told AS (
    SELECT account, sum(credits - debits) AS amount FROM wallets_statement WHERE state = 'credited' GROUP BY account
), line AS (
    SELECT s.account, line.kind, line.amount, line.kind IN ('credit', 'given_back') AS comes_in,
           CASE WHEN line.kind = 'credit' AND line.remark = %(known)s THEN NULL
                WHEN line.deposit_id IS NOT NULL THEN 'deposit:' || line.deposit_id
                WHEN line.payout_id IS NOT NULL THEN 'payout:' || line.payout_id
                WHEN ret.id IS NOT NULL AND ret.state <> 'waiting' THEN 'return:' || ret.id END AS subject,
           (line.kind = 'credit' AND line.remark = %(known)s AND line.deposit_id IS NOT NULL)
             OR (line.kind = 'debit' AND line.payout_id IS NULL)
             OR (line.kind = 'taken_back' AND ret.state = 'waiting') AS books_nothing
      FROM wallets_statementline line
      JOIN wallets_statement s ON s.id = line.statement_id
      LEFT JOIN wallets_return ret ON ret.line_id = line.id
     WHERE s.state = 'credited' AND line.kind IN ('credit', 'given_back', 'debit', 'taken_back')
), moved AS (
    SELECT substring(t.reference from '^((?:deposit|payout|return):[0-9]{1,18})(?::|$)') AS subject,
           source.role = 'funding' AS comes_in, sum(t.amount) AS amount
      FROM wallets_transaction t
      JOIN wallets_wallet source ON source.id = t.source_id
      JOIN wallets_wallet destination ON destination.id = t.destination_id
     WHERE 'funding' IN (source.role, destination.role)
       AND (t.reference LIKE 'deposit:%%' OR t.reference LIKE 'payout:%%' OR t.reference LIKE 'return:%%')
     GROUP BY 1, 2
), counted AS (
    SELECT account, CASE WHEN comes_in THEN amount ELSE -amount END AS amount FROM line WHERE books_nothing
     UNION ALL
    SELECT of_subject.account,
           CASE WHEN of_subject.comes_in THEN 1 ELSE -1 END * least(of_subject.amount, coalesce(moved.amount, 0))
      FROM (SELECT account, subject, comes_in, sum(amount) AS amount FROM line
             WHERE subject IS NOT NULL GROUP BY account, subject, comes_in) of_subject
      LEFT JOIN moved ON moved.subject = of_subject.subject AND moved.comes_in = of_subject.comes_in
), booked AS (
    SELECT account, sum(amount) AS amount FROM counted GROUP BY account
)
SELECT 'account ' || told.account || ': the sum of its statements', told.amount::text, coalesce(booked.amount, 0)::text
  FROM told LEFT JOIN booked ON booked.account = told.account
 WHERE told.amount <> coalesce(booked.amount, 0)
 ORDER BY 1
