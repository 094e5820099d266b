-- The subject of a movement, as given.
subject AS (SELECT %(order)s::bigint AS order_id, %(reference)s::text AS reference)
