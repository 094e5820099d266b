-- Locks customers' dollar wallets in the order of their primary keys, as select_for_update(no_key=True, of=("self",)) does.
-- The ORM took a sixth of the processor time of placing an order to build that query. NO KEY UPDATE, because FOR UPDATE
-- would block inserts that refer to the wallet.
--
-- The rows that can revoke a caller's token are locked too, after all wallets: Postgres reads a row again after a wait
-- only if the statement locks it. FOR SHARE, so that a revocation waits for the money to have moved; it never waits for
-- callers who still wait for a wallet. Inserts lock the customers' rows anyway, for their foreign keys.
--
-- `patience`, in milliseconds, is set before anything is locked, because the wallets are those of `asked`. The time is
-- read when all rows are counted, so after all locks were waited for.
WITH asked AS MATERIALIZED (
    SELECT number, family,
           coalesce(asked.owner_id, (SELECT id FROM wallets_user WHERE wallets_user.subject = asked.subject)) AS owner_id,
           CASE WHEN %(patience)s::text IS NOT NULL THEN set_config('lock_timeout', %(patience)s, true) END
      FROM json_to_recordset(%(asked)s::json) AS asked (number int, owner_id bigint, subject uuid, family uuid)
), wallets AS MATERIALIZED (
    SELECT id, owner_id, balance, frozen FROM wallets_wallet
     WHERE asset = %(asset)s AND owner_id = ANY (ARRAY(SELECT owner_id FROM asked))
     ORDER BY id
       FOR NO KEY UPDATE
), customers AS MATERIALIZED (
    SELECT id, is_active, token_version FROM wallets_user
     WHERE id = ANY (ARRAY(SELECT owner_id FROM wallets))
     ORDER BY id
       FOR SHARE
), families AS MATERIALIZED (
    SELECT id, user_id, ended_at IS NULL AS is_open FROM wallets_tokenfamily
     WHERE id = ANY (ARRAY(SELECT family FROM asked)) AND user_id = ANY (ARRAY(SELECT id FROM customers))
     ORDER BY id
       FOR SHARE
), moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
      FROM (SELECT count(*) FROM customers) all_customers, (SELECT count(*) FROM families) all_families
)
SELECT asked.number, wallets.*, customers.is_active, customers.token_version, families.is_open, moment.now
  FROM asked
  JOIN wallets ON wallets.owner_id = asked.owner_id
  JOIN customers ON customers.id = asked.owner_id
  LEFT JOIN families ON families.id = asked.family AND families.user_id = asked.owner_id,
       moment
