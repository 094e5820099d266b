-- Counts what may still be sold of a coin when the last count is old: its figures less what is unsettled now beyond them,
-- and less what purchases have cost since (`spent`), because the account has paid for them. NULL: anything.
WITH used AS (
    SELECT coin_id, total_price - fee AS subtotal FROM trading_order WHERE state IN ('pending', 'aggregated')
     UNION ALL
    SELECT coin_id, total_price - fee FROM trading_order WHERE state = 'settling'
), sums AS (
    SELECT coalesce(sum(subtotal), 0) AS of_all, coalesce(sum(subtotal) FILTER (WHERE coin_id = %(coin)s), 0) AS of_coin
      FROM used
)
SELECT least(overall.room - greatest(sums.of_all - overall.used + %(spent)s, 0), coin.most - sums.of_coin)
  FROM sums
  LEFT JOIN trading_headroom overall ON overall.coin_id IS NULL
  LEFT JOIN trading_headroom coin ON coin.coin_id = %(coin)s
