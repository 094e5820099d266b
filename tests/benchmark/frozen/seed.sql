-- FROZEN, as schema.sql is: one coin, the house's wallets, and 300 customers with more money than any run can spend.
-- Customers are 10001 to 10300, their dollar wallets 100001 to 100300.

INSERT INTO public.trading_coin (id, name, title, is_sold, minimum, maximum, step, fixed_price, pool_policy)
VALUES (1, 'ABAN', 'Abantether', true, 0.00000001, 1000000, 0.00000001, 4, 'buy');

INSERT INTO public.wallets_wallet (id, asset, role, balance, frozen, created_at, owner_id)
VALUES
    (1, 'USD', 'funding', NULL, false, now(), NULL),
    (2, 'USD', 'clearing', NULL, false, now(), NULL),
    (3, 'USD', 'venue', NULL, false, now(), NULL),
    (4, 'USD', 'fees', NULL, false, now(), NULL),
    (5, 'USD', 'trading_result', NULL, false, now(), NULL),
    (6, 'ABAN', 'venue', NULL, false, now(), NULL),
    (7, 'ABAN', 'inventory', 0, false, now(), NULL);

INSERT INTO public.wallets_user
    (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined, token_version)
SELECT 10000 + n, '!', false, 'customer' || n, '', '', '', false, true, now(), 0
FROM generate_series(1, 300) n;

INSERT INTO public.wallets_wallet (id, asset, role, balance, frozen, created_at, owner_id)
SELECT 100000 + n, 'USD', 'customer', 100000000, false, now(), 10000 + n
FROM generate_series(1, 300) n;

INSERT INTO public.wallets_transaction
    (asset, amount, kind, reference, balance_after, created_at, customer_id, destination_id, source_id)
SELECT 'USD', 100000000, 'deposit', 'opening:' || 10000 + n, 100000000, now(), 10000 + n, 100000 + n, 1
FROM generate_series(1, 300) n;
