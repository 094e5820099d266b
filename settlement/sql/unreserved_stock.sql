-- The coins in inventory less what the coin's unsettled batches have reserved, except for the batch `without`.
SELECT coalesce(inventory.balance, 0)
     - coalesce((SELECT sum(reserved) FROM settlement_batch
                  WHERE coin_id = %(coin)s AND state IN ('open', 'parked') AND id IS DISTINCT FROM %(without)s::bigint), 0)
  FROM wallets_wallet inventory
 WHERE inventory.role = 'inventory' AND inventory.asset = %(asset)s AND inventory.owner_id IS NULL
