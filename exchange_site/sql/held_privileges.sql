-- The privileges of a role, or those of PUBLIC without a role, in this database, in the words of GRANT. No model
-- describes Postgres' catalogue. PUBLIC keeps its privileges on functions: all of ours run with the rights of
-- the caller, but for wallets_take_wallet_of_staff, which its migration takes from PUBLIC.
WITH grantee AS (
    SELECT coalesce((SELECT oid FROM pg_roles WHERE rolname = %(role)s), 0) AS id
), ours AS (
    SELECT oid, relname, relkind, relowner, relacl
      FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
), held AS (
    SELECT format('DATABASE %%I', datname) AS object, granted.privilege_type AS privilege, granted.grantee
      FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) granted
     WHERE datname = current_database()
    UNION ALL
    SELECT format('SCHEMA %%I', nspname), granted.privilege_type, granted.grantee
      FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) granted
     WHERE nspname = current_schema()
    UNION ALL
    SELECT format('%%s %%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname),
           granted.privilege_type, granted.grantee
      FROM ours, aclexplode(relacl) granted
    UNION ALL
    SELECT format('TABLE %%I', relname), format('%%s (%%I)', granted.privilege_type, attname), granted.grantee
      FROM ours JOIN pg_attribute ON attrelid = ours.oid AND NOT attisdropped, aclexplode(attacl) granted
    UNION ALL
    SELECT format('ROUTINE %%s', pg_proc.oid::regprocedure), granted.privilege_type, granted.grantee
      FROM pg_proc, aclexplode(proacl) granted
     WHERE pronamespace = current_schema()::regnamespace AND granted.grantee <> 0
    UNION ALL
    SELECT format('PARAMETER %%I', parname), granted.privilege_type, granted.grantee
      FROM pg_parameter_acl, aclexplode(paracl) granted
)
SELECT object, privilege FROM held JOIN grantee ON held.grantee = grantee.id
