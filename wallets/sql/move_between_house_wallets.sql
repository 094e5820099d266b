-- Books movements between house wallets: one statement, however many there are. In SQL, because the ORM reads the ids of
-- the wallets first, in a statement for each movement.
INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, created_at)
SELECT m.asset, m.amount, source.id, destination.id, m.kind, m.reference, %(now)s
  FROM unnest(%(assets)s::text[], %(amounts)s::numeric[], %(sources)s::text[], %(destinations)s::text[],
              %(kinds)s::text[], %(references)s::text[])
       AS m (asset, amount, source, destination, kind, reference)
  JOIN wallets_wallet source
    ON source.role = m.source AND source.asset = m.asset AND source.owner_id IS NULL
  JOIN wallets_wallet destination
    ON destination.role = m.destination AND destination.asset = m.asset AND destination.owner_id IS NULL
