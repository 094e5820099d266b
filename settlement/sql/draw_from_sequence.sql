-- Moves a sequence on by drawing numbers from it. As the application's role, which may not set it.
SELECT max(nextval(%(sequence)s::regclass)) FROM generate_series(1, %(step)s)
