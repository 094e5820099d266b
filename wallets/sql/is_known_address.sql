-- Says whether an account has signed in at an address lately. A flood of sign-ins asks this for each attempt that finds
-- no free hashing slot, and the ORM would take most of such an attempt's time.
SELECT 1
  FROM wallets_knownaddress known JOIN wallets_user account ON account.id = known.user_id
 WHERE account.username = %(username)s AND known.address = %(address)s AND known.seen_at > %(since)s
