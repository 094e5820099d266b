-- Lists the venues in use, the first to buy at first, each with the pauses that concern a coin there. A venue without
-- pauses has one row, with nulls. One statement, because each claim and each purchase asks. The pause's columns are in
-- the order of the model's fields.
SELECT v.name, v.priority,
       p.id, p.venue, p.coin_id, p.kind, p.until, p.reason, p.times, p.is_of_calls, p.set_by_id, p.set_at
  FROM settlement_venueentry v
  LEFT JOIN settlement_pause p ON p.venue IN (v.name, '') AND (p.coin_id IS NULL OR p.coin_id = %(coin_id)s)
 WHERE v.state = 'in_use'
 ORDER BY v.priority, v.name, p.id
