-- One order that somebody asks for, as order_contexts.sql reads it.
(SELECT %(number)s::int AS number, %(customer_id)s::bigint AS customer_id, %(counted_id)s::bigint AS counted_id,
        %(coin)s::text AS coin, %(key)s::text AS key, %(quote)s::uuid AS quote) AS asked
