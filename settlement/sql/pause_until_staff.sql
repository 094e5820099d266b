-- Pauses buying of a coin until staff lift the pause. A pause that staff set does not change. `set_by_id` stays null:
-- the venue's answer is the reason.
INSERT INTO settlement_pause (coin_id, until, reason, times, set_at, is_of_calls)
VALUES (%(coin_id)s, NULL, %(reason)s, 1, %(now)s, false)
ON CONFLICT ON CONSTRAINT one_pause_per_coin_and_one_for_the_venue DO UPDATE
   SET until = NULL, reason = excluded.reason, times = settlement_pause.times + 1, set_at = excluded.set_at,
       is_of_calls = false
 WHERE settlement_pause.set_by_id IS NULL
