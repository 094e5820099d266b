-- Begins a sign-in, and notes its address unless that is null. Returns no row, and writes none, if the account's tokens
-- were revoked since `version` was read: the password that was checked may be an old one. See remember_address.
WITH account AS MATERIALIZED (
    SELECT id FROM wallets_user WHERE id = %(user)s AND token_version = %(version)s FOR SHARE
), known AS (
    INSERT INTO wallets_knownaddress (user_id, address, seen_at)
    SELECT id, %(address)s::varchar, %(now)s FROM account WHERE %(address)s::varchar IS NOT NULL
        ON CONFLICT ON CONSTRAINT one_row_per_user_and_address DO UPDATE SET seen_at = excluded.seen_at
)
INSERT INTO wallets_tokenfamily (id, user_id, current_jti, created_at, expires_at, address, device)
SELECT %(family)s, id, %(jti)s, %(now)s, %(expires_at)s, %(exact_address)s, %(device)s FROM account
RETURNING id
