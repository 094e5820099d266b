-- Names where the database is: the server's identity, its timeline, the start of its processes, the database in it, and
-- the transaction that wrote the installation's row. A restored base backup, a promoted standby and a disk's snapshot
-- run in new processes; a dump writes the row anew. Is used as a part of other statements too.
SELECT concat_ws('/',
           (SELECT system_identifier FROM pg_control_system()),
           left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
           extract(epoch FROM pg_postmaster_start_time()),
           (SELECT oid FROM pg_database WHERE datname = current_database()),
           (SELECT xmin FROM settlement_installation))
