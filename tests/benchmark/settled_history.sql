-- New customers with a past: each has bought 3 coins at 4.00 `rounds` times, and each round was one purchase.
-- The rows are the ones that the services would have written, in the same order, so that the ledger balances. The venue's
-- ids for the purchases are none that the simulator gives: an answer with an id of another purchase is not believed.
CREATE TEMP TABLE past_customer ON COMMIT DROP AS
SELECT n, nextval(pg_get_serial_sequence('wallets_user', 'id')) AS id,
       nextval(pg_get_serial_sequence('wallets_wallet', 'id')) AS dollars,
       nextval(pg_get_serial_sequence('wallets_wallet', 'id')) AS coins
  FROM generate_series(1, %(customers)s) n;

CREATE TEMP TABLE past_round ON COMMIT DROP AS
SELECT n, nextval(pg_get_serial_sequence('settlement_batch', 'id')) AS batch,
       'ce' || replace(gen_random_uuid()::text, '-', '') AS client_order_id,
       %(begun)s::timestamptz + n * interval '300 days' / %(rounds)s AS at
  FROM generate_series(1, %(rounds)s) n;

CREATE TEMP TABLE past_order ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('trading_order', 'id')) AS id, ordered.*
  FROM (SELECT customer.id AS customer, customer.dollars, customer.coins, past_round.n AS round, past_round.batch,
               past_round.at AS settled_at, past_round.at - (1 + %(customers)s - customer.n) * interval '1 second' AS at
          FROM past_round CROSS JOIN past_customer customer ORDER BY past_round.n, customer.n) ordered;

CREATE TEMP TABLE house ON COMMIT DROP AS
SELECT role, asset, id FROM wallets_wallet WHERE owner_id IS NULL AND asset IN ('USD', %(coin)s);

INSERT INTO wallets_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                          date_joined, token_version, username_key, username_skeleton)
SELECT id, '!', false, 'past' || id, '', '', '', false, true, %(begun)s, 0, 'past' || id, 'past' || id
  FROM past_customer;

INSERT INTO wallets_wallet (id, owner_id, asset, role, balance, frozen, created_at)
SELECT dollars, id, 'USD', 'customer', 12.00, false, %(begun)s FROM past_customer
 UNION ALL
SELECT coins, id, %(coin)s, 'customer', 3 * %(rounds)s, false, %(begun)s FROM past_customer;

INSERT INTO settlement_batch (id, coin_id, state, orders_count, needed, charged, reserved, reason, created_at, closed_at)
SELECT batch, %(coin_id)s, 'settled', %(customers)s, 3 * %(customers)s, 12 * %(customers)s, 0, '', at, at
  FROM past_round ORDER BY n;

INSERT INTO settlement_attempt (batch_id, coin_id, number, client_order_id, state, quantity, limit_price, signed_at,
                                valid_until, clock_offset, venue_order_id, executed, cost, commission, lookups,
                                not_found, next_step_at, reason, excused, created_at, ended_at)
SELECT batch, %(coin_id)s, 1, client_order_id, 'filled', 3.003 * %(customers)s, 4.20, at, at + interval '5 seconds',
       interval '0', 'past-' || batch, 3.003 * %(customers)s, 12.012 * %(customers)s, 0.003 * %(customers)s, 0,
       0, at, '', false, at, at
  FROM past_round ORDER BY n;

INSERT INTO trading_order (id, customer_id, coin_id, amount, price, price_source, price_at, total_price, state,
                           is_aggregated, batch_id, idempotency_key, request_hash, created_at, settling_at, completed_at)
SELECT id, customer, %(coin_id)s, 3, 4.00, 'seed', at, 12.00, 'completed',
       false, batch, 'past-' || round, md5(id::text) || md5(round::text), at, settled_at, settled_at
  FROM past_order ORDER BY id;

INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id,
                                 balance_after, created_at)
SELECT leg.asset, leg.amount, leg.source, leg.destination, leg.kind, leg.reference, leg.order_id, leg.customer,
       leg.balance_after, leg.at
  FROM (SELECT 0 AS round, 0 AS step, customer.n, 'USD' AS asset, 12.00 * (%(rounds)s + 1) AS amount,
               funding.id AS source, customer.dollars AS destination, 'deposit' AS kind,
               'opening:' || customer.id AS reference, NULL::bigint AS order_id, customer.id AS customer,
               12.00 * (%(rounds)s + 1) AS balance_after, %(begun)s::timestamptz AS at
          FROM past_customer customer JOIN house funding ON funding.role = 'funding'
         UNION ALL
        SELECT round, 1, past_order.id, 'USD', 12.00, dollars, clearing.id, 'purchase',
               'order:' || past_order.id || ':charge', past_order.id, customer,
               12.00 * (%(rounds)s + 1 - round), at
          FROM past_order JOIN house clearing ON clearing.role = 'clearing'
         UNION ALL
        SELECT n, 2, 0, 'USD', 12.012 * %(customers)s, result.id, venue.id, 'fill_cost',
               'attempt:' || client_order_id || ':cost', NULL, NULL, NULL, at
          FROM past_round
          JOIN house result ON result.role = 'trading_result'
          JOIN house venue ON venue.role = 'venue' AND venue.asset = 'USD'
         UNION ALL
        SELECT n, 3, 0, %(coin)s, 3 * %(customers)s, venue.id, inventory.id, 'fill',
               'attempt:' || client_order_id || ':fill', NULL, NULL, NULL, at
          FROM past_round
          JOIN house venue ON venue.role = 'venue' AND venue.asset = %(coin)s
          JOIN house inventory ON inventory.role = 'inventory'
         UNION ALL
        SELECT round, 4, past_order.id, %(coin)s, 3, inventory.id, coins, 'delivery',
               'order:' || past_order.id || ':outcome', past_order.id, customer, 3 * round, settled_at
          FROM past_order JOIN house inventory ON inventory.role = 'inventory'
         UNION ALL
        SELECT n, 5, 0, 'USD', 12.00 * %(customers)s, clearing.id, result.id, 'revenue',
               'attempt:' || client_order_id || ':revenue', NULL, NULL, NULL, at
          FROM past_round
          JOIN house clearing ON clearing.role = 'clearing'
          JOIN house result ON result.role = 'trading_result') leg
 ORDER BY leg.round, leg.step, leg.n;
