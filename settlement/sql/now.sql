-- The moment of this statement, also inside a transaction: now() would be the transaction's beginning.
SELECT clock_timestamp()
