"""The stack on a developer's machine: Postgres and Redis from wheels, and a supervisor for all parts.

Nothing in here is imported by the site itself, and nothing needs Django to be configured:
`python -m exchange_site.development` runs before there is a database to configure it for.
"""
