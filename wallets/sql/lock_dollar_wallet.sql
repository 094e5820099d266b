-- Locks a customer's dollar wallet, as select_for_update(no_key=True, of=("self",)) does. The ORM took a sixth of the
-- processor time of placing an order to build that query. NO KEY UPDATE, because FOR UPDATE would block inserts that
-- refer to the wallet.
--
-- The rows that can revoke the caller's token are locked too, after the wallet: Postgres reads a row again after a wait
-- only if the statement locks it. FOR SHARE, so that a revocation waits for the money to have moved; it never waits for
-- callers who still wait for the wallet. Inserts lock the customer's row anyway, for their foreign keys.
--
-- The part says whether the statement waits for rows that others have locked, or passes over them.
-- `patience`, in milliseconds, is set by the condition, so before the lock. The time is read outside the subqueries, and
-- last, so after all locks were waited for.
WITH locked AS MATERIALIZED (
    SELECT wallet.id, wallet.owner_id, wallet.balance, wallet.frozen, customer.is_active, customer.token_version
      FROM wallets_wallet wallet JOIN wallets_user customer ON customer.id = wallet.owner_id
     WHERE (%(patience)s::text IS NULL OR set_config('lock_timeout', %(patience)s, true) IS NOT NULL)
       AND wallet.asset = %(asset)s AND wallet.owner_id = coalesce(%(owner)s::bigint, (SELECT id FROM wallets_user WHERE subject = %(subject)s::uuid))
       FOR NO KEY UPDATE OF wallet {part} FOR SHARE OF customer {part}
), family AS MATERIALIZED (
    SELECT ended_at IS NULL AS is_open FROM wallets_tokenfamily
     WHERE id = %(family)s AND user_id = (SELECT owner_id FROM locked)
       FOR SHARE {part}
)
SELECT locked.*, (SELECT is_open FROM family), clock_timestamp() FROM locked
