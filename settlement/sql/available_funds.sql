-- What a venue's account can still pay: what was free when it was read, less what open attempts there have set aside,
-- less what attempts have spent that ended since. An attempt that the venue had filled before it was read, and that was
-- booked afterwards, is subtracted once too often, until the next reading. No row: there is no reading that is new enough.
SELECT account.free
     - coalesce((SELECT sum(budget) FROM settlement_attempt
                  WHERE state IN ('new', 'sent') AND venue IN (account.venue, '')), 0)
     - coalesce((SELECT sum(CASE WHEN state = 'filled' THEN cost ELSE budget END) FROM settlement_attempt
                  WHERE state IN ('filled', 'parked') AND ended_at > account.read_at AND signed_at IS NOT NULL
                    AND venue IN (account.venue, '')), 0)
  FROM settlement_venueaccount account
 WHERE venue = %(venue)s AND asset = %(asset)s AND read_at > %(since)s
