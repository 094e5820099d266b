-- Lists the sequences of this database that the role may use, and whether it may set them. Left out are sequences of a
-- type that has not much room.
WITH sequence AS MATERIALIZED (
    SELECT seqrelid AS id, seqmax FROM pg_sequence WHERE NOT seqcycle
)
SELECT id::regclass::text, has_sequence_privilege(id, 'UPDATE')
  FROM sequence
 WHERE has_sequence_privilege(id, 'USAGE') AND seqmax - coalesce(pg_sequence_last_value(id), 0) > 100 * 1000000
 ORDER BY 1
