-- Lets this database transaction wait for a file that is read between its statements.
SELECT set_config('idle_in_transaction_session_timeout', '60s', true)
