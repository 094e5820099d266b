-- Writes an entry of the security log, unless its network has caused %(most)s entries of its kind in the last minute.
-- `most` is null for kinds that are always recorded. The last entry that fits says that others may be missing.
WITH recent AS (
    SELECT count(*) AS entries
      FROM (SELECT 1 FROM wallets_securityevent
             WHERE network = %(network)s AND network <> '' AND kind = %(kind)s AND at > now() - interval '1 minute'
             LIMIT coalesce(%(most)s::int, 0)) entry
)
INSERT INTO wallets_securityevent (kind, realm, user_id, actor_id, name_hash, address, network, details)
SELECT %(kind)s, %(realm)s, %(user)s, %(actor)s, %(name_hash)s, %(address)s, %(network)s,
       CASE WHEN recent.entries + 1 = %(most)s::int
            THEN %(details)s::jsonb || '{"others_may_be_missing": true}' ELSE %(details)s::jsonb END
  FROM recent
 WHERE %(most)s::int IS NULL OR recent.entries < %(most)s::int
RETURNING id
