-- Sums up the waiting orders of a coin. Large orders are not counted, because their backlog may be long.
SELECT EXISTS (SELECT FROM trading_order WHERE coin_id = %(coin)s AND state = 'pending'),
       coalesce(pool.total, 0), pool.settle_by
  FROM (SELECT sum(total_price) AS total, min(settle_by) AS settle_by
          FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated') pool
