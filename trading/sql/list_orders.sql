-- Reads a customer's orders for a list, by the API's names and as texts in its notation (wallets.web.writing). With the
-- ORM, decimals and datetimes a list of 200 takes Python several times as long.
SELECT record.id, coin.name AS crypto, record.amount::text,
       round(record.price, greatest(min_scale(record.price), 8))::text AS price,
       round(record.market_price, greatest(min_scale(record.market_price), 8))::text AS market_price,
       (record.total_price - record.fee)::text AS subtotal, record.fee::text, record.total_price::text,
       record.rebate::text, record.state, record.is_aggregated, record.reason,
       CASE WHEN record.state = 'aggregated' THEN record.settle_by END AS settle_by,
       unclear.coin_id IS NOT NULL AS is_unclear, record.created_at::text, record.settling_at::text,
       record.completed_at::text, record.refunded_at::text, record.cancelled_at::text
  FROM trading_order record
  JOIN trading_coin coin ON coin.id = record.coin_id
  LEFT JOIN trading_unclearcoin unclear ON unclear.coin_id = record.coin_id
 WHERE record.customer_id = %(customer)s {part}
