-- Lists the sequences of this database that the role may use, and whether it may set them. Sequences of a type that has
-- no room for many more numbers are left out: they count migrations and the like.
SELECT format('%%I.%%I', namespace.nspname, class.relname), has_sequence_privilege(class.oid, 'UPDATE')
  FROM pg_sequence sequence
  JOIN pg_class class ON class.oid = sequence.seqrelid
  JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT sequence.seqcycle
   AND has_sequence_privilege(class.oid, 'USAGE')
   AND sequence.seqmax - coalesce(pg_sequence_last_value(class.oid), 0) > 100 * 1000000
 ORDER BY 1
