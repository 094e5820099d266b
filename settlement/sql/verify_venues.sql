-- Finds fills that are booked to the wallets of another venue than their attempt's. The first venue's wallets have no name.
-- Movements of before the venues had rows are not judged: all venues had the same wallets then.
WITH first AS (
    SELECT name FROM settlement_venueentry ORDER BY id LIMIT 1
), booked AS (
    SELECT t.reference, coalesce(nullif(w.venue, ''), (SELECT name FROM first)) AS venue
      FROM wallets_transaction t
      JOIN wallets_wallet w ON w.id = CASE t.kind WHEN 'fill' THEN t.source_id ELSE t.destination_id END
     WHERE t.kind IN ('fill', 'fill_cost') AND t.created_at >= (SELECT min(added_at) FROM settlement_venueentry)
)
SELECT booked.reference, a.venue, booked.venue
  FROM booked
  JOIN settlement_attempt a ON a.client_order_id = split_part(booked.reference, ':', 2)
 WHERE a.venue <> '' AND a.venue <> booked.venue
   AND split_part(booked.reference, ':', 1) IN ('attempt', 'excess')
