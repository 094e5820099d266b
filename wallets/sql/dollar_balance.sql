-- The balance of the caller's dollar wallet, and whether the account is active. Customers ask for it more than for
-- anything else, and three quarters of its time would go to the ORM.
SELECT wallet.balance
  FROM wallets_user customer LEFT JOIN wallets_wallet wallet ON wallet.owner_id = customer.id AND wallet.asset = %(asset)s
 WHERE customer.id = %(customer)s AND customer.token_version = %(token_version)s AND customer.is_active
