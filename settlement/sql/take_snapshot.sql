-- The whole transaction reads one state of the database.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
-- A sum over the whole ledger may take longer than a request may.
SET LOCAL statement_timeout = '10min'
