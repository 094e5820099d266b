-- Pauses buying of a coin at a venue until staff decide. Other kinds of pauses are other rows: `kind` is computed, and `untrue` for a
-- pause that has neither an end nor an author.
INSERT INTO settlement_pause (venue, coin_id, until, reason, times, set_at, is_of_calls)
VALUES (%(venue)s, %(coin_id)s, NULL, %(reason)s, 1, %(now)s, false)
ON CONFLICT ON CONSTRAINT one_pause_per_coin_and_one_for_the_venue DO UPDATE
   SET reason = excluded.reason, times = settlement_pause.times + 1, set_at = excluded.set_at
