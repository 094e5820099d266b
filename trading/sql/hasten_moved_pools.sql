-- Ends the wait of pooled orders whose coins cost more by now, with the venue's commission, than the orders paid. SKIP
-- LOCKED skips orders that are being claimed or cancelled. In SQL, because the ORM cannot update rows that it joins.
UPDATE trading_order
   SET settle_by = %(now)s
 WHERE state = 'aggregated'
   AND id IN (SELECT o.id
                FROM trading_order o
                JOIN trading_coin c ON c.id = o.coin_id AND c.fixed_price IS NULL AND c.pool_policy = 'buy'
                JOIN trading_coinprice p ON p.coin_id = o.coin_id AND p.suspended_at IS NULL AND p.read_at >= %(since)s
               WHERE o.state = 'aggregated' AND o.market_price IS NOT NULL AND o.settle_by > %(now)s
                 AND o.amount * p.value > (o.total_price - o.fee) * %(kept)s
                 FOR NO KEY UPDATE OF o SKIP LOCKED)
