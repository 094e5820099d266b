-- Returns the moment of this statement. now() would return the beginning of the database transaction.
SELECT clock_timestamp()
