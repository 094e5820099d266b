-- Books what a purchase cost and brought, as move_between_house_wallets does, and opens the venue's wallets if they are
-- missing. One statement. Of two purchases at once that open one wallet, the second finds none, and is booked again.
WITH moved AS (
    SELECT * FROM unnest(%(assets)s::text[], %(amounts)s::numeric[], %(sources)s::text[], %(destinations)s::text[],
                         %(kinds)s::text[], %(references)s::text[])
        AS m (asset, amount, source, destination, kind, reference)
), side AS (
    SELECT asset, source AS role FROM moved UNION SELECT asset, destination FROM moved
), found AS (
    SELECT w.id, w.asset, w.role
      FROM side JOIN wallets_wallet w
        ON w.role = side.role AND w.asset = side.asset AND w.owner_id IS NULL
       AND w.venue = CASE side.role WHEN 'venue' THEN %(venue)s ELSE '' END
), opened AS (
    INSERT INTO wallets_wallet (asset, role, venue, frozen, created_at)
    SELECT asset, role, %(venue)s, false, %(now)s FROM side
     WHERE role = 'venue' AND NOT EXISTS (SELECT FROM found WHERE found.asset = side.asset AND found.role = 'venue')
        ON CONFLICT DO NOTHING
    RETURNING id, asset, role
), wallet AS (
    SELECT * FROM found UNION ALL SELECT * FROM opened
)
INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, created_at)
SELECT m.asset, m.amount, source.id, destination.id, m.kind, m.reference, %(now)s
  FROM moved m
  JOIN wallet source ON source.role = m.source AND source.asset = m.asset
  JOIN wallet destination ON destination.role = m.destination AND destination.asset = m.asset
