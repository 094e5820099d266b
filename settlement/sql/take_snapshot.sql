-- All statements of this database transaction read one state of the database.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
-- Summing up the whole ledger may take longer than the statement timeout of requests allows.
SET LOCAL statement_timeout = '10min'
