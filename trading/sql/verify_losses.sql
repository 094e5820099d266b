-- Returns the days after the first counted one whose counted coins, or dollars that their orders paid, are not those of
-- the ledger. On the first day a release that did not count may have booked too.
-- Reads the ledger's table too: it grows with every order, and only the database can sum it up.
WITH first AS (
    SELECT min(day) AS day FROM trading_dayloss
), counted AS (
    SELECT loss.day, coin.name AS asset, loss.coins AS amount
      FROM trading_dayloss loss JOIN trading_coin coin ON coin.id = loss.coin_id
     UNION ALL
    SELECT day, 'USD', sum(charge) FROM trading_dayloss GROUP BY day
), booked AS (
    SELECT (created_at AT TIME ZONE 'UTC')::date AS day, asset, sum(amount) AS amount
      FROM wallets_transaction WHERE kind IN ('delivery', 'revenue') GROUP BY 1, 2
)
SELECT day, asset, counted.amount, booked.amount
  FROM counted FULL JOIN booked USING (day, asset)
 WHERE day > (SELECT first.day FROM first) AND counted.amount IS DISTINCT FROM booked.amount
