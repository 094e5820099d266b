-- Reads the price of coins at moments: the fixed one, else the last one before the moment, else the present one if no
-- change is kept. One statement, in which the index of the changes answers for each coin and moment.
SELECT asked.coin_id, asked.moment,
       coalesce(coin.fixed_price, before.value, CASE WHEN later.value IS NULL THEN current.value END)
  FROM unnest(%(coin_ids)s::bigint[], %(moments)s::timestamptz[]) AS asked (coin_id, moment)
  JOIN trading_coin coin ON coin.id = asked.coin_id
  LEFT JOIN trading_coinprice current ON current.coin_id = asked.coin_id
  LEFT JOIN LATERAL (SELECT value FROM trading_pricereading
                      WHERE coin_id = asked.coin_id AND read_at < asked.moment
                      ORDER BY read_at DESC LIMIT 1) before ON true
  LEFT JOIN LATERAL (SELECT value FROM trading_pricereading
                      WHERE coin_id = asked.coin_id AND read_at >= asked.moment
                      ORDER BY read_at LIMIT 1) later ON true
