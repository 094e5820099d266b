-- Completes the orders of a batch in key order, up to the first one that the available coins do not cover. Orders of
-- more coins than are available are passed over, and so are those that may not be bought at `price` (NULL: any): see
-- `trading/price_moves.py`. The last column counts the orders that are still open. A completion says
-- which fee it books: code that does not cannot complete an order with a fee. A fixed price is no market price.
WITH settling AS (
    SELECT id, amount, amount <= %(available)s AND (%(price)s::numeric IS NULL OR market_price IS NULL
               OR amount * %(price)s::numeric <= (total_price - fee) * %(most)s::numeric) AS is_fit
      FROM trading_order WHERE batch_id = %(batch_id)s AND state = 'settling'
), open_order AS (
    SELECT id, is_fit, sum(amount) FILTER (WHERE is_fit) OVER (ORDER BY id) AS amount_so_far FROM settling
), completed AS (
    UPDATE trading_order o
       SET state = 'completed', completed_at = %(now)s, booked_fee = nullif(fee, 0)
      FROM open_order
     WHERE o.id = open_order.id AND open_order.is_fit AND open_order.amount_so_far <= %(available)s
    RETURNING o.id, o.customer_id, o.amount, o.total_price - o.fee, o.fee, extract(epoch FROM %(now)s - o.created_at),
              CASE WHEN o.price_source <> 'fixed' THEN o.market_price END, o.spread_rate
)
SELECT completed.*, (SELECT count(*) FROM open_order) - (SELECT count(*) FROM completed) FROM completed
