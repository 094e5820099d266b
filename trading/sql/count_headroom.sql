-- Sums up what is sold and not settled, of each coin and in all, and writes with the limits of staff what may still be
-- sold. Held orders do not count. `payable` are the subtotals that the account at the venue can pay (NULL: unknown).
-- Partial indexes leave closed orders out. An older count does not replace a newer one: its rows are not returned.
WITH used AS (
    SELECT coin_id, sum(subtotal) AS used FROM (
        SELECT coin_id, total_price - fee AS subtotal FROM trading_order WHERE state IN ('pending', 'aggregated')
         UNION ALL
        SELECT coin_id, total_price - fee FROM trading_order WHERE state = 'settling') unsettled
     GROUP BY coin_id
), latest AS (
    SELECT DISTINCT ON (coin_id) coin_id, most FROM trading_saleslimit ORDER BY coin_id, id DESC
), overall AS (
    SELECT sums.used, limits.most, least(limits.most, %(payable)s::numeric) - sums.used AS room
      FROM (SELECT coalesce(sum(used), 0) AS used FROM used) sums
      LEFT JOIN latest limits ON limits.coin_id IS NULL
), counted AS (
    SELECT NULL::bigint AS coin_id, used, most, room, room AS own_room,
           coalesce(most, (SELECT greatest(before.whole, %(payable)s::numeric) FROM trading_headroom before
                            WHERE before.coin_id IS NULL AND before.counted_at >= %(day)s AND before.most IS NULL
                              AND %(payable)s::numeric IS NOT NULL),
                    %(payable)s::numeric) AS whole
      FROM overall
     UNION ALL
    SELECT coin.id, coalesce(used.used, 0), limits.most,
           least(limits.most - coalesce(used.used, 0), overall.room), limits.most - coalesce(used.used, 0), limits.most
      FROM trading_coin coin
     CROSS JOIN overall
      LEFT JOIN used ON used.coin_id = coin.id
      LEFT JOIN latest limits ON limits.coin_id = coin.id
     WHERE coin.is_sold OR used.used > 0
)
INSERT INTO trading_headroom (coin_id, most, used, room, whole, near_since, stopped_since, counted_at)
SELECT counted.coin_id, counted.most, counted.used, CASE WHEN counted.room < 0 THEN 0 ELSE counted.room END, counted.whole,
       CASE WHEN counted.own_room <= counted.whole * %(near)s OR counted.own_room <= 0 THEN coalesce(before.near_since, %(now)s) END,
       CASE WHEN counted.own_room <= 0 THEN coalesce(before.stopped_since, %(now)s) END,
       %(now)s
  FROM counted LEFT JOIN trading_headroom before ON before.coin_id IS NOT DISTINCT FROM counted.coin_id
    ON CONFLICT ON CONSTRAINT one_headroom_per_coin_and_one_for_all DO UPDATE
   SET most = excluded.most, used = excluded.used, room = excluded.room, whole = excluded.whole,
       near_since = excluded.near_since, stopped_since = excluded.stopped_since, counted_at = excluded.counted_at
 WHERE trading_headroom.counted_at < excluded.counted_at
    OR trading_headroom.counted_at > excluded.counted_at + interval '1 minute'  -- Postgres' clock was set back
RETURNING coin_id, most, used, room, whole, near_since, stopped_since
