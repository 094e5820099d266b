-- Orders that somebody asks for, as order_contexts.sql reads them.
json_to_recordset(%(asked)s::json) AS asked
       (number int, customer_id bigint, counted_id bigint, unsettled_of bigint, coin text, is_read boolean, key text,
        quote uuid)
