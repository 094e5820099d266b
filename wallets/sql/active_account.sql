-- Returns the id of the account that a token names, unless it is disabled, the token revoked, or its sign-in ended. Before
-- every list and many other calls, so not by the ORM, which takes longer to make the statement than to run it.
SELECT customer.id FROM wallets_user customer
 WHERE customer.id = coalesce(%(customer)s::bigint, (SELECT id FROM wallets_user WHERE subject = %(subject)s::uuid))
   AND customer.token_version = %(token_version)s AND customer.is_active
   AND (%(family)s::uuid IS NULL
        OR EXISTS (SELECT FROM wallets_tokenfamily
                    WHERE id = %(family)s AND user_id = customer.id AND ended_at IS NULL))
