-- Finds price rules, in force or to come, whose spread is below the taker rate. A fixed price is not made of the ask.
SELECT rule.id, coalesce(coin.name, 'all coins'), rule.spread_rate
  FROM trading_pricerule rule
  LEFT JOIN trading_coin coin ON coin.id = rule.coin_id
 WHERE rule.spread_rate < %(taker_rate)s AND coin.fixed_price IS NULL
   AND NOT EXISTS (SELECT FROM trading_pricerule newer
                    WHERE newer.coin_id IS NOT DISTINCT FROM rule.coin_id AND newer.valid_from <= now()
                      AND (newer.valid_from, newer.id) > (rule.valid_from, rule.id))
 ORDER BY rule.id
