-- This database and its schema, its tables with their columns, their sequences, and the functions whose names begin with
-- a prefix; in the words of GRANT. No model describes Postgres' catalogue.
SELECT 'ENTRANCE', format('DATABASE %%I', current_database()), ARRAY['CONNECT']
UNION ALL
SELECT 'ENTRANCE', format('SCHEMA %%I', current_schema()), ARRAY['USAGE']
UNION ALL
SELECT 'TABLE', relname::text, array_agg(attname::text)
  FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
 WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
 GROUP BY relname
UNION ALL
SELECT 'SEQUENCE', owning.relname::text, array_agg(format('SEQUENCE %%I', sequence.relname))
  FROM pg_class sequence
  JOIN pg_depend ON pg_depend.classid = 'pg_class'::regclass AND objid = sequence.oid AND deptype IN ('a', 'i')
  JOIN pg_class owning ON owning.oid = refobjid
 WHERE sequence.relnamespace = current_schema()::regnamespace AND sequence.relkind = 'S'
 GROUP BY owning.relname
UNION ALL
SELECT 'ROUTINE', format('ROUTINE %%s', oid::regprocedure), ARRAY['EXECUTE']
  FROM pg_proc
 WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, %(routines)s)
