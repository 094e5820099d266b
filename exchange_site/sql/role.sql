-- A role: its attributes, its settings in this database, its memberships, and whether it owns anything of this database.
-- No model describes Postgres' catalogue.
SELECT rolsuper, rolcanlogin, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
       (SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
         WHERE setrole = pg_roles.oid AND datname = current_database()),
       ARRAY(SELECT ARRAY[pg_get_userbyid(roleid)::text, pg_get_userbyid(grantor)::text]
               FROM pg_auth_members WHERE member = pg_roles.oid),
       EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND datdba = pg_roles.oid)
       OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid)
  FROM pg_roles
 WHERE rolname = %(role)s
