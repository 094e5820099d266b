-- Returns a page of a customer's dollar movements as lines of CSV, newest first, in one row: the text of at most
-- %(most)s lines after a place (a time and an id), the number of lines, and the place of the last one.
-- In SQL, because to make the lines in Python takes ten times as long; a statement may have a million.
WITH page AS MATERIALIZED (
    SELECT t.created_at, t.id, t.kind, t.amount, t.balance_after, t.order_id, t.destination_id
      FROM wallets_transaction t
     WHERE t.asset = 'USD' AND t.customer_id = %(customer)s
       AND (t.created_at, t.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
       AND t.created_at > %(after)s::timestamptz
       AND (%(order)s::bigint IS NULL OR t.order_id = %(order)s::bigint)
       AND (%(direction)s::text IS NULL OR (%(direction)s::text = 'deposit') = (t.destination_id = %(wallet)s))
     ORDER BY t.created_at DESC, t.id DESC
     LIMIT %(most)s
)
SELECT coalesce(string_agg(
           concat_ws(',', id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                     CASE WHEN destination_id = %(wallet)s THEN 'deposit' ELSE 'withdrawal' END, kind,
                     amount::numeric(38, 2), balance_after::numeric(38, 2), coalesce(order_id::text, ''))
             || E'\r\n',
           '' ORDER BY created_at DESC, id DESC), ''),
       count(*),
       min(created_at),
       (SELECT last.id FROM page last ORDER BY last.created_at, last.id LIMIT 1)
  FROM page
