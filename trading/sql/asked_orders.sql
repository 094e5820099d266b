json_to_recordset(%(asked)s::json) AS asked
       (number int, customer_id bigint, counted_id bigint, coin text, key text, quote uuid)
