EXISTS (SELECT FROM trading_order WHERE quote_id = %(quote)s)
