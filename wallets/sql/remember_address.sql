-- Notes that an account has signed in at an address, unless its tokens were revoked since `version` was read.
-- FOR SHARE waits for a change of the password that is under way, and then reads the row again; a later change waits for
-- this transaction, and deletes what it noted.
WITH account AS MATERIALIZED (
    SELECT id FROM wallets_user WHERE id = %(user)s AND token_version = %(version)s FOR SHARE
)
INSERT INTO wallets_knownaddress (user_id, address, seen_at)
SELECT id, %(address)s, %(now)s FROM account
    ON CONFLICT ON CONSTRAINT one_row_per_user_and_address DO UPDATE SET seen_at = excluded.seen_at
