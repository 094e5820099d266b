-- Sums up the waiting orders of a coin. Large orders are not counted, because their backlog may be long.
SELECT EXISTS (SELECT FROM trading_order WHERE coin_id = %(coin)s AND state = 'pending'),
       (SELECT coalesce(sum(total_price), 0) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated'),
       (SELECT min(settle_by) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated')
