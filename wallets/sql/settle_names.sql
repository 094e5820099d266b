-- Stores keys and skeletons of usernames, unless a user was renamed since the name was read. One statement for many users:
-- the ORM's bulk_update takes several times as long.
UPDATE wallets_user
   SET username_key = computed.key, username_skeleton = computed.skeleton
  FROM unnest(%(ids)s::bigint[], %(names)s::text[], %(keys)s::text[], %(skeletons)s::text[])
       AS computed (id, name, key, skeleton)
 WHERE wallets_user.id = computed.id AND wallets_user.username = computed.name
