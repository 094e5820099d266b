-- Adds a deposit, unless there is one of this source and reference; then it returns no row. It waits for a database
-- transaction that adds the same one. In SQL, because the ORM's bulk_create(ignore_conflicts=True) returns no id.
INSERT INTO wallets_deposit (customer_id, amount, source, reference, reference_hash, state, received_at, created_at, note)
VALUES (%(customer)s, %(amount)s, %(source)s, %(reference)s, %(reference_hash)s, %(state)s, %(received_at)s, %(now)s, %(note)s)
    ON CONFLICT ON CONSTRAINT each_deposit_is_received_once DO NOTHING
RETURNING id
