-- For each order: sums up its customer's orders within the risk window, finds the order of any age with the same key, says
-- whether the quote is used, and reads the coin's limits, its price and the last count of what may still be sold. The last
-- ones are here, not in Redis, because they decide what is paid: whoever can write to Redis could forge them or bring old
-- ones back. They cost an order nothing but six rows more in this statement. If the coin has a sales limit, the customer's
-- unsettled orders of it are summed up too, without LIMIT: small orders would hide a large one.
--
-- The part says what is asked. A customer, a coin, a key or a quote that is null is not looked for; the price of a coin is
-- read where `is_read` is true. LIMIT bounds the cost: one order above the rule's limit breaks the rule, and further orders
-- change nothing.
SELECT asked.number,
       CASE WHEN asked.key IS NOT NULL THEN
            (SELECT id FROM trading_order WHERE customer_id = asked.customer_id AND idempotency_key = asked.key) END,
       asked.quote IS NOT NULL AND EXISTS (SELECT FROM trading_order WHERE quote_id = asked.quote),
       recent.count, recent.cancels, recent.charge,
       coin.id, coin.name, coin.title, coin.minimum, coin.largest_amount, coin.step, coin.fixed_price,
       asked.is_read AND EXISTS (SELECT FROM trading_closedmarket market WHERE market.coin_id = coin.id),
       greatest(price.value, CASE WHEN price.details_at = price.read_at THEN price.worst_ask END), price.source,
       least(price.read_at, CASE WHEN price.details_at = price.read_at THEN price.quoted_at END), price.suspended_at,
       price.value,
       rule.id, rule.coin_id, rule.spread_rate, rule.fee_rate, rule.fee_minimum, rule.fee_maximum,
       EXISTS (SELECT FROM trading_shop WHERE NOT is_open),
       (SELECT stop.day FROM trading_salesstop stop
         WHERE asked.is_read AND stop.day = %(today)s AND (stop.coin_id = coin.id OR stop.coin_id IS NULL) AND stop.stopped_at IS NOT NULL
         LIMIT 1),
       headroom.room, headroom.most, headroom.counted_at, coalesce(unsettled.subtotal, 0)
  FROM {part}
 CROSS JOIN LATERAL
       (SELECT count(*) AS count,
               count(*) FILTER (WHERE state = 'cancelled') AS cancels,
               coalesce(sum(total_price) FILTER (WHERE state NOT IN ('cancelled', 'refunded')), 0) AS charge
          FROM (SELECT state, total_price FROM trading_order
                 WHERE customer_id = asked.counted_id AND created_at > %(since)s
                 ORDER BY created_at DESC, id DESC LIMIT %(most)s) latest) recent
  LEFT JOIN trading_coin coin ON coin.name = asked.coin AND coin.is_sold
  LEFT JOIN trading_headroom headroom ON headroom.coin_id = coin.id
  LEFT JOIN trading_coinprice price ON price.coin_id = coin.id AND asked.is_read
  LEFT JOIN LATERAL (SELECT * FROM trading_pricerule
                      WHERE (coin_id = coin.id OR coin_id IS NULL) AND valid_from <= %(now)s
                      ORDER BY coin_id NULLS LAST, valid_from DESC, id DESC LIMIT 1) rule ON coin.id IS NOT NULL AND asked.is_read
  LEFT JOIN LATERAL (SELECT sum(total_price - fee) AS subtotal FROM trading_order
                      WHERE headroom.most IS NOT NULL
                        AND customer_id = asked.unsettled_of AND coin_id = coin.id AND created_at > %(unsettled_since)s
                        AND state IN ('pending', 'aggregated', 'settling')) unsettled ON true
