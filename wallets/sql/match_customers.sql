-- Finds the customers of payment references: of each reference every customer whose subject begins with its digits, with
-- their name if staff have entered one, and whether they have a dollar wallet of an open account. In SQL, because the ORM
-- has no join with given values; it would need a statement for each reference. Not with a join or EXISTS: Postgres may
-- hash these, and would read all wallets for it.
SELECT given.reference, customer.id, trim(customer.first_name || ' ' || customer.last_name),
       (SELECT wallet.id FROM wallets_wallet wallet
         WHERE wallet.owner_id = customer.id AND wallet.asset = %(asset)s LIMIT 1) IS NOT NULL
         AND (SELECT closed.customer_id FROM wallets_closedaccount closed
               WHERE closed.customer_id = customer.id LIMIT 1) IS NULL
  FROM unnest(%(references)s::text[], %(firsts)s::uuid[], %(lasts)s::uuid[]) AS given (reference, first, last)
  JOIN wallets_user customer ON customer.subject BETWEEN given.first AND given.last
