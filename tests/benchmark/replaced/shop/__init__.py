"""A stand-in for the system that this project replaces: its order and its wallet, in plain Django REST framework.

FROZEN: a yardstick. Do not bring this code or its packages up to date, whatever the project does by then.

Decision 411 tells how it was calibrated: release 0.1 has to be 2.0 ± 0.3 times as fast. It does what such a shop does:

- a JWT of djangorestframework-simplejwt, whose user is read from the database at each request;
- the middlewares of `startproject`, and CORS;
- plain views, plain serializers, and psycopg2, as most code bases of this kind have it. With generic views, model serializers
  and psycopg 3, a read of the wallet takes about half as long again;
- throttles that each process counts by itself, as in the replaced system (`docs/differences.md`). If they counted in Redis,
  they would take a quarter of a read;
- the price from the cache, in Redis;
- an order in one transaction by the ORM: the wallet by `select_for_update`, balance check, debit, order, movement. Services
  validate a model before they save it (`full_clean`), which looks up the rows that it refers to;
- a log line for each order, and no access log;
- after the commit a task is enqueued: one message in Celery's format is pushed (LPUSH) to a list in Redis. No worker takes
  it, because placing alone is measured. The replaced system has Celery's own client, which adds more than a millisecond of
  Python to an order; with it, the stand-in came out too slow.

Tuned: connections to Postgres and Redis stay open (`CONN_MAX_AGE`), answers are JSON without the browsable pages, and
Granian answers with two processes of four threads each. Beside it, gunicorn with four threads took an eighth more processor
time, and with two threads no less.
"""
