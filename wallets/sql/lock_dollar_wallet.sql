-- Locks a customer's dollar wallet, as select_for_update(no_key=True, of=("self",)) does. The ORM took a sixth of the
-- processor time of placing an order to build that query. NO KEY UPDATE, because FOR UPDATE would block inserts that
-- refer to the wallet.
--
-- The time is read outside the subquery, and so after the lock was waited for: inside, Postgres would read it before.
SELECT locked.*, clock_timestamp() FROM (
    SELECT wallet.id, wallet.balance, wallet.frozen, customer.is_active, customer.token_version
      FROM wallets_wallet wallet JOIN wallets_user customer ON customer.id = wallet.owner_id
     WHERE wallet.asset = %(asset)s AND wallet.owner_id = %(owner)s
       FOR NO KEY UPDATE OF wallet
) locked
