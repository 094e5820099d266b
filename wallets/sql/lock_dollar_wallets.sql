-- Locks customers' dollar wallets as lock_dollar_wallet.sql locks one: first the wallets, in the order of their primary
-- keys, then the rows that can revoke the callers' tokens, in theirs.
--
-- The part says whether the statement waits for rows that others have locked, or passes over them.
-- `patience`, in milliseconds, is set before anything is locked, because the wallets are those of `asked`. The time is
-- read when all rows are counted, so after all locks were waited for.
WITH asked AS MATERIALIZED (
    SELECT number, family,
           coalesce(asked.owner, (SELECT id FROM wallets_user WHERE wallets_user.subject = asked.subject)) AS owner_id,
           CASE WHEN %(patience)s::text IS NOT NULL THEN set_config('lock_timeout', %(patience)s, true) END
      FROM json_to_recordset(%(asked)s::json) AS asked (number int, owner bigint, subject uuid, family uuid)
), wallets AS MATERIALIZED (
    SELECT id, owner_id, balance, frozen FROM wallets_wallet
     WHERE asset = %(asset)s AND owner_id = ANY (ARRAY(SELECT owner_id FROM asked))
     ORDER BY id
       FOR NO KEY UPDATE {part}
), customers AS MATERIALIZED (
    SELECT id, is_active, token_version FROM wallets_user
     WHERE id = ANY (ARRAY(SELECT owner_id FROM wallets))
     ORDER BY id
       FOR SHARE {part}
), families AS MATERIALIZED (
    SELECT id, user_id, ended_at IS NULL AS is_open FROM wallets_tokenfamily
     WHERE id = ANY (ARRAY(SELECT family FROM asked)) AND user_id = ANY (ARRAY(SELECT id FROM customers))
     ORDER BY id
       FOR SHARE {part}
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
