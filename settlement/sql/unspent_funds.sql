-- What a venue's account had when it was last read, less what purchases have cost that ended since. No row: it was
-- never read.
SELECT account.free - coalesce((SELECT sum(cost) FROM settlement_attempt
                                 WHERE state = 'filled' AND ended_at > account.read_at AND signed_at IS NOT NULL
                                   AND venue IN (account.venue, '')), 0)
  FROM settlement_venueaccount account
 WHERE venue = %(venue)s AND asset = %(asset)s
