-- Finds why coins with a market price cannot be sold: rules, in force or to come, whose spread is below `least`
-- (id, coin, spread, beginning), and coins without a rule in force (a row without an id). A fixed price needs no rule.
-- With `coin` only its own rules count, as if it had a market price. The ORM compares no pairs of columns.
SELECT rule.id, coalesce(coin.name, 'all coins'), rule.spread_rate, rule.valid_from
  FROM trading_pricerule rule
  LEFT JOIN trading_coin coin ON coin.id = rule.coin_id
 WHERE rule.spread_rate < %(least)s
   AND CASE WHEN %(coin)s::bigint IS NULL THEN coin.fixed_price IS NULL ELSE rule.coin_id = %(coin)s END
   AND NOT EXISTS (SELECT FROM trading_pricerule newer
                    WHERE newer.coin_id IS NOT DISTINCT FROM rule.coin_id
                      AND newer.valid_from <= greatest(now(), rule.valid_from)
                      AND (newer.valid_from, newer.id) > (rule.valid_from, rule.id))
 UNION ALL
SELECT NULL, coin.name, NULL, NULL
  FROM trading_coin coin
 WHERE coin.fixed_price IS NULL AND %(coin)s::bigint IS NULL
   AND NOT EXISTS (SELECT FROM trading_pricerule rule
                    WHERE (rule.coin_id IS NULL OR rule.coin_id = coin.id) AND rule.valid_from <= now())
 ORDER BY 1 NULLS FIRST, 2
