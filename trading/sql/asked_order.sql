-- One order that somebody asks for, as order_contexts.sql reads it.
(SELECT %(number)s::int AS number, %(customer_id)s::bigint AS customer_id, %(counted_id)s::bigint AS counted_id,
        %(unsettled_of)s::bigint AS unsettled_of, %(coin)s::text AS coin, %(is_read)s::boolean AS is_read,
        %(key)s::text AS key, %(quote)s::uuid AS quote) AS asked
