-- Adds delivered coins, their cost and what their orders paid to the coin's row of the day. Returns the coin's id, its
-- loss of the day, and the loss of all coins, as far as other coins' bookings have committed. In SQL, because the ORM
-- cannot add to the row that a conflict finds.
WITH counted AS (
    INSERT INTO trading_dayloss (day, coin_id, coins, cost, charge, counted_at)
    SELECT %(day)s, id, %(coins)s, %(cost)s, %(charge)s, %(now)s FROM trading_coin WHERE name = %(asset)s
    ON CONFLICT ON CONSTRAINT one_loss_per_day_and_coin DO UPDATE
       SET coins = trading_dayloss.coins + excluded.coins, cost = trading_dayloss.cost + excluded.cost,
           charge = trading_dayloss.charge + excluded.charge, counted_at = excluded.counted_at
    RETURNING coin_id, cost - charge AS loss
)
SELECT coin_id, loss,
       loss + coalesce((SELECT sum(other.cost - other.charge) FROM trading_dayloss other
                         WHERE other.day = %(day)s AND other.coin_id <> counted.coin_id), 0)
  FROM counted
