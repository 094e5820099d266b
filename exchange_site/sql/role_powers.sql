-- The powers of this connection's role that web and worker must not have, by membership too; and its timeouts. A role
-- that is a member of another may take on its rights, whether it inherits them or not. No model describes the catalogue.
WITH mine AS (
    SELECT * FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')
), tables AS (
    SELECT oid, relname, relowner FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
)
SELECT current_user::text, current_database()::text,
       array_remove(ARRAY[
           CASE WHEN EXISTS (SELECT FROM mine WHERE rolsuper) THEN 'is a superuser' END,
           CASE WHEN EXISTS (SELECT FROM mine WHERE rolcreaterole) THEN 'may create roles' END,
           CASE WHEN EXISTS (SELECT FROM mine WHERE rolcreatedb) THEN 'may create databases' END,
           CASE WHEN EXISTS (SELECT FROM mine WHERE rolreplication) THEN 'may replicate' END,
           CASE WHEN EXISTS (SELECT FROM mine WHERE rolbypassrls) THEN 'bypasses row security' END,
           (SELECT 'is a member of ' || min(rolname) FROM mine
             WHERE starts_with(rolname, 'pg_') AND rolname <> ALL (%(harmless)s)),
           CASE WHEN EXISTS (SELECT FROM tables JOIN mine ON mine.oid = relowner)
                  OR EXISTS (SELECT FROM pg_database JOIN mine ON mine.oid = datdba WHERE datname = current_database())
                  OR EXISTS (SELECT FROM pg_namespace JOIN mine ON mine.oid = nspowner WHERE nspname = current_schema())
                THEN 'owns tables, their schema or the database' END,
           CASE WHEN EXISTS (SELECT FROM tables WHERE has_table_privilege(oid, 'TRUNCATE, TRIGGER'))
                THEN 'may empty tables or add triggers' END,
           CASE WHEN EXISTS (SELECT FROM tables WHERE relname = ANY (%(append_only)s)
                                AND (has_table_privilege(oid, 'DELETE') OR has_any_column_privilege(oid, 'UPDATE')))
                THEN 'may change append-only tables' END,
           CASE WHEN has_schema_privilege(current_schema(), 'CREATE') OR has_database_privilege(current_database(), 'CREATE')
                THEN 'may create tables or schemas' END,
           CASE WHEN has_parameter_privilege('session_replication_role', 'SET') THEN 'may switch triggers off' END,
           CASE WHEN current_setting('session_replication_role') <> 'origin' THEN 'has its triggers switched off' END
       ], NULL),
       ARRAY(SELECT ARRAY[name, setting] FROM pg_settings WHERE name = ANY (%(timeouts)s))
