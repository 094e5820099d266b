-- Stops sales of a coin (null: of every coin) for the rest of a day, and returns the stop's id. Returns no row if they
-- have stopped (then it locks no row), or if staff let them go on until a loss that is not reached yet. In SQL, because the ORM has no
-- condition for the row that a conflict finds.
INSERT INTO trading_salesstop (day, coin_id, loss, ceiling, stopped_at, reason)
SELECT %(day)s, %(coin_id)s, %(loss)s, %(ceiling)s, %(now)s, ''
 WHERE NOT EXISTS (SELECT FROM trading_salesstop WHERE day = %(day)s AND coin_id IS NOT DISTINCT FROM %(coin_id)s::bigint
                      AND stopped_at IS NOT NULL)
ON CONFLICT ON CONSTRAINT one_stop_per_day_and_coin_and_one_for_all DO UPDATE
   SET loss = excluded.loss, stopped_at = excluded.stopped_at
 WHERE trading_salesstop.stopped_at IS NULL AND excluded.loss >= trading_salesstop.ceiling
RETURNING id
