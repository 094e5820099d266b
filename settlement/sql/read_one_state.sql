-- All statements of this database transaction read one state of the database. It may write.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
