-- Reads the balance of the caller's dollar wallet, the customer's id and subject, the dollars of deposits that a bank may
-- still take back, those of payouts that are not sent, and those of open orders. Returns no row for a disabled account or
-- a revoked token.
-- Customers read their balance more often than anything else, and the ORM would take three quarters of the time.
SELECT wallet.balance, customer.id, customer.subject,
       (SELECT coalesce(sum(amount - returned), 0) FROM wallets_deposit
         WHERE customer_id = customer.id AND state = 'credited' AND created_at > now() - %(hold)s::interval
           AND source <> ALL (%(no_bank)s)),
       (SELECT coalesce(sum(amount), 0) FROM wallets_payout
         WHERE customer_id = customer.id AND state IN ('requested', 'approved')),
       ({part})
  FROM wallets_user customer LEFT JOIN wallets_wallet wallet ON wallet.owner_id = customer.id AND wallet.asset = %(asset)s
 WHERE customer.id = coalesce(%(customer)s::bigint, (SELECT id FROM wallets_user WHERE subject = %(subject)s::uuid))
   AND customer.token_version = %(token_version)s AND customer.is_active
   AND (%(family)s::uuid IS NULL
        OR EXISTS (SELECT FROM wallets_tokenfamily
                    WHERE id = %(family)s AND user_id = customer.id AND ended_at IS NULL))
