-- Doubles the wait with each successive answer that gives a reason to pause, and never shortens one that lasts. Staff's
-- own pause, and a ban beside a pause after trouble, are other rows: `kind` is computed from set_by_id and is_of_calls.
-- The column `is_of_calls` stores Pause.stops_all_calls.
INSERT INTO settlement_pause (venue, coin_id, until, reason, times, set_at, is_of_calls)
VALUES (%(venue)s, %(coin_id)s, %(now)s + make_interval(secs => %(least)s), %(reason)s, 1, %(now)s, %(stops_all_calls)s)
ON CONFLICT ON CONSTRAINT one_pause_per_coin_and_one_for_the_venue DO UPDATE
   SET until = greatest(settlement_pause.until, %(now)s + make_interval(
           secs => greatest(%(least)s, least(power(2, least(settlement_pause.times, 20)), %(most)s)))),
       reason = excluded.reason, times = settlement_pause.times + 1, set_at = excluded.set_at
RETURNING until
