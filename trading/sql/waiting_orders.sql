-- What waits to be bought of a coin. A backlog of large orders is not counted: it may be long.
SELECT EXISTS (SELECT FROM trading_order WHERE coin_id = %(coin)s AND state = 'pending'),
       (SELECT coalesce(sum(total_price), 0) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated'),
       (SELECT min(settle_by) FROM trading_order WHERE coin_id = %(coin)s AND state = 'aggregated')
